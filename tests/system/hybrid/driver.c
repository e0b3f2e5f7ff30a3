/* tests/system/hybrid/driver.c - installs kernels made by hand (images.c) for the loops of loops.S.
 *
 *   driver VM install active|passive KERNEL... [canary=N] [min=N]     removes others
 *   driver VM active | passive | remove
 *   driver VM stats                                     one line a kernel: name=value...
 */
#include "base/text.h"
#include "hybrid/segment.h"
#include "vitrine/machine.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/futex.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define PARTS(name, image)                                                                         \
    extern const uint8_t name##_head[], name##_end[];                                              \
    extern const uint8_t __start_image_##image[], __stop_image_##image[];
#define TRIPS(name)                                                                                \
    extern const uint8_t __start_image_##name##_trips[], __stop_image_##name##_trips[];
PARTS(xor64, xor64)
TRIPS(xor64)
extern const uint8_t __start_image_wrong[], __stop_image_wrong[];
PARTS(fill64, fill64)
TRIPS(fill64)
PARTS(xorv, xorv)
TRIPS(xorv)
PARTS(back8, back8)
TRIPS(back8)
PARTS(length, length)
PARTS(sum64, sum64)
TRIPS(sum64)

enum { RAX, RCX, RDX, RBX, RSP, RBP, RSI, RDI, R8 };

static struct vt_hybrid_linear at(uint32_t base, uint32_t index, uint64_t scale, int64_t constant)
{
    struct vt_hybrid_linear l = {.constant = (uint64_t)constant, .n = scale != 0 ? 2 : 1};
    l.reg[0] = base;
    l.coefficient[0] = 1;
    l.reg[1] = index;
    l.coefficient[1] = scale;
    return l;
}

static struct vt_hybrid_place gpr(uint8_t reg)
{
    return (struct vt_hybrid_place){.kind = VT_HYBRID_GPR, .reg = reg, .bits = 64};
}

static struct vt_hybrid_place xmm(uint8_t reg, bool high)
{
    return (struct vt_hybrid_place){
        .kind = high ? VT_HYBRID_XMM_HIGH : VT_HYBRID_XMM_LOW, .reg = reg, .bits = 64};
}

static struct vt_hybrid_stream stream(struct vt_hybrid_linear position, int32_t low, int32_t high,
                                      int64_t stride, bool writes)
{
    return (struct vt_hybrid_stream){.position = position,
                                     .low = low,
                                     .high = high,
                                     .stride = stride,
                                     .stride_input = VT_HYBRID_NONE,
                                     .reads = !writes,
                                     .writes = writes};
}

struct made {
    struct vt_hybrid_kernel k;
    uint8_t image[8192];
};

static void put_image(struct made *m, const uint8_t *run, const uint8_t *run_end,
                      const uint8_t *trips, const uint8_t *trips_end)
{
    size_t n = (size_t)(run_end - run), rounded = (n + 63) & ~(size_t)63;
    memcpy(m->image, run, n);
    m->k.entry = 0;
    m->k.trips_entry = VT_HYBRID_NONE;
    m->k.image_bytes = (uint32_t)n;
    if (trips != NULL) {
        memcpy(m->image + rounded, trips, (size_t)(trips_end - trips));
        m->k.trips_entry = (uint32_t)rounded;
        m->k.image_bytes = (uint32_t)(rounded + (size_t)(trips_end - trips));
    }
}

static void put_code(struct made *m, const uint8_t *head, const uint8_t *end)
{
    m->k.n_blocks = 1;
    m->k.n_code = (uint32_t)(end - head);
    m->k.blocks[0] = (struct vt_hybrid_block){.at = 0, .first = 0, .n = m->k.n_code};
    memcpy(m->k.code, head, m->k.n_code);
}

#define IMAGES(name, image)                                                                        \
    __start_image_##image, __stop_image_##image, __start_image_##name##_trips,                     \
        __stop_image_##name##_trips

