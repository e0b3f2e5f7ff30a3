/* tests/system/trace/raw_ring.c - a trace segment by hand, knowing trace/ring.h and nothing else:
 * what the plugin writes is seen without the library's reader.
 *
 *   raw_ring make FILE [VCPUS [RING_WORDS]]
 *   raw_ring steer FILE DETAIL POLICY [NAME=VALUE…]   root, root_mask, vcpus, range=A-B, point,
 *                                                     privileges, period, flags
 *   raw_ring flip FILE TIMES                          steers back and forth: off, blocks
 *   raw_ring drain FILE SECONDS [blind]               consumes and counts, at most so long: until
 *                                                     something was recorded and is no more, or
 *                                                     QEMU ends; blind: does not look at records
 *   raw_ring dump FILE [VCPU [WORDS]]                 the last words, one record a line
 *   raw_ring counters FILE
 */
#include "trace/ring.h"

#include <fcntl.h>
#include <inttypes.h>
#include <linux/futex.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define DICTIONARY_BYTES ((uint64_t)256 << 20)

static uint8_t *base;
static struct vt_trace_header *header;

static _Noreturn void die(const char *what)
{
    perror(what);
    exit(1);
}

static void map(const char *path)
{
    struct stat st;
    int fd = open(path, O_RDWR | O_CLOEXEC);
    if (fd < 0 || fstat(fd, &st) != 0) {
        die(path);
    }
    base = mmap(NULL, (size_t)st.st_size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (base == MAP_FAILED) {
        die(path);
    }
    header = (struct vt_trace_header *)base;
    close(fd);
}

static struct vt_trace_vcpu *vcpu(uint32_t i)
{
    return (struct vt_trace_vcpu *)(base + header->vcpu_offset + i * header->vcpu_stride);
}

static struct vt_trace_control *control(void)
{
    return (struct vt_trace_control *)(base + header->control_offset);
}

static void wake(uint32_t *word)
{
    syscall(SYS_futex, word, FUTEX_WAKE, INT32_MAX, NULL, NULL, 0);
}

static double seconds(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec * 1e-9;
}

static int make(const char *path, uint32_t vcpus, uint32_t words)
{
    uint64_t stride = VT_TRACE_PAGE + (uint64_t)words * 8;
    struct vt_trace_header h = {.version = VT_TRACE_VERSION,
                                .header_bytes = sizeof h,
                                .vcpus = vcpus,
                                .ring_words = words,
                                .control_offset = VT_TRACE_PAGE,
                                .vcpu_offset = 2 * (uint64_t)VT_TRACE_PAGE,
                                .vcpu_stride = stride,
                                .dictionary_offset = 2 * (uint64_t)VT_TRACE_PAGE + vcpus * stride,
                                .dictionary_bytes = DICTIONARY_BYTES};
    memcpy(h.magic, VT_TRACE_MAGIC, sizeof h.magic);
    h.segment_bytes = h.dictionary_offset + h.dictionary_bytes;
    int fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd < 0 || ftruncate(fd, (off_t)h.segment_bytes) != 0 ||
        pwrite(fd, &h, sizeof h, 0) != (ssize_t)sizeof h) {
        die(path);
    }
    return 0;
}

static void set(struct vt_trace_control *c, const char *word)
{
    const char *value = strchr(word, '=');
    if (value == NULL) {
        fprintf(stderr, "raw_ring: %s: no '='\n", word);
        exit(2);
    }
    char *end;
    uint64_t number = strtoull(value + 1, &end, 0);
    if (strncmp(word, "root=", 5) == 0) {
        c->root = number;
    } else if (strncmp(word, "root_mask=", 10) == 0) {
        c->root_mask = number;
    } else if (strncmp(word, "vcpus=", 6) == 0) {
        c->vcpu_mask = number;
    } else if (strncmp(word, "privileges=", 11) == 0) {
        c->privileges = (uint32_t)number;
    } else if (strncmp(word, "period=", 7) == 0) {
        c->period = (uint32_t)number;
    } else if (strncmp(word, "flags=", 6) == 0) {
        c->flags = (uint32_t)number;
    } else if (strncmp(word, "point=", 6) == 0 && c->n_points < 32) {
        c->points[c->n_points++] = number;
    } else if (strncmp(word, "range=", 6) == 0 && c->n_ranges < 16 && *end == '-') {
        c->ranges[c->n_ranges].first = number;
        c->ranges[c->n_ranges++].last = strtoull(end + 1, NULL, 0);
    } else {
        fprintf(stderr, "raw_ring: %s: no such setting\n", word);
        exit(2);
    }
}

