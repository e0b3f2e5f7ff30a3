/* gpu/vtest.h - one client of the vtest protocol: its messages become calls of a Venus context.
 *
 * A client is served by the thread that calls vt_vtest_run; it may be as slow, as hostile or as
 * dead as it likes: nobody else waits for it. vtest_server.h serves many.
 */
#ifndef VT_GPU_VTEST_H
#define VT_GPU_VTEST_H

#include "vitrine/venus.h"

/** What a client tells of itself, made safe for terminals. */
#define VT_VTEST_NAME_BYTES 64u
#define VT_VTEST_REASON_BYTES 512u
/** Commands of different names that a report has room for. */
#define VT_VTEST_REPORT_COMMANDS 512u

/** All that is known of a client, at one moment. Plain data without pointers. */
struct vt_vtest_report {
    uint32_t id;
    char name[VT_VTEST_NAME_BYTES];     /**< empty: not told yet */
    char device[VT_VENUS_DEVICE_BYTES]; /**< of the host; empty: none was used */
    bool begun;                         /**< it has a context */
    bool ended;
    bool failed; /**< it ended for another reason than that it wanted to */
    char reason[VT_VTEST_REASON_BYTES];
    uint64_t messages;
    uint32_t resources, syncs;
    struct vt_venus_statistics venus;
    uint32_t n_commands;
    struct vt_vtest_count {
        char name[56];
        uint32_t id;
        uint64_t count, failed, ns;
    } commands[VT_VTEST_REPORT_COMMANDS];
};

struct vt_vtest;
/** Takes `fd`, a connected stream socket, also when it fails. `begun` (or NULL) is told when there
 * is a context, from the thread of vt_vtest_run. */
struct vt_vtest_options {
    uint32_t id;
    uint64_t memory_max_bytes; /**< of one blob of plain shared memory; 0: 1 GiB */
    void (*begun)(void *arg, const char *name);
    void *arg;
};
int vt_vtest_create(int fd, struct vt_venus_renderer *renderer,
                    const struct vt_vtest_options *options, struct vt_vtest **vtest,
                    struct vt_error *err);
/** Serves the client until it goes, breaks the protocol, its context ends or vt_vtest_stop. */
void vt_vtest_run(struct vt_vtest *vtest);
/** From any thread: ends vt_vtest_run as soon as what runs just now is done. */
void vt_vtest_stop(struct vt_vtest *vtest);
/** From any thread. The report is large: not for the stack. */
void vt_vtest_report(struct vt_vtest *vtest, struct vt_vtest_report *report);
/** The last commands before a failure, a line each, or NULL; after vt_vtest_run. */
const char *vt_vtest_last_commands(const struct vt_vtest *vtest);
/** Ends the context, then the connection; takes NULL. */
void vt_vtest_destroy(struct vt_vtest *vtest);

/** "Vulkan 1.4.309, Venus protocol 3": what a capset offers. */
void vt_vtest_describe_capset(const struct vt_venus_renderer *renderer, char *out, size_t bytes);

#endif
