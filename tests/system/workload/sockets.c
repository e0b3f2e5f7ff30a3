/* sockets.c - sockets of each family, in each state that lasts. */
#include "workload.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/if_packet.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

union address {
    struct sockaddr any;
    struct sockaddr_in v4;
    struct sockaddr_in6 v6;
    struct sockaddr_un local;
};

static socklen_t internet(union address *at, int family, uint16_t port)
{
    memset(at, 0, sizeof *at);
    if (family == AF_INET) {
        at->v4 = (struct sockaddr_in){AF_INET, htons(port), {htonl(INADDR_LOOPBACK)}, {0}};
        return sizeof at->v4;
    }
    at->v6 = (struct sockaddr_in6){
        .sin6_family = AF_INET6, .sin6_port = htons(port), .sin6_addr = in6addr_loopback};
    return sizeof at->v6;
}

static int listener(int family, uint16_t port, int backlog)
{
    union address at;
    socklen_t size = internet(&at, family, port);
    int fd = socket(family, SOCK_STREAM, 0);
    return fd < 0 || bind(fd, &at.any, size) != 0 || listen(fd, backlog) != 0 ? -1 : fd;
}

/* Two connections: one with unread bytes, one of which one side is done. */
static int tcp(int family, uint16_t port)
{
    union address at;
    int server = listener(family, port, 17), to[2], from[2];
    for (int i = 0; i < 2; i++) {
        socklen_t size = internet(&at, family, port);
        to[i] = socket(family, SOCK_STREAM, 0);
        if (server < 0 || to[i] < 0 || connect(to[i], &at.any, size) != 0 ||
            (from[i] = accept(server, NULL, NULL)) < 0) {
            return -1;
        }
    }
    return write(to[0], "unread bytes", 12) != 12 ? -1 : shutdown(to[1], SHUT_WR);
}

static int tcp_v4(void)
{
    return tcp(AF_INET, 7001);
}

static int tcp_v6(void)
{
    return tcp(AF_INET6, 7002);
}

/* An IPv6 socket that serves IPv4, with a connection nobody has accepted. */
static int tcp_mapped(void)
{
    union address at = {.v6 = {.sin6_family = AF_INET6, .sin6_port = htons(7003)}};
    int server = socket(AF_INET6, SOCK_STREAM, 0), client = socket(AF_INET, SOCK_STREAM, 0);
    if (server < 0 || client < 0 || bind(server, &at.any, sizeof at.v6) != 0 ||
        listen(server, 3) != 0) {
        return -1;
    }
    socklen_t size = internet(&at, AF_INET, 7003);
    return connect(client, &at.any, size);
}

static int tcp_unbound(void)
{
    return socket(AF_INET, SOCK_STREAM, 0) < 0 ? -1 : 0;
}

static int udp(int family, uint16_t port)
{
    union address at;
    socklen_t size = internet(&at, family, port);
    int server = socket(family, SOCK_DGRAM, 0), client = socket(family, SOCK_DGRAM, 0);
    return server < 0 || client < 0 || bind(server, &at.any, size) != 0 ||
                   connect(client, &at.any, size) != 0 || write(client, "datagram", 8) != 8
               ? -1
               : 0;
}

static int udp_v4(void)
{
    return udp(AF_INET, 7004);
}

static int udp_v6(void)
{
    return udp(AF_INET6, 7005);
}

static int udp_any(void)
{
    union address at = {.v4 = {.sin_family = AF_INET, .sin_port = htons(7006)}};
    int fd = socket(AF_INET, SOCK_DGRAM, 0), on = 1;
    return fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof on) != 0
               ? -1
               : bind(fd, &at.any, sizeof at.v4);
}

static int raw(void)
{
    int a = socket(AF_INET, SOCK_RAW, IPPROTO_ICMP), b = socket(AF_INET6, SOCK_RAW, IPPROTO_ICMPV6);
    return a < 0 || b < 0 ? -1 : 0;
}

static int named(int type, const char *path, size_t n, int *fd)
{
    union address at = {.local = {.sun_family = AF_UNIX}};
    memcpy(at.local.sun_path, path, n);
    *fd = socket(AF_UNIX, type, 0);
    return *fd < 0 ? -1 : bind(*fd, &at.any, (socklen_t)(sizeof at.local.sun_family + n));
}

static int unix_stream(void)
{
    static const char path[] = "/run/workload/stream";
    union address at = {.local = {.sun_family = AF_UNIX}};
    int server, client = socket(AF_UNIX, SOCK_STREAM, 0);
    memcpy(at.local.sun_path, path, sizeof path);
    if (named(SOCK_STREAM, path, sizeof path, &server) != 0 || listen(server, 9) != 0 ||
        connect(client, &at.any, sizeof at.local) != 0) {
        return -1;
    }
    return accept(server, NULL, NULL) < 0 || write(client, "unread", 6) != 6 ? -1 : 0;
}

static int unix_abstract(void)
{
    int fd;
    return named(SOCK_DGRAM, "\0workload abstract", 18, &fd);
}

static int unix_odd(void)
{
    int fd;
    return named(SOCK_SEQPACKET, "\0odd\n\0\x1b name", 12, &fd) != 0 ? -1 : listen(fd, 1);
}

static int unix_pair(void)
{
    int a[2], b[2];
    return socketpair(AF_UNIX, SOCK_STREAM, 0, a) != 0 ||
                   socketpair(AF_UNIX, SOCK_SEQPACKET, 0, b) != 0
               ? -1
               : 0;
}

static int netlink(void)
{
    const struct sockaddr_nl at = {.nl_family = AF_NETLINK,
                                   .nl_groups = RTMGRP_LINK | RTMGRP_IPV4_IFADDR};
    int fd = socket(AF_NETLINK, SOCK_RAW, NETLINK_ROUTE);
    return fd < 0 ? -1 : bind(fd, (const struct sockaddr *)&at, sizeof at);
}

static int packet(void)
{
    const struct sockaddr_ll at = {.sll_family = AF_PACKET,
                                   .sll_protocol = htons(ETH_P_ARP),
                                   .sll_ifindex = (int)if_nametoindex("lo")};
    int fd = socket(AF_PACKET, SOCK_RAW, htons(ETH_P_ARP));
    return fd < 0 ? -1 : bind(fd, (const struct sockaddr *)&at, sizeof at);
}

/* Addresses on an interface that carries nothing. */
static int interface(void)
{
    return shell("exec 2>/dev/null; ip link add wl0 type dummy; "
                 "ip link set wl0 address 02:00:00:00:ca:fe mtu 1400 up && "
                 "ip addr add 10.9.8.7/20 dev wl0 && "
                 "ip addr add 10.9.8.8/32 dev wl0 label wl0:second && "
                 "ip -6 addr add fd00:9::7/64 dev wl0 && "
                 "ip link set wl0 arp on && arp -i wl0 -s 10.9.8.9 02:00:00:00:be:ef && "
                 "ip route add 10.200.0.0/16 via 10.9.8.1");
}

const struct item socket_items[] = {
    {"interface", interface},
    {"tcp-v4", tcp_v4},
    {"tcp-v6", tcp_v6},
    {"tcp-mapped", tcp_mapped},
    {"tcp-unbound", tcp_unbound},
    {"udp-v4", udp_v4},
    {"udp-v6", udp_v6},
    {"udp-any", udp_any},
    {"raw", raw},
    {"unix-stream", unix_stream},
    {"unix-abstract", unix_abstract},
    {"unix-odd", unix_odd},
    {"unix-pair", unix_pair},
    {"netlink", netlink},
    {"packet", packet},
    {0},
};