static bool make(const char *name, struct made *m)
{
    memset(m, 0, sizeof *m);
    struct vt_hybrid_kernel *k = &m->k;
    snprintf(k->hash, sizeof k->hash, "%s", name);
    bool wrong = strcmp(name, "wrong") == 0;
    if (wrong || strcmp(name, "xor64") == 0) {
        put_code(m, xor64_head, xor64_end);
        put_image(m, IMAGES(xor64, xor64));
        if (wrong) {
            put_image(m, IMAGES(xor64, wrong));
        }
        k->n_inputs = 2;
        k->inputs[0] = gpr(RCX);
        k->inputs[1] = gpr(RDX);
        k->n_carries = 2;
        k->carries[0] = gpr(RAX);
        k->carries[1] = gpr(R8);
        k->n_streams = 2;
        k->streams[0] = stream(at(RSI, RAX, 8, 0), 0, 8, 8, false);
        k->streams[1] = stream(at(RDI, RAX, 8, 0), 0, 8, 8, true);
    } else if (strcmp(name, "fill64") == 0) {
        put_code(m, fill64_head, fill64_end);
        put_image(m, IMAGES(fill64, fill64));
        k->n_inputs = 1;
        k->inputs[0] = gpr(RSI);
        k->n_carries = 2;
        k->carries[0] = gpr(RDI);
        k->carries[1] = gpr(RCX);
        k->n_streams = 1;
        k->streams[0] = stream(at(RDI, 0, 0, 0), 0, 8, 8, true);
    } else if (strcmp(name, "xorv") == 0) {
        put_code(m, xorv_head, xorv_end);
        put_image(m, IMAGES(xorv, xorv));
        k->n_inputs = 3;
        k->inputs[0] = gpr(RDX);
        k->inputs[1] = xmm(1, false);
        k->inputs[2] = xmm(1, true);
        k->n_carries = 3;
        k->carries[0] = gpr(RAX);
        k->carries[1] = xmm(0, false);
        k->carries[2] = xmm(0, true);
        k->n_streams = 2;
        k->streams[0] = stream(at(RSI, RAX, 1, 0), 0, 16, 16, false);
        k->streams[1] = stream(at(RDI, RAX, 1, 0), 0, 16, 16, true);
    } else if (strcmp(name, "back8") == 0) {
        put_code(m, back8_head, back8_end);
        put_image(m, IMAGES(back8, back8));
        k->n_carries = 2;
        k->carries[0] = gpr(RCX);
        k->carries[1] = gpr(RAX);
        k->n_streams = 2; /* one window is before the position */
        k->streams[0] = stream(at(RSI, RCX, 1, 0), -1, 0, -1, false);
        k->streams[1] = stream(at(RDI, RCX, 1, -1), 0, 1, -1, true);
    } else if (strcmp(name, "length") == 0) {
        put_code(m, length_head, length_end);
        put_image(m, __start_image_length, __stop_image_length, NULL, NULL);
        k->n_blocks = 2;
        k->blocks[0].n = 5; /* cmpb, je */
        k->blocks[1] = (struct vt_hybrid_block){.at = 5, .first = 5, .n = k->n_code - 5};
        k->n_carries = 1;
        k->carries[0] = gpr(RAX);
        k->n_streams = 1;
        k->streams[0] = stream(at(RAX, 0, 0, 0), 0, 1, 1, false);
    } else if (strcmp(name, "sum64") == 0) {
        put_code(m, sum64_head, sum64_end);
        put_image(m, IMAGES(sum64, sum64));
        k->n_inputs = 1;
        k->inputs[0] = gpr(RDX);
        k->n_carries = 3;
        k->carries[0] = gpr(RCX);
        k->carries[1] = gpr(RAX);
        k->carries[2] = (struct vt_hybrid_place){
            .kind = VT_HYBRID_CELL, .bits = 64, .bytes = 8, .address = at(RDI, 0, 0, 0)};
        k->n_streams = 1;
        k->streams[0] = stream(at(RSI, RCX, 8, 0), 0, 8, 8, false);
        k->n_disjoint = 1;
        k->disjoint[0] = (struct vt_hybrid_disjoint){.a = 0, .b = 1 + 1 + 2};
    } else {
        return false;
    }
    return true;
}

