/* plugins/trace/plugin.c - loaded, steered, unloaded.
 *
 *   -plugin ./vitrine-trace-7.so,stays=on    under another name: common/follow.h
 *   -plugin vitrine-trace-7.so,fd=N          the segment (trace/ring.h), open both ways
 *
 * What is recorded changes while QEMU resets the plugin (common/follow.h): a block is instrumented
 * by one configuration, and nothing is when the detail is off.
 */
#include "plugin.h"

#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define PERIOD 64
#define SEGMENT_MAX ((uint64_t)1 << 40)

VT_EXPORT int qemu_plugin_version = VT_PLUGIN_API;
VT_EXPORT int qemu_plugin_install(qemu_plugin_id_t id, const qemu_info_t *info, int argc,
                                  char **argv);

struct vt_trace_config vt_config;
struct vt_trace_writer *vt_writers;
unsigned vt_n_writers;
struct vt_trace_header *vt_header;
struct vt_trace_control *vt_control;
struct qemu_plugin_scoreboard *vt_scores;

static qemu_plugin_id_t self;

/* The vCPU that has this thread for itself. */
static _Thread_local struct vt_trace_writer *own;
static _Thread_local unsigned vcpus_here;

struct counters {
    uint64_t instructions, blocks, accesses;
};

static struct counters counted(const struct vt_trace_writer *w)
{
    if (!vt_trace_counts_inline()) {
        return (struct counters){__atomic_load_n(&w->instructions, __ATOMIC_RELAXED),
                                 __atomic_load_n(&w->blocks, __ATOMIC_RELAXED),
                                 __atomic_load_n(&w->accesses, __ATOMIC_RELAXED)};
    }
    const struct vt_trace_score *score = qemu_plugin_scoreboard_find(vt_scores, w->index);
    return (struct counters){__atomic_load_n(&score->instructions, __ATOMIC_RELAXED),
                             __atomic_load_n(&score->blocks, __ATOMIC_RELAXED),
                             __atomic_load_n(&score->accesses, __ATOMIC_RELAXED)};
}

/* Called with QEMU's lock of plugins held: scoreboards do not move meanwhile. */
static void publish(VCPU_PARAMETERS)
{
    UNUSED;
    struct vt_trace_writer *w = vcpu < vt_n_writers ? &vt_writers[vcpu] : NULL;
    if (w == NULL || w->page == NULL) {
        return;
    }
    struct counters now = counted(w);
    __atomic_store_n(&w->page->instructions, now.instructions, __ATOMIC_RELAXED);
    __atomic_store_n(&w->page->blocks, now.blocks, __ATOMIC_RELAXED);
    __atomic_store_n(&w->page->accesses, now.accesses, __ATOMIC_RELAXED);
    vt_writer_wake_reader(w);
}

/* Whoever counts from now on goes on from here. */
static void carry(struct vt_trace_writer *w)
{
    struct counters now = counted(w);
    struct vt_trace_score *score = qemu_plugin_scoreboard_find(vt_scores, w->index);
    w->instructions = score->instructions = now.instructions;
    w->blocks = score->blocks = now.blocks;
    w->accesses = score->accesses = now.accesses;
}

static void on_init(VCPU_PARAMETERS)
{
    UNUSED;
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    if (vcpu >= vt_n_writers) {
        return;
    }
    struct vt_trace_writer *w = &vt_writers[vcpu];
    own = vcpus_here++ == 0 ? w : NULL;
    pthread_once(&once, vt_arch_registers);
    w->bytes = g_byte_array_new();
    w->root = vt_arch_root(w);
    vt_record_mode(w);
    if (w->page != NULL) {
        __atomic_store_n(&w->page->alive, 1, __ATOMIC_RELEASE);
    }
    vt_follow_vcpu(vcpu);
}

static void on_exit_of_vcpu(VCPU_PARAMETERS)
{
    UNUSED;
    if (vcpu < vt_n_writers && vt_writers[vcpu].page != NULL) {
        __atomic_store_n(&vt_writers[vcpu].page->alive, 0, __ATOMIC_RELEASE);
    }
}

static void on_pause(unsigned vcpu, bool idle)
{
    if (vcpu < vt_n_writers) {
        vt_record_pause(vcpu, idle);
    }
}

static void on_translate(TB_PARAMETERS)
{
    UNUSED;
    vt_follow_look();
    if (own != NULL && own->root == UINT64_MAX && own->bytes != NULL) {
        vt_record_root(own, vt_arch_root(own), false);
    }
    vt_instrument(tb);
}