static int steer(int n, char **words)
{
    struct vt_trace_control *c = control();
    struct vt_trace_control next = {.generation = c->generation, .seen = c->seen};
    next.detail = (uint32_t)strtoul(words[0], NULL, 10);
    next.policy = (uint32_t)strtoul(words[1], NULL, 10);
    for (int i = 2; i < n; i++) {
        set(&next, words[i]);
    }
    memcpy(c, &next, sizeof next);
    uint32_t generation = c->generation + 1;
    __atomic_store_n(&c->generation, generation, __ATOMIC_RELEASE);
    wake(&c->generation);
    double begin = seconds();
    for (;;) {
        uint32_t seen = __atomic_load_n(&c->seen, __ATOMIC_ACQUIRE);
        if (seen == generation) {
            printf("seen after %.1f ms\n", (seconds() - begin) * 1e3);
            return 0;
        }
        if (seconds() - begin > 10) {
            printf("not seen: %" PRIu32 ", not %" PRIu32 "\n", seen, generation);
            return 1;
        }
        struct timespec limit = {.tv_nsec = 100000000};
        syscall(SYS_futex, &c->seen, FUTEX_WAIT, seen, &limit, NULL, 0);
    }
}

static int flip(unsigned long times)
{
    char *off[] = {(char[]){"0"}, (char[]){"0"}}, *blocks[] = {(char[]){"2"}, (char[]){"1"}};
    int rc = 0;
    for (unsigned long i = 0; i < 2 * times && rc == 0; i++) {
        rc = steer(2, i % 2 == 0 ? blocks : off);
    }
    return rc;
}

static int counters(void)
{
    for (uint32_t i = 0; i < header->vcpus; i++) {
        const struct vt_trace_vcpu *v = vcpu(i);
        printf("vcpu %" PRIu32 " head %" PRIu64 " tail %" PRIu64 " instructions %" PRIu64
               " blocks %" PRIu64 " accesses %" PRIu64 " dropped %" PRIu64 " waits %" PRIu64
               " cuts %" PRIu64 " alive %" PRIu32 "\n",
               i, v->head, v->tail, v->instructions, v->blocks, v->accesses, v->dropped, v->waits,
               v->cuts, v->alive);
    }
    printf("blocks %" PRIu64 " in %" PRIu64 " bytes, %" PRIu64 " found no room; api %" PRIu32
           " arch %s ended %" PRIu32 "\n",
           header->blocks, header->dictionary_head, header->dictionary_full, header->plugin_api,
           header->arch, header->ended);
    printf("capabilities 0x%" PRIx32 " registers:", header->capabilities);
    for (uint32_t i = 0; i < header->n_registers && i < VT_TRACE_REGISTERS_MAX; i++) {
        printf(" %.12s", header->registers[i]);
    }
    printf("\n");
    return 0;
}

static unsigned length(uint64_t word)
{
    switch (VT_TRACE_KIND(word)) {
    case VT_TRACE_ACCESS:
        return 2 + ((word & VT_TRACE_ACCESS_VALUE) == 0 ? 0 : (word >> 10 & 15) == 4 ? 2 : 1);
    case VT_TRACE_CUT:
        return 3;
    case VT_TRACE_REGISTERS:
        return 1 + (unsigned)(word & 0xffff);
    default:
        return 1;
    }
}

/* Instructions of each block, by id; the dictionary grows while we look. */
struct sizes {
    uint16_t *n;
    uint64_t known, capacity, offset;
};

static uint16_t instructions(struct sizes *s, uint32_t id)
{
    while (id >= s->known) {
        uint64_t head = __atomic_load_n(&header->dictionary_head, __ATOMIC_ACQUIRE);
        if (s->offset >= head) {
            fprintf(stderr, "block %" PRIu32 " of %" PRIu64 "\n", id, s->known);
            exit(1);
        }
        const struct vt_trace_block_entry *e =
            (const struct vt_trace_block_entry *)(base + header->dictionary_offset + s->offset);
        if (s->known == s->capacity) {
            s->capacity = s->capacity == 0 ? 65536 : s->capacity * 2;
            uint16_t *wider = realloc(s->n, s->capacity * sizeof *s->n);
            if (wider == NULL) {
                die("memory");
            }
            s->n = wider;
        }
        if (e->id != s->known || e->bytes < sizeof *e) {
            fprintf(stderr, "entry at %" PRIu64 ": id %" PRIu32 "\n", s->offset, e->id);
            exit(1);
        }
        s->n[s->known++] = e->n;
        s->offset += e->bytes;
    }
    return s->n[id];
}

struct totals {
    uint64_t kinds[VT_TRACE_AGAIN + 1], instructions, words;
    unsigned began, over; /* vCPUs that began to record, and that are off again */
};

