/* semantic/roles.h - what programs are for: "the SSH daemon" is sshd here and dropbear there.
 *
 * A role has the names of programs that play it on today's distributions, words of a command line
 * where the program's own name says nothing, and the ports it is usually reached on. A process may
 * play several roles (dnsmasq: DNS and DHCP). What listens on a role's port without a known name is
 * worth a mention, and no proof.
 *
 * Ports are those of IANA's registry of service names; names of programs are those of their
 * packages in Debian, Fedora, Alpine and of busybox. Tables and functions without state: any
 * thread.
 */
#ifndef VT_SEMANTIC_ROLES_H
#define VT_SEMANTIC_ROLES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum vt_role_protocol {
    VT_ROLE_TCP = 1 << 0,
    VT_ROLE_UDP = 1 << 1,
};

struct vt_role_port {
    uint16_t port;      /**< 0 ends an array of them */
    unsigned protocols; /**< VT_ROLE_TCP and VT_ROLE_UDP */
};

struct vt_role {
    const char *name;  /**< "ssh"; as in struct vt_question */
    const char *title; /**< in a sentence, after "a process that ": "serves SSH" */
    const char *noun;  /**< in a sentence, after "the ": "SSH server" */
    /** Programs' names, ended by NULL; one that ends in '*' matches what begins so. A process whose
     *  name was cut by the kernel (to 15 bytes) matches the whole name. */
    const char *const *programs;
    /** Parts of a command line that tell as well, ended by NULL; or NULL. */
    const char *const *arguments;
    const struct vt_role_port *ports; /**< ended by port 0; or NULL */
};

/** All of them, ended by a role without a name. */
extern const struct vt_role vt_roles[];

/** NULL: there is no such role. */
const struct vt_role *vt_role_find(const char *name);

/** Whether a process plays the role. `program` is its name as the kernel has it, `arguments` its
 *  command line separated by blanks, or NULL; both may hold any bytes. What busybox runs counts as
 *  a program of that name. */
bool vt_role_played(const struct vt_role *role, const char *program, const char *arguments);

/** The first role that a program of this name plays, or NULL. */
const struct vt_role *vt_role_of_program(const char *program);

/** Whether the role is usually reached on that port. `protocols`: one or both. */
bool vt_role_serves(const struct vt_role *role, uint16_t port, unsigned protocols);

#endif
