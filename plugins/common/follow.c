/* plugins/common/follow.c - see follow.h.
 *
 * QEMU resets a plugin properly only when it is asked by a vCPU: it looks at a thread-local pointer
 * of its own, current_cpu, which it exports, and queues the work on that vCPU. With the pointer a
 * thread of ours can ask at once, whatever the guest does; without it (a QEMU that exports nothing
 * but the interface) the next callback on a vCPU's thread asks.
 */
#include "plugins/common/follow.h"

#include <dlfcn.h>
#include <linux/futex.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define PUBLISH_MS 50 /* counters in the segment are at most so old */
#define IDLE_MS 1000

static struct vt_following is;
static bool stays; /* one load does */
static pthread_mutex_t changing = PTHREAD_MUTEX_INITIALIZER;
static uint32_t in_force;   /* the generation */
static bool asked;          /* a reset is under way */
static uint32_t vcpus_seen; /* futex: vCPUs that came up */
static void *first_vcpu;
static bool translated; /* the callback of translations is registered */

void vt_futex_wake(uint32_t *word)
{
    syscall(SYS_futex, word, FUTEX_WAKE, INT32_MAX, NULL, NULL, 0);
}

int vt_futex_wait(uint32_t *word, uint32_t value, unsigned timeout_ms)
{
    struct timespec limit = {.tv_sec = timeout_ms / 1000,
                             .tv_nsec = (long)(timeout_ms % 1000) * 1000000};
    return (int)syscall(SYS_futex, word, FUTEX_WAIT, value, &limit, NULL, 0);
}

/* Asks for a vCPU, on a thread that is none. A vCPU that stops or halts looks for work and then
 * goes to sleep; who asks in between, without QEMU's lock, wakes nobody. So it is woken again as
 * long as nothing comes of it. */
static void ask_for(void *vcpu, void **current, void (*kick)(void *vcpu))
{
    *current = vcpu;
    vt_follow_look();
    *current = NULL;
    if (kick != NULL) {
        kick(vcpu);
    }
}

static void on_reset(ID_PARAMETERS)
{
    UNUSED;
    pthread_mutex_lock(&changing);
    uint32_t taken = is.configure();
    pthread_mutex_unlock(&changing);
    __atomic_store_n(&in_force, taken, __ATOMIC_RELAXED);
    __atomic_store_n(&asked, false, __ATOMIC_RELEASE);
    __atomic_store_n(is.seen, taken, __ATOMIC_RELEASE);
    vt_futex_wake(is.seen);
}

/* QEMU holds its lock here, and in a reset it does not. */
static void tell_pause(unsigned vcpu, bool idle)
{
    if (is.pause != NULL) {
        pthread_mutex_lock(&changing);
        is.pause(vcpu, idle);
        pthread_mutex_unlock(&changing);
    }
}

/* It does not ask: the vCPU would sleep before it hears. */
static void on_idle(VCPU_PARAMETERS)
{
    UNUSED;
    tell_pause(vcpu, true);
}

static void on_resume(VCPU_PARAMETERS)
{
    UNUSED;
    tell_pause(vcpu, false);
    vt_follow_look();
}

bool vt_follow_stays(qemu_plugin_id_t id, int argc, char **argv)
{
    if (argc != 1 || strcmp(argv[0], "stays=on") != 0) {
        return false;
    }
    stays = true;
    qemu_plugin_register_vcpu_idle_cb(id, on_idle UDATA);
    qemu_plugin_register_vcpu_resume_cb(id, on_resume UDATA);
    return true;
}

/* QEMU 11 forgets what an interrupted translation left behind where it ends one with this callback,
 * and where it begins the next. Without, what is left gets into it, and QEMU crashes. So the
 * callback goes at the end of a translation: which another vCPU's knows nothing of, and where there
 * are several it stays. */
static void last_translation(TB_PARAMETERS)
{
    (void)tb;
    UNUSED;
    translated = false;
    qemu_plugin_register_vcpu_tb_trans_cb(is.self, NULL UDATA);
}

