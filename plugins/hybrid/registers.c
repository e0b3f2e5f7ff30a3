/* plugins/hybrid/registers.c - where QEMU keeps the vCPU's registers.
 *
 * The interface gives one register in thirty nanoseconds, as text-like bytes, and not all of what a
 * guard has to know. QEMU keeps them as words of its vCPU: the general ones in their order and the
 * PC right after, then the flags and what they are computed from, then the segments, then the
 * control registers, and further on the debug registers. So they are looked for there: a run of
 * words that agrees with everything the interface says, and is the only one; of the debug registers
 * it says nothing, but what is fixed of them is like nothing else. Until all is found no kernel
 * runs. At a block's beginning all
 * of them are there, and what is written there is what the block reads (docs/hybrid.md).
 *
 * Sources: Intel SDM volume 3 (CR0, CR4, EFER, segment descriptors, 17.2: DR4 to DR7); the
 * behaviour of QEMU 11.1.
 */
#include "plugin.h"

#include <dlfcn.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

#define WINDOW 131072 /* of QEMU's vCPU, from its beginning on */
#define WORDS (WINDOW / 8)
#define SKIP_MAX 65536  /* heads between two attempts */
#define VECTOR_WORDS 8  /* of a vector register */
#define SEGMENT_WORDS 3 /* selector; base; limit and flags */

/* Of names; the first sixteen as x86 numbers them. */
enum {
    RIP = 16,
    CS = 17,
    SS = 18,
    DS = 19,
    ES = 20,
    FS = 21,
    GS = 22,
    FS_BASE = 23,
    GS_BASE = 24,
    CR0 = 25,
    CR2 = 26,
    CR3 = 27,
    CR4 = 28,
    EFLAGS = 29
};
static const char *const names[] = {
    "rax", "rcx", "rdx", "rbx",     "rsp",     "rbp", "rsi", "rdi", "r8",  "r9",
    "r10", "r11", "r12", "r13",     "r14",     "r15", "rip", "cs",  "ss",  "ds",
    "es",  "fs",  "gs",  "fs_base", "gs_base", "cr0", "cr2", "cr3", "cr4", "eflags"};
#define NAMES (sizeof names / sizeof *names)

static struct qemu_plugin_register *handles[NAMES], *handles_of_vectors[16];
static GByteArray *bytes;

static struct {
    bool found;
    unsigned skip, skipped;
    uint64_t *gpr, *pc, *segments, *control, *debug;
    uint64_t *vectors; /* of ymm0; NULL: not found (yet) */
} at;

/* QEMU's summary of the vCPU's mode, right before the segments. */
#define HFLAGS(segments) ((uint32_t)(segments)[-1])
#define DF(segments) ((int32_t)((segments)[-2] >> 32))
#define H_PE ((uint32_t)1 << 7)
#define H_LMA ((uint32_t)1 << 14)
#define H_CS64 ((uint32_t)1 << 15)
#define DESCRIPTOR_L ((uint32_t)1 << 21)

static bool read_bytes(struct qemu_plugin_register *handle, void *to, size_t n)
{
    memset(to, 0, n);
    if (handle == NULL) {
        return false;
    }
    g_byte_array_set_size(bytes, 0);
    (void)qemu_plugin_read_register(handle, bytes);
    if (bytes->len == 0 || bytes->len > n) {
        return false;
    }
    memcpy(to, bytes->data, bytes->len);
    return true;
}

void vt_registers_init(void)
{
    bytes = g_byte_array_new();
    GArray *all = qemu_plugin_get_registers();
    unsigned stride = g_array_get_element_size(all);
    for (unsigned i = 0; i < all->len; i++) {
        qemu_plugin_reg_descriptor one;
        memcpy(&one, all->data + (size_t)i * stride, sizeof one);
        for (unsigned n = 0; n < NAMES; n++) {
            if (strcmp(one.name, names[n]) == 0) {
                handles[n] = one.handle;
            }
        }
        for (unsigned n = 0; n < 16 && strncmp(one.name, "xmm", 3) == 0; n++) {
            char name[8] = {'x', 'm', 'm', (char)(n < 10 ? '0' + n : '1'),
                            (char)(n < 10 ? 0 : '0' + n - 10)};
            if (strcmp(one.name, name) == 0) {
                handles_of_vectors[n] = one.handle;
            }
        }
    }
    g_array_free(all, 1);
}

