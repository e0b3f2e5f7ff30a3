/* guest/linux/sockets.h - a struct sock as a row: what sockets.c finds, socket_read.c reads. */
#ifndef VT_GUEST_LINUX_SOCKETS_H
#define VT_GUEST_LINUX_SOCKETS_H

#include "guest/linux/netns.h"

/** Where to read what sockets are made of; families that a kernel lacks have no members. */
struct vt_socket_layout {
    struct vt_extent common; /* struct sock_common */
    struct vt_member family, state, daddr, rcv_saddr, dport, num, bound, prot, net;
    struct vt_member v6_daddr, v6_rcv_saddr, listener, node, common_bytes;
    struct vt_extent sock;
    struct vt_member type, protocol, uid, socket, rmem, wmem, backlog;
    struct vt_member queue, queue_len, buffer_len;
    struct vt_member write_seq, snd_una, rcv_nxt, copied_seq; /* struct tcp_sock */
    struct vt_member substate;                                /* struct inet_timewait_sock */
    struct vt_member deficit;                                 /* struct udp_sock */
    struct vt_member unix_addr, unix_peer, address_len, address_name;
    struct vt_member packet_num, packet_ifindex;
    struct vt_member portid, dst_portid;
    struct vt_member socket_sk, socket_of, inode_of, ino;
    struct vt_member proto_name;
};
/** Belongs to the kernel. VT_E_NOT_FOUND, VT_E_NOMEM. */
int vt_socket_layout_take(struct vt_kernel *kernel, const struct vt_socket_layout **layout,
                          struct vt_error *err);

/** Reads the socket at `at` through the walk's look; who holds it and whether it is listed is not
 *  touched. */
void vt_socket_read(struct vt_walk *walk, const struct vt_socket_layout *layout,
                    const struct vt_netns_list *nets, struct vt_gva at, struct vt_socket *socket);

/** "127.0.0.1" or "::1" from `n` bytes of a network address, 4 or 16. */
void vt_socket_address_text(const uint8_t *bytes, size_t n, char *text, size_t size);
/** The path of `n` bytes of a sockaddr_un's sun_path as /proc/net/unix shows it: "@" for the zero
 *  bytes of an abstract one. */
void vt_socket_path_text(const uint8_t *bytes, size_t n, char *text, size_t size);
/** "tcp" for a protocol of a family, or its number. */
void vt_socket_protocol_text(unsigned family, unsigned protocol, char *text, size_t size);

#endif
