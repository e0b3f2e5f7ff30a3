/* server/serve.h - `vitrine serve`: a host of VMs, HTTP in front of it, and an orderly end.
 */
#ifndef VT_SERVER_SERVE_H
#define VT_SERVER_SERVE_H

#include "server/listen.h"
#include "vitrine/semantic.h"

struct vt_serve_options {
    const char *const *vms; /**< which may be seen; n_vms 0: all */
    unsigned n_vms;
    const char *const *listen; /**< ADDRESS:PORT, ended by NULL; NULL: loopback's usual port, both
                                  families; the one word "none": no TCP */
    const char *socket;        /**< of the Unix socket; NULL: <runtime>/serve.sock; "none" */
    const char *token_file;    /**< NULL: one is made beside the Unix socket */
    bool token_always;         /**< the token is needed on loopback, too */
    const char *const *hosts;  /**< more names of this server, ended by NULL; or NULL */
    const char *const *origins;
    bool read_only; /**< what changes a VM is refused */
    bool sample;    /**< take samples; else only what others sampled, or one when asked */
    uint64_t interval_ns;
    struct vt_sampler_options sampler;
    uint64_t drain_ns;   /**< for requests to end */
    unsigned threads;    /**< for operations */
    const char *web;     /**< folder to read browsers' files from; NULL: those compiled in */
    const char *gpu;     /**< that draws frames for clients without one; NULL: the usual one */
    uint64_t gpu_memory; /**< of it for one VM; 0: as much as it wants */
    /** It listens and answers from now on. */
    void (*ready)(const struct vt_listeners *listeners, const char *token_file, const char *token,
                  void *arg);
    void *arg;
};

/** Serves until SIGTERM, SIGINT or SIGHUP (a second one cuts the end short). Call it before any
 *  thread is made: it blocks these signals for all of them. VT_E_BUSY: somebody serves there, or
 *  samples one of the VMs. */
int vt_serve(const struct vt_serve_options *options, struct vt_error *err);

#endif
