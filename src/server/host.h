/* server/host.h - the VMs a server serves: opened for those who ask, sampled once a second.
 *
 * A host is shared by all threads of a server. Whoever works on a VM takes a lease: an opened
 * target and a read-only database connection that are his until he gives them back; there are a
 * few a VM, kept open between leases, and opened anew when the VM was restarted or its kernel
 * changed. Each sampled VM has one thread that ticks.
 */
#ifndef VT_SERVER_HOST_H
#define VT_SERVER_HOST_H

#include "vitrine/semantic.h"

struct vt_host;

struct vt_host_options {
    const char *const
        *names; /**< VMs that may be seen; n_names 0: all, also those that come later */
    unsigned n_names;
    bool sample;       /**< run samplers; else a lease takes one sample when nobody samples */
    double interval_s; /**< of sampling; 0: 1 s */
    struct vt_sampler_options sampler;
    bool read_only;      /**< operations that change a VM or the host are refused */
    const char *program; /**< vitrine's, which starts VMs; NULL: that of this process */
    void (*on_event)(const char *vm, const struct vt_event *event, void *arg);    /**< any thread */
    void (*on_sample)(const char *vm, const struct vt_sample *sample, void *arg); /**< any thread */
    void *arg;
};

/** `options` and its strings outlive the host. With `sample`, starts a sampler for each VM, and
 *  looks for new ones now and then. A named VM that somebody else samples is VT_E_BUSY. */
int vt_host_create(const struct vt_host_options *options, struct vt_host **host,
                   struct vt_error *err);
/** Interrupts, joins the samplers; every lease must be back. Takes NULL. */
void vt_host_destroy(struct vt_host *host);
/** Makes leases that are out end early: long work stops with VT_E_INTERRUPTED. */
void vt_host_interrupt(struct vt_host *host);
/** Non-zero once it was interrupted: for waits. */
const volatile int *vt_host_stop(const struct vt_host *host);
bool vt_host_is_read_only(const struct vt_host *host);
const char *vt_host_program(const struct vt_host *host);
bool vt_host_may_see(const struct vt_host *host, const char *vm);

struct vt_lease {
    struct vt_target target;  /**< ram unless it ended; the kernel through vt_lease_kernel */
    struct vt_sql *sql;       /**< NULL until vt_lease_sql */
    const volatile int *stop; /**< non-zero: end early with VT_E_INTERRUPTED; never NULL */
};
/** Writes the audit line and opens the VM, or takes one that is kept. `operation` NULL: only the
 *  database will be asked, which is no look into the guest; nothing is written then. Of a VM that
 *  ended the lease has the database only. VT_E_INVAL (no
 * name), VT_E_NOT_FOUND (none, or not to be seen), VT_E_BUSY (all of the VM's leases stayed out for
 * 10 seconds), VT_E_INTERRUPTED, those of vt_target_open. `stop` is the user's own way to end his
 *  work early and outlives the lease; vt_host_interrupt sets it, too. NULL: he has none. */
int vt_host_lease(struct vt_host *host, const char *vm, const char *operation, const char *detail,
                  volatile int *stop, struct vt_lease **lease, struct vt_error *err);
/** The lease's kernel, as vt_target_kernel; but a guest that has none (yet) is looked at once a
 *  second at most, since that may take long. */
int vt_lease_kernel(struct vt_host *host, struct vt_lease *lease, struct vt_error *err);
/** Opens the lease's database; takes a sample first when nobody samples this VM. */
int vt_lease_sql(struct vt_host *host, struct vt_lease *lease, struct vt_error *err);
void vt_host_give_back(struct vt_host *host, struct vt_lease *lease);

/** For metrics: what is known of each VM's sampler. Strings are valid during the call. */
struct vt_host_vm {
    const char *name;
    struct vt_sample last; /**< number 0: none yet */
    uint64_t samples, failures;
    double cpu_seconds; /**< of its sampler */
    const char *error;  /**< why the last tick failed, or "" */
};
void vt_host_each(struct vt_host *host, void (*fn)(const struct vt_host_vm *vm, void *arg),
                  void *arg);

#endif
