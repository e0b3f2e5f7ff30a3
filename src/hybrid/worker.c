/* hybrid/worker.c - a GPU that runs slices for a VM's plugin. See worker.h.
 *
 * The lock is held while the device is used: by the thread for a request, by others to compile. A
 * request is copied out of the segment before it is looked at; vt_pixel_gpu_run checks pages and
 * positions, so nothing outside of the VM's RAM is touched whatever a request says.
 */
#include "hybrid/worker.h"

#include "base/io.h"
#include "hybrid/accel.h"
#include "hybrid/mail.h"
#include "vitrine/machine.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/futex.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define LOOK_NS 20000000L /* how long a wait goes without looking whether to end */
#define SPIN_NS 50000u    /* the next request mostly comes as soon: to sleep would cost as much */

struct vt_hybrid_worker {
    struct vt_hybrid_mailbox *mail;
    uint8_t *ram;
    uint64_t ram_bytes;
    struct vt_pixel_gpu *gpu;
    pthread_mutex_t lock;
    pthread_t thread;
    bool runs;
    bool over, lost; /* atomic */
    struct {
        struct vt_pixel_gpu_kernel *kernel;
        uint32_t n_carries, n_streams;
    } slots[VT_HYBRID_SLOTS];
    struct vt_mail_request request; /* the one under way */
};

/* ---------------------------------------------------------------- requests */

static int run(struct vt_hybrid_worker *w, struct vt_error *err)
{
    uint32_t slot = __atomic_load_n(&w->mail->slot, __ATOMIC_RELAXED);
    if (slot >= VT_HYBRID_SLOTS || w->slots[slot].kernel == NULL) {
        return vt_fail(err, VT_E_NOT_FOUND, "no kernel of slot %u", slot);
    }
    int rc = vt_mail_read(w->mail, w->slots[slot].n_streams, &w->request, err);
    if (rc == 0) {
        rc = vt_pixel_gpu_run(w->gpu, w->slots[slot].kernel, &w->request.call, err);
    }
    if (rc == 0) {
        memcpy(w->mail->carries, w->request.carries,
               w->slots[slot].n_carries * sizeof *w->request.carries);
    }
    return rc;
}

static void answer(struct vt_hybrid_worker *w, uint32_t from, uint32_t to)
{
    (void)__atomic_compare_exchange_n(&w->mail->state, &from, to, false, __ATOMIC_ACQ_REL,
                                      __ATOMIC_RELAXED);
    (void)syscall(SYS_futex, &w->mail->state, FUTEX_WAKE, INT32_MAX, NULL, NULL, 0);
}

/* A request that is there, taken and run. */
static void take(struct vt_hybrid_worker *w)
{
    struct vt_error err;
    uint32_t asked = VT_HYBRID_MAIL_ASKED;
    if (!__atomic_compare_exchange_n(&w->mail->state, &asked, VT_HYBRID_MAIL_TAKEN, false,
                                     __ATOMIC_ACQ_REL, __ATOMIC_RELAXED)) {
        return; /* taken back */
    }
    pthread_mutex_lock(&w->lock);
    int rc = run(w, &err);
    pthread_mutex_unlock(&w->lock);
    if (rc != VT_E_GONE) {
        answer(w, VT_HYBRID_MAIL_TAKEN, rc == 0 ? VT_HYBRID_MAIL_DONE : VT_HYBRID_MAIL_REFUSED);
        return;
    }
    /* What it wrote until then is undefined: the request is not answered, nobody serves any more,
     * and the plugin takes the kernel out of use. */
    __atomic_store_n(&w->lost, true, __ATOMIC_RELEASE);
}

/* Until the state is another, but not for long. */
static void wait_for_request(struct vt_hybrid_worker *w, uint32_t state, bool spin)
{
    for (uint64_t begin = vt_now_ns(); spin && vt_now_ns() - begin < SPIN_NS;) {
        if (__atomic_load_n(&w->mail->state, __ATOMIC_ACQUIRE) == VT_HYBRID_MAIL_ASKED) {
            return;
        }
    }
    struct timespec look = {.tv_nsec = LOOK_NS};
    (void)syscall(SYS_futex, &w->mail->state, FUTEX_WAIT, state, &look, NULL, 0);
}