static uint8_t *base;
static int segment;
static struct vt_hybrid_header *header;
static struct vt_hybrid_control *control;

static struct vt_hybrid_slot *slot(uint32_t i)
{
    return (struct vt_hybrid_slot *)(void *)(base + header->slot_offset) + i;
}

static int next_generation(void)
{
    uint32_t g = __atomic_add_fetch(&control->generation, 1, __ATOMIC_RELEASE);
    syscall(SYS_futex, &control->generation, FUTEX_WAKE, INT32_MAX, NULL, NULL, 0);
    for (int i = 0; i < 1200; i++) {
        uint32_t seen = __atomic_load_n(&control->seen, __ATOMIC_ACQUIRE);
        if (seen == g) {
            return 0;
        }
        struct timespec t = {.tv_nsec = 50000000};
        syscall(SYS_futex, &control->seen, FUTEX_WAIT, seen, &t, NULL, 0);
    }
    fprintf(stderr, "the plugin does not answer\n");
    return 1;
}

static int want_all(uint32_t wanted)
{
    for (uint32_t i = 0; i < VT_HYBRID_SLOTS; i++) {
        if (slot(i)->wanted != VT_HYBRID_WANT_NONE) {
            __atomic_store_n(&slot(i)->wanted, wanted, __ATOMIC_RELEASE);
        }
    }
    return 0;
}

static int install(int argc, char **argv)
{
    static struct made m;
    uint32_t wanted =
        strcmp(argv[0], "active") == 0 ? VT_HYBRID_WANT_ACTIVE : VT_HYBRID_WANT_PASSIVE;
    uint32_t canary = 0, n = 0;
    uint64_t least = 0;
    want_all(VT_HYBRID_WANT_NONE);
    if (next_generation() != 0) {
        return 1;
    }
    for (int i = 1; i < argc; i++) {
        if (strncmp(argv[i], "canary=", 7) == 0) {
            canary = (uint32_t)strtoul(argv[i] + 7, NULL, 10);
        } else if (strncmp(argv[i], "min=", 4) == 0) {
            least = strtoul(argv[i] + 4, NULL, 10);
        }
    }
    for (int i = 1; i < argc; i++) {
        if (strchr(argv[i], '=') != NULL) {
            continue;
        }
        if (!make(argv[i], &m)) {
            fprintf(stderr, "no kernel %s\n", argv[i]);
            return 2;
        }
        m.k.canary_period = canary;
        m.k.min_iterations = least;
        off_t at = (off_t)(header->kernel_offset + n * header->kernel_stride);
        off_t image = (off_t)(header->image_offset + n * header->image_stride);
        if (pwrite(segment, &m.k, sizeof m.k, at) != (ssize_t)sizeof m.k ||
            pwrite(segment, m.image, m.k.image_bytes, image) != (ssize_t)m.k.image_bytes) {
            return 1;
        }
        __atomic_store_n(&slot(n)->wanted, wanted, __ATOMIC_RELEASE);
        n++;
    }
    control->enabled = 1;
    int rc = next_generation();
    for (uint32_t i = 0; i < n && rc == 0; i++) {
        if (slot(i)->state != VT_HYBRID_INSTALLED) {
            fprintf(stderr, "slot %u: state %u, refusal %u\n", i, slot(i)->state, slot(i)->refusal);
            rc = 1;
        }
    }
    return rc;
}