/* What of the window is memory, page by page. */
static size_t copy_window(const uint8_t *from, uint64_t *to)
{
    size_t n = 0;
    while (n < WINDOW) {
        size_t here = 4096 - ((uintptr_t)(from + n) & 4095);
        here = here < WINDOW - n ? here : WINDOW - n;
        struct iovec local = {.iov_base = (uint8_t *)to + n, .iov_len = here};
        struct iovec remote = {.iov_base = (void *)(from + n), .iov_len = here};
        if (process_vm_readv(getpid(), &local, 1, &remote, 1, 0) != (ssize_t)here) {
            break;
        }
        n += here;
    }
    return n / 8;
}

/* The one place in [from, to) where `fits` agrees; 0: none or several. */
static size_t only(const uint64_t *words, size_t from, size_t to, const uint64_t *known,
                   bool (*fits)(const uint64_t *here, const uint64_t *known))
{
    size_t place = 0;
    for (size_t i = from; i < to; i++) {
        if (fits(words + i, known)) {
            if (place != 0) {
                return 0;
            }
            place = i;
        }
    }
    return place;
}

/* There is room for sixteen, or for the thirty-two of APX. */
static size_t place_of_pc(const uint64_t *general, const uint64_t *known)
{
    return general[16] == known[RIP] ? 16 : general[32] == known[RIP] ? 32 : 0;
}

/* What the interface gives of EFLAGS is the word as it is kept: without the arithmetic flags, which
 * are computed when somebody asks, but with TF and AC. */
static bool fits_general(const uint64_t *here, const uint64_t *known)
{
    size_t pc = place_of_pc(here, known);
    return memcmp(here, known, 16 * sizeof *here) == 0 && pc != 0 && here[pc + 1] == known[EFLAGS];
}

/* ES, CS, SS, DS, FS, GS, as instructions number them. */
static bool fits_segments(const uint64_t *here, const uint64_t *known)
{
    static const uint8_t order[] = {ES, CS, SS, DS, FS, GS};
    for (unsigned i = 0; i < 6; i++) {
        if ((uint32_t)here[(size_t)i * SEGMENT_WORDS] != known[order[i]]) {
            return false;
        }
    }
    uint32_t flags = (uint32_t)(here[SEGMENT_WORDS + 2] >> 32);
    uint32_t h = HFLAGS(here);
    return here[4 * SEGMENT_WORDS + 1] == known[FS_BASE] &&
           here[5 * SEGMENT_WORDS + 1] == known[GS_BASE] && (h & 3) == (known[CS] & 3) &&
           ((flags & DESCRIPTOR_L) != 0) == ((h & H_CS64) != 0) &&
           (DF(here) == 1 || DF(here) == -1) && (h & (H_PE | H_LMA)) == (H_PE | H_LMA);
}

static bool fits_control(const uint64_t *here, const uint64_t *known)
{
    return here[0] == known[CR0] && here[2] == known[CR2] && here[3] == known[CR3] &&
           here[4] == known[CR4];
}

#define DR6_ONES ((uint64_t)0xffff0ff0)
#define DR6_CAUSES ((uint64_t)0xe00f)
#define DR7_ONES ((uint64_t)0x400)
#define DR7_ENABLED ((uint64_t)0xff)

/* DR0 to DR7 while no breakpoint is set; of four breakpoints, what QEMU made of them follows. */
static bool fits_debug(const uint64_t *here, const uint64_t *known)
{
    (void)known;
    return here[4] == 0 && here[5] == 0 && (here[6] & ~DR6_CAUSES) == DR6_ONES &&
           here[7] >> 32 == 0 && (here[7] & (DR7_ONES | DR7_ENABLED)) == DR7_ONES && here[8] == 0 &&
           here[9] == 0 && here[10] == 0 && here[11] == 0;
}

static void locate(void)
{
    static uint64_t words[WORDS + 64];
    uint64_t known[NAMES];
    unsigned different = 0;
    void **current = dlsym(RTLD_DEFAULT, "current_cpu");
    uint8_t *cpu = current != NULL ? *current : NULL;
    for (unsigned i = 0; i < NAMES; i++) {
        if (!read_bytes(handles[i], &known[i], sizeof known[i])) {
            return;
        }
        different += i < 16 && known[i] > 1;
    }
    if (cpu == NULL || (uintptr_t)cpu % 8 != 0 || different < 6 || known[CR3] == 0) {
        return;
    }
    size_t n = copy_window(cpu, words);
    size_t general = only(words, 0, n, known, fits_general);
    if (general == 0 || general + 512 > n) {
        return;
    }
    size_t pc = general + place_of_pc(words + general, known);
    size_t segments = only(words, pc + 2, pc + 48, known, fits_segments);
    size_t control =
        segments != 0 ? only(words, segments + 18, segments + 128, known, fits_control) : 0;
    size_t debug = control != 0 ? only(words, control + 5, n - 12, known, fits_debug) : 0;
    if (debug != 0) {
        uint64_t *base = (uint64_t *)(void *)cpu;
        at.gpr = base + general;
        at.pc = base + pc;
        at.segments = base + segments;
        at.control = base + control;
        at.debug = base + debug;
        at.found = true;
        __atomic_store_n(&vt_header->capabilities, VT_HYBRID_CAN_RUN, __ATOMIC_RELEASE);
    }
}