#if VT_PLUGIN_API >= 7
static void on_discontinuity(unsigned vcpu, enum qemu_plugin_discon_type type, uint64_t from,
                             uint64_t to, void *udata)
{
    UNUSED;
    if (vcpu < vt_n_writers) {
        vt_record_cut(vcpu, (unsigned)type, from, to);
    }
    vt_follow_look();
}
#endif

#if VT_PLUGIN_API >= 7
static void on_end(void *udata)
{
    (void)udata;
    qemu_plugin_vcpu_for_each(self, publish, NULL);
#else
static void on_end(qemu_plugin_id_t unused_id, void *udata)
{
    (void)unused_id;
    (void)udata;
    qemu_plugin_vcpu_for_each(self, publish);
#endif
    __atomic_store_n(&vt_header->ended, 1, __ATOMIC_RELEASE);
    for (unsigned i = 0; i < vt_n_writers; i++) {
        if (vt_writers[i].page != NULL) {
            vt_writer_wake_reader(&vt_writers[i]);
        }
    }
}

static void configure(void)
{
    struct vt_trace_config *f = &vt_config;
    f->generation = __atomic_load_n(&vt_control->generation, __ATOMIC_ACQUIRE);
    memcpy(&f->c, vt_control, sizeof f->c);
    f->c.detail = f->c.detail <= VT_TRACE_VALUES ? f->c.detail : VT_TRACE_OFF;
    f->c.policy = f->c.policy <= VT_TRACE_KEEP_LAST ? f->c.policy : VT_TRACE_DROP;
    f->c.n_ranges = f->c.n_ranges <= 16 ? f->c.n_ranges : 16;
    f->c.n_points = f->c.n_points <= 32 ? f->c.n_points : 32;
    f->period = f->c.period != 0 ? f->c.period : PERIOD;
    f->conditional = f->c.root != 0 || f->c.vcpu_mask != 0;
    f->by_address = f->c.n_ranges != 0 || f->c.privileges != 0 || f->c.n_points != 0;
}

static void instrument(void)
{
    vt_follow_translations(self, vt_n_writers == 1,
                           vt_config.c.detail >= VT_TRACE_COUNT ? on_translate : NULL);
#if VT_PLUGIN_API >= 7
    if (vt_config.c.detail >= VT_TRACE_BLOCKS) {
        qemu_plugin_register_vcpu_discon_cb(self, QEMU_PLUGIN_DISCON_ALL, on_discontinuity, NULL);
    }
#endif
}

/* No vCPU executes: the rings are ours to write, and counters are exact. */
static uint32_t change(void)
{
    qemu_plugin_vcpu_for_each(self, publish UDATA);
    uint32_t before = vt_config.c.detail;
    for (unsigned i = 0; i < vt_n_writers; i++) {
        if (vt_writers[i].bytes != NULL) {
            carry(&vt_writers[i]);
        }
    }
    configure();
    for (unsigned i = 0; i < vt_n_writers; i++) {
        struct vt_trace_writer *w = &vt_writers[i];
        if (w->bytes != NULL) {
            /* Without instrumentation nobody saw it change. */
            w->root = before >= VT_TRACE_BLOCKS ? w->root : UINT64_MAX;
            vt_record_mode(w);
        }
    }
    instrument();
    return vt_config.generation;
}

static void wake_writers(void)
{
    for (unsigned i = 0; i < vt_n_writers; i++) {
        struct vt_trace_vcpu *page = vt_writers[i].page;
        if (page != NULL && __atomic_load_n(&page->waiting, __ATOMIC_RELAXED) != 0) {
            __atomic_store_n(&page->waiting, 0, __ATOMIC_RELAXED);
            vt_futex_wake(&page->waiting);
        }
    }
}

static bool counts(void)
{
    return vt_config.c.detail != VT_TRACE_OFF;
}

static const char *check(const struct vt_trace_header *h, uint64_t bytes)
{
    if (bytes < sizeof *h || bytes > SEGMENT_MAX ||
        memcmp(h->magic, VT_TRACE_MAGIC, sizeof h->magic) != 0) {
        return "the segment is not a trace's";
    }
    if (h->version != VT_TRACE_VERSION || h->header_bytes < sizeof *h) {
        return "the segment is of another version";
    }
    if (h->plugin_api != 0) {
        return "the segment was used before";
    }
    uint64_t ring = (uint64_t)h->ring_words * sizeof(uint64_t);
    if (h->segment_bytes > bytes || h->vcpus == 0 || h->vcpus > VT_TRACE_VCPUS_MAX ||
        (h->ring_words & (h->ring_words - 1)) != 0 || h->ring_words < 4 * VT_WRITER_CHUNK ||
        h->vcpu_stride != VT_TRACE_PAGE + ring ||
        (h->control_offset | h->vcpu_offset | h->dictionary_offset) % VT_TRACE_PAGE != 0 ||
        h->control_offset > bytes - VT_TRACE_PAGE || h->vcpu_offset > bytes ||
        (bytes - h->vcpu_offset) / h->vcpu_stride < h->vcpus || h->dictionary_offset > bytes ||
        h->dictionary_bytes > bytes - h->dictionary_offset) {
        return "the segment's parts do not fit";
    }
    return NULL;
}

static const char *take(int fd, int max_vcpus)
{
    struct stat st;
    if (fd < 0 || fstat(fd, &st) != 0) {
        return "no segment (fd=N)";
    }
    uint64_t bytes = (uint64_t)st.st_size;
    uint8_t *base = mmap(NULL, bytes != 0 ? bytes : 1, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (base == MAP_FAILED) {
        return "cannot map the segment";
    }
    const char *why = check((struct vt_trace_header *)base, bytes);
    if (why != NULL) {
        return why;
    }
    struct vt_trace_header layout = *(struct vt_trace_header *)base;
    why = check(&layout, bytes); /* what was copied is what is used */
    if (why != NULL) {
        return why;
    }
    vt_header = (struct vt_trace_header *)base;
    vt_control = (struct vt_trace_control *)(base + layout.control_offset);
    vt_n_writers = (unsigned)max_vcpus;
    vt_writers = aligned_alloc(_Alignof(struct vt_trace_writer),
                               vt_n_writers * sizeof(struct vt_trace_writer));
    if (vt_writers == NULL ||
        !vt_dictionary_init(base, layout.dictionary_offset, layout.dictionary_bytes, fd)) {
        return "out of memory";
    }
    memset(vt_writers, 0, vt_n_writers * sizeof(struct vt_trace_writer));
    for (unsigned i = 0; i < vt_n_writers; i++) {
        struct vt_trace_writer *w = &vt_writers[i];
        w->index = i;
        w->root = UINT64_MAX;
        w->pc = &vt_alias_nowhere;
        w->mask = layout.ring_words - 1;
        if (i < layout.vcpus) {
            uint8_t *page = base + layout.vcpu_offset + i * layout.vcpu_stride;
            w->page = (struct vt_trace_vcpu *)page;
            w->words = (uint64_t *)(page + VT_TRACE_PAGE);
        }
    }
    return NULL;
}

static void describe_run(const qemu_info_t *info)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    vt_header->clock_hz = 1000000000;
    vt_header->clock_start = vt_clock();
    vt_header->unix_start_ns = (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
    vt_header->qemu_pid = (uint64_t)getpid();
    snprintf(vt_header->arch, sizeof vt_header->arch, "%s", info->target_name);
    vt_header->capabilities = VT_TRACE_CAN_VALUES | (VT_PLUGIN_API >= 7 ? VT_TRACE_CAN_CUT : 0);
}

static int refused(const char *why)
{
    fprintf(stderr, "vitrine-trace: %s\n", why);
    return 1;
}

int qemu_plugin_install(qemu_plugin_id_t id, const qemu_info_t *info, int argc, char **argv)
{
    if (vt_follow_stays(id, argc, argv)) {
        qemu_plugin_register_vcpu_init_cb(id, on_init UDATA);
        qemu_plugin_register_vcpu_exit_cb(id, on_exit_of_vcpu UDATA);
        qemu_plugin_register_atexit_cb(id, on_end, NULL);
        return 0;
    }
    const char *why = NULL;
    if (!info->system_emulation || !vt_arch_init(info->target_name)) {
        why = "no such machine is traced";
    }
    int fd = vt_follow_descriptor(argc, argv);
    if (why == NULL) {
        why = take(fd, info->system.max_vcpus);
    }
    if (why != NULL) {
        return refused(why);
    }
    self = id;
    vt_scores = qemu_plugin_scoreboard_new(sizeof(struct vt_trace_score));
    describe_run(info);
    configure();
    instrument();
    const struct vt_following f = {.self = id,
                                   .plugin_api = &vt_header->plugin_api,
                                   .ended = &vt_header->ended,
                                   .generation = &vt_control->generation,
                                   .seen = &vt_control->seen,
                                   .configure = change,
                                   .counts = counts,
                                   .publish = publish,
                                   .before_reset = wake_writers,
                                   .pause = on_pause};
    why = vt_follow_start(&f, vt_config.generation);
    return why == NULL ? 0 : refused(why);
}