static void numbers(const char *what, const uint64_t *n)
{
    static const char *const names[VT_HYBRID_DECLINES] = {
        "few",        "code",    "mode",      "absent",   "protected", "clean",   "not_ram",
        "translated", "overlap", "unaligned", "crossing", "address",   "checked", "worker"};
    for (int i = 0; i < VT_HYBRID_DECLINES; i++) {
        if (n[i] != 0) {
            printf(" %s_%s=%" PRIu64, what, names[i], n[i]);
        }
    }
}

static int stats(void)
{
    struct vt_hybrid_kernel k;
    for (uint32_t i = 0; i < VT_HYBRID_SLOTS; i++) {
        const struct vt_hybrid_slot *s = slot(i);
        off_t at = (off_t)(header->kernel_offset + i * header->kernel_stride);
        if (s->state == VT_HYBRID_EMPTY || pread(segment, &k, sizeof k, at) != (ssize_t)sizeof k) {
            continue;
        }
        printf("%s state=%u refusal=%u hooks=%u heads=%" PRIu64 " iterations=%" PRIu64
               " calls=%" PRIu64 " slices=%" PRIu64 " chunks=%" PRIu64 " bounced=%" PRIu64
               " bytes=%" PRIu64 " ns=%" PRIu64 " canaries=%" PRIu64 " discarded=%" PRIu64
               " failed=%" PRIu64,
               k.hash, s->state, s->refusal, s->hooks, s->heads, s->iterations, s->calls, s->slices,
               s->chunks, s->bounced, s->bytes, s->ns, s->canaries, s->canaries_discarded,
               s->canaries_failed);
        numbers("no", s->declines);
        numbers("stop", s->stops);
        printf("\n");
    }
    return 0;
}

int main(int argc, char **argv)
{
    struct vt_error err;
    struct vt_vm *vm;
    struct stat ram, st;
    if (argc < 3) {
        return 2;
    }
    if (vt_vm_open(argv[1], &vm, &err) != 0) {
        fprintf(stderr, "%s\n", err.message);
        return 1;
    }
    const struct vt_vm_info *info = vt_vm_info(vm);
    segment = open(info->hybrid_path, O_RDWR | O_CLOEXEC);
    if (segment < 0 || fstat(segment, &st) != 0 || stat(info->ram_path, &ram) != 0) {
        fprintf(stderr, "%s: %s\n", info->hybrid_path, strerror(errno));
        return 1;
    }
    base = mmap(NULL, (size_t)st.st_size, PROT_READ | PROT_WRITE, MAP_SHARED, segment, 0);
    if (base == MAP_FAILED || flock(segment, LOCK_EX) != 0) {
        return 1;
    }
    header = (struct vt_hybrid_header *)(void *)base;
    control = (struct vt_hybrid_control *)(void *)(base + header->control_offset);
    control->ram_device = ram.st_dev;
    control->ram_inode = ram.st_ino;
    control->n_ranges = info->n_regions;
    for (unsigned i = 0; i < info->n_regions && i < VT_HYBRID_RANGES_MAX; i++) {
        control->ranges[i] = (struct vt_hybrid_range){
            info->regions[i].gpa.v, info->regions[i].bytes, info->regions[i].offset.v};
    }
    int rc = 2;
    if (strcmp(argv[2], "install") == 0 && argc > 4) {
        rc = install(argc - 3, argv + 3);
    } else if (strcmp(argv[2], "stats") == 0) {
        rc = stats();
    } else if (strcmp(argv[2], "active") == 0) {
        rc = want_all(VT_HYBRID_WANT_ACTIVE);
    } else if (strcmp(argv[2], "passive") == 0) {
        rc = want_all(VT_HYBRID_WANT_PASSIVE);
    } else if (strcmp(argv[2], "remove") == 0) {
        rc = want_all(VT_HYBRID_WANT_NONE);
        rc = rc == 0 ? next_generation() : rc;
    }
    vt_vm_close(vm);
    return rc;
}
