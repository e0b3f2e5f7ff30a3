/* tests/system/trace/exact_accesses.c - the accesses that were recorded of a program that knows
 * what it accesses (exact/accesses.h): each address, size, direction and value, in order.
 *
 *   exact_accesses SEGMENT MONITOR N [parallel]
 *
 * QEMU waits (-S) and goes on when MONITOR (a FIFO) gets "c". Here memory is modelled: nothing is
 * read of the guest's. An instruction that faults has made no access. Parallel: with several vCPUs
 * QEMU does not tell all values of locked instructions, and those must not be there.
 */
#include "exact/accesses.h"
#include "trace/ring.h"
#include "vitrine/trace.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define AT_ONCE 128

struct expected {
    uint64_t address, value[2];
    unsigned bytes;
    bool store, returns; /* returns: the value is the address after the instruction */
};

static union {
    uint64_t words[CHECKED_BYTES / 8];
    uint8_t bytes[CHECKED_BYTES];
} memory;
static uint64_t state = CHECKED_SEED, n_done, n_matched;
static struct checked now;
static struct expected list[AT_ONCE];
static unsigned n_list, next_in_list;
static uint64_t of_size[17][2]; /* by size, loads and stores */
static uint64_t n_untold;
static bool parallel;

static uint8_t *at(uint64_t address)
{
    return memory.bytes + (address - CHECKED_BASE);
}

static void add(bool store, uint64_t address, unsigned bytes)
{
    struct expected *e = &list[n_list++];
    *e = (struct expected){.address = address, .bytes = bytes, .store = store};
    memcpy(e->value, at(address), bytes);
}

static void load(uint64_t address, unsigned bytes)
{
    add(false, address, bytes);
}

static void store(uint64_t address, const void *value, unsigned bytes)
{
    memcpy(at(address), value, bytes);
    add(true, address, bytes);
}

static void strings(const struct checked *c)
{
    unsigned step = c->kind == CHECKED_MOVE_8   ? 8
                    : c->kind == CHECKED_FILL_4 ? 4
                    : c->kind == CHECKED_LODS_2 ? 2
                                                : 1;
    for (uint64_t i = 0; i < c->n; i++) {
        uint64_t a = c->a + i * step, b = c->b + i * step, value;
        switch (c->kind) {
        case CHECKED_MOVE_1:
        case CHECKED_MOVE_8:
            load(b, step);
            memcpy(&value, at(b), step);
            store(a, &value, step);
            break;
        case CHECKED_FILL_4:
            store(a, &c->value, step);
            break;
        case CHECKED_COMPARE_1:
            load(a, 1);
            load(b, 1);
            if (*at(a) != *at(b)) {
                return;
            }
            break;
        case CHECKED_FIND_1:
            load(a, 1);
            if (*at(a) == (uint8_t)c->value) {
                return;
            }
            break;
        default:
            load(b, step);
            break;
        }
    }
}

/* What the next one does. */
static void foretell(void)
{
    const struct checked c = now = checked_next(&state);
    const uint64_t twice[2] = {c.value, c.value};
    uint64_t old = 0;
    uint8_t ten[10];
    n_list = next_in_list = 0;
    switch (c.kind) {
    case CHECKED_LOAD_1:
    case CHECKED_LOAD_SIGNED:
        load(c.a, 1);
        break;
    case CHECKED_LOAD_2:
        load(c.a, 2);
        break;
    case CHECKED_LOAD_4:
        load(c.a, 4);
        break;
    case CHECKED_LOAD_8:
        load(c.a, 8);
        break;
    case CHECKED_LOAD_16:
        load(c.a, 16);
        break;
    case CHECKED_STORE_1:
        store(c.a, &c.value, 1);
        break;
    case CHECKED_STORE_2:
        store(c.a, &c.value, 2);
        break;
    case CHECKED_STORE_4:
        store(c.a, &c.value, 4);
        break;
    case CHECKED_STORE_8:
        store(c.a, &c.value, 8);
        break;
    case CHECKED_STORE_16:
        store(c.a, twice, 16);
        break;
    case CHECKED_ALIGNED_16:
        load(c.a, 16);
        store(c.a, twice, 16);
        break;
    case CHECKED_ADD:
    case CHECKED_XADD:
        load(c.a, 8);
        memcpy(&old, at(c.a), 8);
        old += c.value;
        store(c.a, &old, 8);
        break;
    case CHECKED_EXCHANGE:
        load(c.a, 4);
        store(c.a, &c.value, 4);
        break;
    case CHECKED_OR:
        load(c.a, 1);
        old = *at(c.a) | c.value;
        store(c.a, &old, 1);
        break;
    case CHECKED_PUSH_POP:
        store(c.a - 8, &c.value, 8);
        load(c.a - 8, 8);
        break;
    case CHECKED_PUSH_MEMORY:
        load(c.b, 8);
        memcpy(&old, at(c.b), 8);
        store(c.a - 8, &old, 8);
        break;
    case CHECKED_CALL:
        store(c.a - 8, &old, 8);
        list[0].returns = true;
        load(c.a - 8, 8);
        break;
    case CHECKED_X87:
        load(c.a, 8);
        load(c.a + 8, 2);
        memcpy(ten, at(c.a), 10);
        store(c.a + 16, ten, 8);
        store(c.a + 24, ten + 8, 2);
        break;
    default:
        strings(&c);
        break;
    }
    n_done++;
}