static void no_translation(TB_PARAMETERS)
{
    (void)tb;
    UNUSED;
}

void vt_follow_translations(qemu_plugin_id_t self, bool one_vcpu, vt_plugin_tb_cb cb)
{
    if (cb == NULL && translated) {
        cb = one_vcpu ? last_translation : no_translation;
    }
    if (cb != NULL) {
        translated = true;
        qemu_plugin_register_vcpu_tb_trans_cb(self, cb UDATA);
    }
}

void vt_follow_look(void)
{
    if (__atomic_load_n(is.generation, __ATOMIC_RELAXED) !=
            __atomic_load_n(&in_force, __ATOMIC_RELAXED) &&
        !__atomic_exchange_n(&asked, true, __ATOMIC_ACQ_REL)) {
        qemu_plugin_reset(is.self, on_reset UDATA);
    }
}

void vt_follow_vcpu(unsigned vcpu)
{
    if (vcpu == 0) {
        void **current = dlsym(RTLD_DEFAULT, "current_cpu");
        first_vcpu = current != NULL ? *current : NULL;
        /* Everything else of the header is there. */
        __atomic_store_n(is.plugin_api, VT_PLUGIN_API, __ATOMIC_RELEASE);
        vt_futex_wake(is.plugin_api);
    }
    __atomic_add_fetch(&vcpus_seen, 1, __ATOMIC_RELEASE);
    vt_futex_wake(&vcpus_seen);
}

static void *follow(void *unused)
{
    (void)unused;
    while (__atomic_load_n(is.plugin_api, __ATOMIC_ACQUIRE) == 0) {
        vt_futex_wait(&vcpus_seen, 0, IDLE_MS);
    }
    void **current = dlsym(RTLD_DEFAULT, "current_cpu");
    void (*kick)(void *) = NULL;
    *(void **)&kick = dlsym(RTLD_DEFAULT, "qemu_cpu_kick");
    while (__atomic_load_n(is.ended, __ATOMIC_ACQUIRE) == 0) {
        uint32_t wanted = __atomic_load_n(is.generation, __ATOMIC_ACQUIRE);
        uint32_t seen = __atomic_load_n(is.seen, __ATOMIC_RELAXED);
        if (wanted != seen) {
            if (is.before_reset != NULL) {
                is.before_reset();
            }
            if (current != NULL && first_vcpu != NULL) {
                ask_for(first_vcpu, current, kick);
            }
            vt_futex_wait(is.seen, seen, PUBLISH_MS);
        } else {
            vt_futex_wait(is.generation, wanted, is.counts() ? PUBLISH_MS : IDLE_MS);
        }
        if (is.counts()) {
            qemu_plugin_vcpu_for_each(is.self, is.publish UDATA);
        }
    }
    return NULL;
}

const char *vt_follow_start(const struct vt_following *f, uint32_t generation)
{
    if (!stays) {
        return "load it with stays=on first, under another name of the same file";
    }
    pthread_t thread;
    pthread_attr_t attributes;
    sigset_t all;
    sigset_t before;
    is = *f;
    in_force = generation;
    __atomic_store_n(is.seen, generation, __ATOMIC_RELEASE);
    sigfillset(&all);
    pthread_attr_init(&attributes);
    pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
    /* Signals are QEMU's. */
    pthread_sigmask(SIG_SETMASK, &all, &before);
    bool started = pthread_create(&thread, &attributes, follow, NULL) == 0;
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    pthread_attr_destroy(&attributes);
    return started ? NULL : "no thread is left";
}

int vt_follow_descriptor(int argc, char **argv)
{
    int fd = -1;
    for (int i = 0; i < argc; i++) {
        char *end;
        if (strncmp(argv[i], "fd=", 3) == 0) {
            long number = strtol(argv[i] + 3, &end, 10);
            fd = *end == '\0' && end != argv[i] + 3 && number >= 0 && number < INT32_MAX
                     ? (int)number
                     : -1;
        }
    }
    return fd;
}