static void *serve(void *arg)
{
    struct vt_hybrid_worker *w = arg;
    bool took = false;
    __atomic_store_n(&w->mail->worker, (uint32_t)getpid(), __ATOMIC_RELEASE);
    while (!__atomic_load_n(&w->over, __ATOMIC_ACQUIRE) && !vt_hybrid_worker_lost(w)) {
        uint32_t state = __atomic_load_n(&w->mail->state, __ATOMIC_ACQUIRE);
        if (state == VT_HYBRID_MAIL_ASKED) {
            take(w);
        } else {
            wait_for_request(w, state, took && !vt_pixel_gpu_is_software(w->gpu));
        }
        took = state == VT_HYBRID_MAIL_ASKED;
    }
    __atomic_store_n(&w->mail->worker, 0, __ATOMIC_RELEASE);
    answer(w, VT_HYBRID_MAIL_ASKED, VT_HYBRID_MAIL_REFUSED); /* asked just before */
    return NULL;
}

/* ---------------------------------------------------------------- beginning, end */

static int map_ram(struct vt_hybrid_worker *w, const struct vt_target *target, struct vt_error *err)
{
    const char *path = vt_vm_info(target->vm)->ram_path;
    struct stat st;
    int fd = open(path, O_RDWR | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0 || fstat(fd, &st) != 0) {
        int code = errno;
        if (fd >= 0) {
            close(fd);
        }
        return vt_fail_errno(err, vt_code_of_errno(code), code, "%s", path);
    }
    void *at = mmap(NULL, (size_t)st.st_size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    int code = errno;
    close(fd);
    if (at == MAP_FAILED) {
        return vt_fail_errno(err, VT_E_MAP, code, "%s", path);
    }
    w->ram = at;
    w->ram_bytes = (uint64_t)st.st_size;
    return 0;
}

int vt_hybrid_worker_start(struct vt_accel *accel, const struct vt_target *target, const char *gpu,
                           struct vt_hybrid_worker **worker, struct vt_error *err)
{
    struct vt_hybrid_worker *w = calloc(1, sizeof *w);
    if (w == NULL) {
        return vt_fail(err, VT_E_NOMEM, "a GPU's worker");
    }
    pthread_mutex_init(&w->lock, NULL);
    w->mail = vt_accel_mailbox(accel);
    int rc = map_ram(w, target, err);
    rc = rc != 0 ? rc : vt_pixel_gpu_open(gpu, w->ram, w->ram_bytes, &w->gpu, err);
    if (rc == 0) {
        int failed = pthread_create(&w->thread, NULL, serve, w);
        w->runs = failed == 0;
        rc = failed == 0 ? 0 : vt_fail_errno(err, VT_E_NOMEM, failed, "a GPU's thread");
    }
    if (rc != 0) {
        vt_hybrid_worker_stop(w);
        return rc;
    }
    *worker = w;
    return 0;
}

void vt_hybrid_worker_stop(struct vt_hybrid_worker *w)
{
    if (w == NULL) {
        return;
    }
    if (w->runs) {
        __atomic_store_n(&w->over, true, __ATOMIC_RELEASE);
        pthread_join(w->thread, NULL);
    }
    for (uint32_t i = 0; i < VT_HYBRID_SLOTS; i++) {
        vt_hybrid_worker_forget(w, i);
    }
    vt_pixel_gpu_close(w->gpu);
    if (w->ram != NULL) {
        munmap(w->ram, w->ram_bytes);
    }
    pthread_mutex_destroy(&w->lock);
    free(w);
}

const char *vt_hybrid_worker_gpu(const struct vt_hybrid_worker *w)
{
    return vt_pixel_gpu_name(w->gpu);
}

bool vt_hybrid_worker_is_software(const struct vt_hybrid_worker *w)
{
    return vt_pixel_gpu_is_software(w->gpu);
}

bool vt_hybrid_worker_lost(struct vt_hybrid_worker *w)
{
    return __atomic_load_n(&w->lost, __ATOMIC_ACQUIRE);
}

int vt_hybrid_worker_serve(struct vt_hybrid_worker *w, uint32_t slot,
                           const struct vt_pixel_program *program, struct vt_error *err)
{
    struct vt_pixel_gpu_kernel *kernel;
    pthread_mutex_lock(&w->lock);
    int rc = vt_pixel_gpu_compile(w->gpu, program, &kernel, err);
    if (rc == 0) {
        w->slots[slot].kernel = kernel;
        w->slots[slot].n_carries = program->n_carries;
        w->slots[slot].n_streams = program->n_streams;
    }
    pthread_mutex_unlock(&w->lock);
    return rc;
}

void vt_hybrid_worker_forget(struct vt_hybrid_worker *w, uint32_t slot)
{
    pthread_mutex_lock(&w->lock);
    if (w->slots[slot].kernel != NULL) {
        vt_pixel_gpu_forget(w->gpu, w->slots[slot].kernel);
        w->slots[slot].kernel = NULL;
    }
    pthread_mutex_unlock(&w->lock);
}