static _Noreturn void differs(const struct vt_trace_event *event, const struct vt_trace_access *a)
{
    const struct expected *e = &list[next_in_list];
    fprintf(stderr,
            "exact_accesses: number %" PRIu64 ", kind %d, its access %u\n"
            "want: %s 0x%" PRIx64 " %u 0x%" PRIx64 " 0x%" PRIx64 "\n"
            "got:  %s 0x%" PRIx64 " %u 0x%" PRIx64 " 0x%" PRIx64
            ", instruction %u of the block at 0x%" PRIx64 "\n",
            n_done - 1, (int)now.kind, next_in_list, e->store ? "store" : "load", e->address,
            e->bytes, e->value[0], e->value[1], a->store ? "store" : "load", a->address, a->bytes,
            a->value[0], a->value[1], a->instruction, event->block->pc);
    exit(1);
}

static bool is_told(const struct expected *e)
{
    return !parallel || (now.kind != CHECKED_OR && !(now.kind == CHECKED_XADD && e->store));
}

static void match(const struct vt_trace_event *event, const struct vt_trace_access *a, uint64_t n)
{
    while (next_in_list == n_list && n_done < n) {
        foretell();
    }
    struct expected *e = &list[next_in_list];
    if (next_in_list < n_list && e->returns) { /* what is known of it: where code stands */
        uint64_t pc = event->block->pc;
        for (unsigned i = 0; i <= a->instruction; i++) {
            pc += event->block->sizes[i];
        }
        e->value[0] = e[1].value[0] = pc;
        memcpy(at(e->address), &pc, 8);
    }
    if (next_in_list == n_list || a->address != e->address || a->bytes != e->bytes ||
        a->store != e->store || a->device || a->has_value != is_told(e) ||
        (a->has_value && (a->value[0] != e->value[0] || a->value[1] != e->value[1]))) {
        differs(event, a);
    }
    n_untold += !a->has_value;
    of_size[e->bytes][e->store]++;
    next_in_list++;
    n_matched++;
}

int main(int argc, char **argv)
{
    struct vt_trace_filter filter = {.exact = true, .n_ranges = 1};
    struct vt_trace_source *source;
    struct vt_trace_event event;
    struct vt_error err;
    parallel = argc == 5 && strcmp(argv[4], "parallel") == 0;
    if (argc != 4 && !parallel) {
        fprintf(stderr, "usage: exact_accesses SEGMENT MONITOR N [parallel]\n");
        return 2;
    }
    uint64_t n = strtoull(argv[3], NULL, 10);
    filter.ranges[0].first = CHECKED_CODE;
    filter.ranges[0].last = CHECKED_CODE + 4095;
    checked_fill(memory.words);
    int rc = VT_E_UNSUPPORTED;
    for (unsigned i = 0; i < 6000 && rc == VT_E_UNSUPPORTED; i++) {
        rc = vt_trace_open_live(argv[1], &source, &err);
        if (rc == VT_E_UNSUPPORTED) { /* QEMU is not that far */
            poll(NULL, 0, 10);
        }
    }
    if (rc != 0 ||
        vt_trace_steer(argv[1], VT_TRACE_VALUES, VT_TRACE_WAIT, 0, &filter, 10000, &err) != 0) {
        fprintf(stderr, "exact_accesses: %s\n", err.message);
        return 2;
    }
    int fd = open(argv[2], O_WRONLY | O_CLOEXEC);
    if (fd < 0 || write(fd, "c\n", 2) != 2) {
        fprintf(stderr, "exact_accesses: %s: %s\n", argv[2], strerror(errno));
        return 2;
    }
    close(fd);
    while ((rc = vt_trace_next(source, 100, &event, &err)) >= 0) {
        if (rc == 0 && vt_trace_source_info(source)->ended) {
            break;
        }
        for (uint32_t i = 0; rc == 1 && i < event.n_accesses; i++) {
            match(&event, &event.accesses[i], n);
        }
    }
    if (rc < 0) {
        fprintf(stderr, "exact_accesses: %s\n", err.message);
        return 2;
    }
    while (next_in_list == n_list && n_done < n) { /* the last may make none */
        foretell();
    }
    if (n_done < n || next_in_list < n_list) {
        fprintf(stderr, "exact_accesses: %" PRIu64 " of %" PRIu64 " came\n", n_done, n);
        return 1;
    }
    printf("accesses %" PRIu64 " counted_accesses %" PRIu64 " untold %" PRIu64, n_matched,
           vt_trace_source_info(source)->accesses, n_untold);
    for (unsigned bytes = 1; bytes <= 16; bytes *= 2) {
        printf(" loads_%u %" PRIu64 " stores_%u %" PRIu64, bytes, of_size[bytes][0], bytes,
               of_size[bytes][1]);
    }
    printf("\n");
    vt_trace_close(source);
    return 0;
}
