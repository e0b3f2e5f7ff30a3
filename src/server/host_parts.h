/* server/host_parts.h - what the files of the host share. */
#ifndef VT_SERVER_HOST_PARTS_H
#define VT_SERVER_HOST_PARTS_H

#include "server/host.h"

#include <pthread.h>
#include <sys/stat.h>

/** Which life of a VM: a VM that was restarted has the same name. */
struct vt_life {
    dev_t device;
    ino_t inode;
    struct timespec written; /* of vm.json */
};
/** VT_E_NOT_FOUND, and its like: none that lives. */
int vt_life_look(const char *vm, struct vt_life *life, struct vt_error *err);
bool vt_life_same(const struct vt_life *a, const struct vt_life *b);

/** A lease with what is kept between leases. */
struct vt_context {
    struct vt_lease lease; /* first: what is handed out */
    struct vt_served *vm;
    struct vt_life life;
    struct vt_sql *sql;      /* or NULL; lease.sql once asked for */
    volatile int *stop;      /* the user's, while it is out */
    struct vt_context *next; /* in the list it is in: idle, or those out that have a stop */
};

/** What is kept of a VM; gone when nobody uses it. All but the name is the host's lock's. */
struct vt_served {
    char name[VT_VM_NAME_MAX + 1];
    struct vt_served *next;
    unsigned users;    /* who hold or await a lease */
    unsigned contexts; /* open or being opened */
    struct vt_context *idle;
    /* why the kernel was not found, for a moment: looking for it may take seconds */
    struct vt_error no_kernel;
    uint64_t no_kernel_ns; /* 0: it was */
    /* the thread that samples it */
    bool sampling; /* it was started and not joined yet; counts as a user */
    bool ended;    /* it is about to return: join it */
    bool busy;     /* somebody else samples the VM: the thread waits for its turn */
    pthread_t thread;
    struct vt_host *host;
    struct vt_sampler *sampler; /* opened for it; its own once it runs */
    struct vt_context *context;
    struct vt_sample last; /* number 0: none yet */
    uint64_t samples, failures;
    double cpu_seconds;
    char error[VT_ERROR_MESSAGE_MAX]; /* why the last tick failed, or "" */
    /* samples taken for leases while nobody samples */
    pthread_mutex_t once; /* one at a time; taken before the host's lock */
    uint64_t once_ns;     /* when the last one was, with `once` */
};

struct vt_host {
    struct vt_host_options options;
    pthread_mutex_t lock;
    pthread_cond_t changed; /* something was given back, sampled or ended; CLOCK_MONOTONIC */
    struct vt_served *vms;
    struct vt_context *out; /* those with a stop of their users' */
    volatile int stop;
    bool watching;
    pthread_t watcher;
};

/** Waits until something changed or `deadline_ns` passed; VT_E_TIMEOUT then. With the lock. */
int vt_host_wait(struct vt_host *host, uint64_t deadline_ns);

/** The VM's entry, made when missing; one more user. With the lock. NULL: out of memory. */
struct vt_served *vt_host_use(struct vt_host *host, const char *name);
/** One user less; an entry that holds nothing goes. With the lock. */
void vt_host_leave(struct vt_host *host, struct vt_served *served);
/** Opens a VM outside the count of contexts, and closes one. With `past` also one that ended. */
int vt_context_open(struct vt_served *served, const char *operation, const char *detail, bool past,
                    struct vt_context **context, struct vt_error *err);
void vt_context_close(struct vt_context *context);
/** Closes idle contexts of VMs that ended. */
void vt_host_sweep(struct vt_host *host);

/* ---- host_sampler.c ---- */

/** Starts samplers of the VMs there are, when the host samples, and the thread that looks for new
 *  ones and tidies up. VT_E_BUSY: somebody else samples a VM that was named. */
int vt_host_watch(struct vt_host *host, struct vt_error *err);
/** Ends and joins all threads; the host was interrupted. */
void vt_host_unwatch(struct vt_host *host);

#endif