static void take(struct vt_trace_vcpu *v, const uint64_t *ring, struct sizes *s, struct totals *t,
                 bool decode)
{
    uint64_t mask = header->ring_words - 1;
    uint64_t tail = v->tail;
    uint64_t head = __atomic_load_n(&v->head, __ATOMIC_ACQUIRE);
    uint64_t limit = head - tail > 65536 ? tail + 65536 : head;
    while (tail < limit && decode) {
        uint64_t word = ring[tail & mask];
        unsigned kind = VT_TRACE_KIND(word);
        if (kind == 0 || kind > VT_TRACE_AGAIN) {
            fprintf(stderr, "word %" PRIu64 ": 0x%" PRIx64 "\n", tail, word);
            exit(1);
        }
        t->kinds[kind]++;
        if (kind == VT_TRACE_BLOCK) {
            t->instructions += instructions(s, (uint32_t)word);
        }
        if (kind == VT_TRACE_MODE) {
            bool on = (word >> 32 & 0xff) != VT_TRACE_OFF;
            t->began += on;
            t->over += !on && t->began > t->over;
        }
        tail += length(word);
    }
    tail = decode ? tail : limit;
    t->words += tail - v->tail;
    __atomic_store_n(&v->tail, tail, __ATOMIC_SEQ_CST);
    if (__atomic_load_n(&v->waiting, __ATOMIC_SEQ_CST) != 0) {
        __atomic_store_n(&v->waiting, 0, __ATOMIC_RELAXED);
        wake(&v->waiting);
    }
}

static int drain(double limit, bool decode)
{
    struct totals totals = {0};
    struct sizes sizes = {0};
    for (uint32_t i = 0; i < header->vcpus; i++) {
        __atomic_store_n(&vcpu(i)->reader, (uint32_t)getpid(), __ATOMIC_RELEASE);
        __atomic_store_n(&vcpu(i)->tail, __atomic_load_n(&vcpu(i)->head, __ATOMIC_ACQUIRE),
                         __ATOMIC_RELEASE);
    }
    printf("reading\n");
    fflush(stdout);
    double begin = seconds();
    for (;;) {
        bool ended = __atomic_load_n(&header->ended, __ATOMIC_ACQUIRE) != 0 ||
                     seconds() - begin > limit || (totals.began > 0 && totals.over == totals.began);
        uint64_t before = totals.words;
        for (uint32_t i = 0; i < header->vcpus; i++) {
            take(vcpu(i), (const uint64_t *)((const uint8_t *)vcpu(i) + VT_TRACE_PAGE), &sizes,
                 &totals, decode);
        }
        if (totals.words == before) {
            if (ended) {
                break;
            }
            usleep(200);
        } else if (seconds() - begin > limit) {
            break;
        }
    }
    for (uint32_t i = 0; i < header->vcpus; i++) {
        __atomic_store_n(&vcpu(i)->reader, 0, __ATOMIC_RELEASE);
    }
    static const char *const names[] = {"",          "block", "time", "access", "root", "cut",
                                        "registers", "lost",  "mode", "pause",  "at",   "again"};
    for (unsigned i = 1; i <= VT_TRACE_AGAIN; i++) {
        printf("%s %" PRIu64 " ", names[i], totals.kinds[i]);
    }
    printf("instructions %" PRIu64 " words %" PRIu64 " seconds %.2f\n", totals.instructions,
           totals.words, seconds() - begin);
    return 0;
}

/* Records cannot be found backwards: the first lines may be the middle of one. */
static int dump(uint32_t i, uint64_t n)
{
    const struct vt_trace_vcpu *v = vcpu(i);
    const uint64_t *ring = (const uint64_t *)((const uint8_t *)v + VT_TRACE_PAGE);
    uint64_t head = __atomic_load_n(&v->head, __ATOMIC_ACQUIRE);
    uint64_t at = head > n ? head - n : 0;
    while (at < head) {
        uint64_t word = ring[at & (header->ring_words - 1)];
        printf("%" PRIu64 ": %u 0x%" PRIx64, at, VT_TRACE_KIND(word),
               word & ~(UINT64_C(255) << 56));
        for (unsigned k = 1; k < length(word); k++) {
            printf(" 0x%" PRIx64, ring[(at + k) & (header->ring_words - 1)]);
        }
        printf("\n");
        at += length(word);
    }
    return 0;
}

int main(int argc, char **argv)
{
    if (argc >= 3 && strcmp(argv[1], "make") == 0) {
        return make(argv[2], argc > 3 ? (uint32_t)strtoul(argv[3], NULL, 10) : 1,
                    argc > 4 ? (uint32_t)strtoul(argv[4], NULL, 10) : VT_TRACE_RING_WORDS);
    }
    if (argc >= 3) {
        map(argv[2]);
    }
    if (argc >= 5 && strcmp(argv[1], "steer") == 0) {
        return steer(argc - 3, argv + 3);
    }
    if (argc == 4 && strcmp(argv[1], "flip") == 0) {
        return flip(strtoul(argv[3], NULL, 10));
    }
    if (argc >= 4 && strcmp(argv[1], "drain") == 0) {
        return drain(strtod(argv[3], NULL), argc < 5 || strcmp(argv[4], "blind") != 0);
    }
    if (argc >= 3 && strcmp(argv[1], "dump") == 0) {
        return dump(argc > 3 ? (uint32_t)strtoul(argv[3], NULL, 10) : 0,
                    argc > 4 ? strtoull(argv[4], NULL, 10) : 64);
    }
    if (argc >= 3 && strcmp(argv[1], "counters") == 0) {
        return counters();
    }
    fprintf(stderr, "usage: raw_ring make|steer|flip|drain|dump|counters FILE …\n");
    return 2;
}