bool vt_registers_located(void)
{
    if (!at.found && at.skipped++ == at.skip) {
        at.skipped = 0;
        at.skip = at.skip < SKIP_MAX ? 2 * at.skip + 1 : SKIP_MAX;
        locate();
    }
    return at.found;
}

/* Vector registers lie side by side, each with room for 512 bits. */
static bool fits_vectors(const uint64_t *here, const uint64_t *known)
{
    bool fits = true;
    for (size_t i = 0; i < 16 && fits; i++) {
        fits = memcmp(here + i * VECTOR_WORDS, known + 2 * i, 16) == 0;
    }
    return fits;
}

/* The interface says of them the lower 128 bits: where these are, in two different registers at
 * least, and nowhere else. */
static void locate_vectors(uint64_t known[16][2])
{
    static uint64_t words[WORDS + 64];
    void **current = dlsym(RTLD_DEFAULT, "current_cpu");
    unsigned different = 0;
    for (unsigned i = 0; i < 16; i++) {
        different += (known[i][0] | known[i][1]) != 0 && memcmp(known[i], known[15 - i], 16) != 0;
    }
    size_t n = different > 1 ? copy_window(*current, words) : 0;
    size_t found = n > (size_t)16 * VECTOR_WORDS
                       ? only(words, 0, n - (size_t)16 * VECTOR_WORDS, known[0], fits_vectors)
                       : 0;
    if (found != 0) {
        at.vectors = (uint64_t *)*current + found;
    }
}

/* False: those of AVX are not found yet. */
static bool read_vectors(struct vt_registers *r, enum vt_vectors vectors)
{
    uint64_t known[16][2];
    for (unsigned i = 0; i < 16 && vectors != VT_NO_VECTORS && at.vectors == NULL; i++) {
        if (!read_bytes(handles_of_vectors[i], known[i], sizeof known[i])) {
            return false;
        }
        memcpy(r->xmm[i], known[i], sizeof known[i]);
    }
    if (vectors == VT_AVX && at.vectors == NULL) {
        locate_vectors(known);
    }
    for (unsigned i = 0; i < 16 && vectors != VT_NO_VECTORS && at.vectors != NULL; i++) {
        memcpy(r->xmm[i], at.vectors + (size_t)i * VECTOR_WORDS, sizeof r->xmm[i]);
    }
    return vectors != VT_AVX || at.vectors != NULL;
}

int vt_registers_get(struct vt_paging *paging, struct vt_registers *r, uint64_t *pc,
                     enum vt_vectors vectors)
{
    const struct vt_mode mode = {.hflags = HFLAGS(at.segments),
                                 .df = DF(at.segments),
                                 .eflags = at.pc[1],
                                 .cr0 = at.control[0],
                                 .cr3 = at.control[3],
                                 .cr4 = at.control[4]};
    /* Kernels would pass hardware breakpoints by. */
    if ((at.debug[7] & DR7_ENABLED) != 0 || vt_mode_of(&mode, vectors, paging) != VT_GOES) {
        return VT_HYBRID_MODE;
    }
    *pc = *at.pc;
    r->gpr = at.gpr;
    r->fs_base = at.segments[4 * SEGMENT_WORDS + 1];
    r->gs_base = at.segments[5 * SEGMENT_WORDS + 1];
    return read_vectors(r, vectors) ? VT_GOES : VT_HYBRID_MODE;
}

void vt_registers_put_xmm(const struct vt_registers *r, enum vt_vectors vectors)
{
    for (unsigned i = 0; i < 16; i++) {
        if ((r->xmm_changed >> i & 1) == 0) {
            continue;
        }
        if (at.vectors != NULL) {
            memcpy(at.vectors + (size_t)i * VECTOR_WORDS, r->xmm[i], vectors == VT_AVX ? 32 : 16);
        } else {
            g_byte_array_set_size(bytes, 16);
            memcpy(bytes->data, r->xmm[i], 16);
            (void)qemu_plugin_write_register(handles_of_vectors[i], bytes);
        }
    }
}
