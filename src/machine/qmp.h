/* machine/qmp.h - talking QMP, QEMU's control protocol (docs/interop/qmp-spec in QEMU's tree).
 *
 * One connection, one thread. A command is sent with an id of its own and its reply is awaited
 * until an absolute deadline; replies to other ids (late answers to commands that timed out) are
 * dropped, events go to a callback. The peer is hostile: lines are capped at 16 MiB, nesting by the
 * JSON parser, and every failure names the socket. JSON values are jansson's.
 */
#ifndef VT_MACHINE_QMP_H
#define VT_MACHINE_QMP_H

#include "vitrine/base.h"

#include <jansson.h>

struct vt_qmp;

/** One message may be this long. */
#define VT_QMP_LINE_MAX ((size_t)16 << 20)
/** A deadline for what QEMU answers at once, in milliseconds from now. */
#define VT_QMP_TIMEOUT_MS 5000

/** What ends a wait early; NULL for nothing. */
struct vt_qmp_cancel {
    const volatile int *stop; /**< non-zero: VT_E_INTERRUPTED; may be NULL */
    int fd;                   /**< readable or hung up: VT_E_INTERRUPTED; -1: none */
};

/** Connects to the socket at `path` and negotiates. Errors: VT_E_NOT_FOUND, VT_E_GONE (nobody
 *  listens: stale), VT_E_PERM, VT_E_TIMEOUT (no greeting: dead, or another client holds it),
 *  VT_E_PROTOCOL (not QMP). */
int vt_qmp_connect(const char *path, uint64_t deadline_ns, const struct vt_qmp_cancel *cancel,
                   struct vt_qmp **qmp, struct vt_error *err);
/** The same over a connected descriptor, owned from now on, also when it fails; `what` names it. */
int vt_qmp_adopt(int fd, const char *what, uint64_t deadline_ns, const struct vt_qmp_cancel *cancel,
                 struct vt_qmp **qmp, struct vt_error *err);
/** As vt_qmp_connect, trying again while nobody listens yet or the socket is missing, until the
 *  deadline: after a restart of the other side. */
int vt_qmp_reconnect(const char *path, uint64_t deadline_ns, const struct vt_qmp_cancel *cancel,
                     struct vt_qmp **qmp, struct vt_error *err);
/** Takes NULL. */
void vt_qmp_close(struct vt_qmp *qmp);

/** Keeps `fd` open until the connection is closed: the lock that reserves the socket. */
void vt_qmp_hold(struct vt_qmp *qmp, int fd);

/** `cancel` of all later waits on this connection; borrowed, NULL for none. */
void vt_qmp_set_cancel(struct vt_qmp *qmp, const struct vt_qmp_cancel *cancel);

/** Called for each event, from within execute or dispatch; `data` may be NULL, both are borrowed.
 */
typedef void vt_qmp_event_fn(const char *event, json_t *data, void *arg);
void vt_qmp_on_event(struct vt_qmp *qmp, vt_qmp_event_fn *fn, void *arg);

/** Sends a command and waits for its reply. `arguments` (an object, or NULL) is consumed. *reply,
 *  when asked for, is a new reference to the "return" value. Errors: VT_E_REFUSED (QEMU's own
 *  words), VT_E_TIMEOUT, VT_E_GONE, VT_E_PROTOCOL, VT_E_INTERRUPTED. The connection stays usable
 *  after VT_E_REFUSED and VT_E_TIMEOUT. */
int vt_qmp_execute(struct vt_qmp *qmp, const char *command, json_t *arguments, uint64_t deadline_ns,
                   json_t **reply, struct vt_error *err);
/** The same with a descriptor attached, for getfd and add-fd. `fd` stays the caller's. */
int vt_qmp_execute_fd(struct vt_qmp *qmp, const char *command, json_t *arguments, int fd,
                      uint64_t deadline_ns, json_t **reply, struct vt_error *err);
/** A human-monitor command; *text is malloc'ed. */
int vt_qmp_human(struct vt_qmp *qmp, const char *line, uint64_t deadline_ns, char **text,
                 struct vt_error *err);
/** Waits until an event named `event` came since the last command was sent, or comes. */
int vt_qmp_wait_event(struct vt_qmp *qmp, const char *event, uint64_t deadline_ns,
                      struct vt_error *err);

/** For an event loop: the descriptor, and what to call when it is readable. Reads what is there and
 *  hands out the events; VT_E_GONE at the end of the stream. */
int vt_qmp_fd(const struct vt_qmp *qmp);
int vt_qmp_dispatch(struct vt_qmp *qmp, struct vt_error *err);

/** The version from the greeting, "11.1.3". */
const char *vt_qmp_version(const struct vt_qmp *qmp);

#endif
