/* cli/bench_synthetic.c - see bench_synthetic.h.
 *
 *   lay out   runs of pages of one class each: the kernel's image, then what is in use and what is
 *             not, in turn, so that each part of RAM has its share of both
 *   fill      bytes as such pages have them: code, text, words with pointers, packed
 *   write     a thread, and whoever measures a single write
 *   look      the epochs that are newer than those seen
 */
#include "cli/bench_synthetic.h"

#include "base/io.h"
#include "memory/track_table.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#define RAM_MAX (UINT64_C(1) << 38)
#define PROCESSES 24u
#define EMPTY_RUN_MAX 256u
#define IMAGE_SHARE 64u /* the kernel's image begins after, and is, one 64th of RAM */
#define IMAGE_MAX 4096u /* pages */
#define HIGHLIGHTS 5u
#define RUNS_MAX 4096u /* of one highlight */
#define HOT_PAGES 256u /* a guest writes to few pages often */
#define HOT_MOVES 16384u
#define WRITE_BYTES 64u
#define WRITE_PERIOD_NS 1000000u

enum kind { CODE, TEXT, WORDS, SPARSE, PACKED };

static const struct {
    uint8_t page_class;
    uint8_t kind;
    uint16_t share;   /* of runs, out of 256 */
    uint16_t run_max; /* pages */
    bool owned;       /* by one process, most of the time */
} classes[] = {
    {VT_CLASS_PAGE_CACHE, TEXT, 44, 64, false},       {VT_CLASS_PAGE_CACHE, PACKED, 20, 64, false},
    {VT_CLASS_USER_ANON, WORDS, 46, 48, true},        {VT_CLASS_USER_HEAP, WORDS, 32, 48, true},
    {VT_CLASS_USER_CODE, CODE, 18, 48, false},        {VT_CLASS_USER_FILE, TEXT, 16, 32, false},
    {VT_CLASS_USER_STACK, SPARSE, 6, 8, true},        {VT_CLASS_KERNEL_SLAB, WORDS, 30, 32, false},
    {VT_CLASS_KERNEL_RESERVED, SPARSE, 6, 64, false}, {VT_CLASS_KERNEL_OTHER, WORDS, 10, 16, false},
    {VT_CLASS_KERNEL_VMALLOC, WORDS, 6, 16, false},   {VT_CLASS_KERNEL_STACK, SPARSE, 6, 4, false},
    {VT_CLASS_PAGE_TABLE, SPARSE, 6, 4, false},       {VT_CLASS_FREE, PACKED, 10, 64, false},
};

struct vt_synthetic {
    int fd;
    uint8_t *bytes;       /* writable */
    const uint8_t *shown; /* the same, read-only */
    uint64_t n_pages, began_ns;
    uint8_t *classes, *owners;
    uint64_t *in_use; /* pages that are neither holes nor zeros, ascending */
    uint64_t n_in_use;
    struct vt_highlight highlight[HIGHLIGHTS];
    struct vt_highlights highlights;

    struct vt_table table;
    pthread_mutex_t writing; /* the table has one writer at a time */

    uint64_t pages_per_s;
    uint64_t kept; /* the page that the thread does not write into; n_pages: none */
    pthread_t writer;
    bool started;
    _Atomic(bool) ending;

    bool looked;
    uint32_t seen;
    uint64_t *changed; /* n_pages of room */
};

/* A number that looks random and is the same everywhere (splitmix64, Steele et al. 2014). */
static uint64_t next(uint64_t *state)
{
    uint64_t z = *state += UINT64_C(0x9e3779b97f4a7c15);
    z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
    return z ^ z >> 31;
}

/* ---------------------------------------------------------------- what it holds */

static uint64_t word_of(enum kind kind, uint64_t r)
{
    /* Bytes that x86-64 code is full of: REX prefixes, moves, calls, zeros of displacements. */
    static const uint8_t common[16] = {0x48, 0x89, 0x8b, 0xe8, 0x00, 0x00, 0xff, 0x0f,
                                       0x4c, 0x85, 0xc0, 0x74, 0x24, 0x83, 0x41, 0x00};
    uint64_t pointer = UINT64_C(0xffff888000000000) | (r >> 16 & 0x3ffffff8);
    switch (kind) {
    case CODE: {
        uint8_t byte[8];
        for (unsigned i = 0; i < 8; i++) {
            byte[i] = common[r >> 8 * i & 15];
        }
        uint64_t word;
        memcpy(&word, byte, sizeof word);
        return word ^ (r & UINT64_C(0x0000003f0000003f));
    }
    case TEXT: /* 0x20 to 0x7f */
        return UINT64_C(0x4040404040404040) ^ (r & UINT64_C(0x3f3f3f3f3f3f3f3f)) ^
               (r >> 7 & UINT64_C(0x2020202020202020));
    case WORDS:
        return (r & 3) == 0 ? pointer : (r & 3) == 1 ? r >> 52 : 0;
    case SPARSE:
        return (r & 7) == 0 ? pointer : 0;
    case PACKED:
        return r;
    }
    return 0;
}

static void fill_page(struct vt_synthetic *s, uint64_t page, enum kind kind)
{
    uint64_t *to = (uint64_t *)(void *)(s->bytes + page * VT_PAGE_BYTES);
    uint64_t state = page;
    for (size_t i = 0; i < VT_PAGE_BYTES / sizeof *to; i++) {
        to[i] = word_of(kind, next(&state));
    }
    to[0] |= 1; /* whatever else it holds: it is not empty */
}

static uint64_t smaller(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

static uint64_t put_run(struct vt_synthetic *s, uint64_t first, uint64_t pages, uint8_t page_class,
                        uint8_t owner, enum kind kind)
{
    uint64_t end = smaller(first + pages, s->n_pages);
    for (uint64_t page = first; page < end; page++) {
        s->classes[page] = page_class;
        s->owners[page] = owner;
        s->in_use[s->n_in_use++] = page;
        fill_page(s, page, kind);
    }
    return end;
}

/* One of the runs that are in use, from `first`; returns its end. */
static uint64_t put_any(struct vt_synthetic *s, uint64_t first, uint64_t *state)
{
    uint64_t r = next(state);
    unsigned share = r & 255, c = 0;
    while (c + 1 < sizeof classes / sizeof classes[0] && share >= classes[c].share) {
        share -= classes[c++].share;
    }
    bool owned = classes[c].owned ? (r >> 8 & 7) != 0 : false;
    /* The product of two makes some processes much larger than others. */
    uint64_t owner = 1 + (r >> 16 & 0xffff) * (r >> 32 & 0xffff) * PROCESSES / (UINT64_C(1) << 32);
    return put_run(s, first, 1 + (r >> 48) % classes[c].run_max, classes[c].page_class,
                   owned ? (uint8_t)owner : 0, (enum kind)classes[c].kind);
}

static void lay_out(struct vt_synthetic *s, unsigned fill_percent)
{
    uint64_t state = 1, page = 0, image = s->n_pages / IMAGE_SHARE;
    while (page < s->n_pages) {
        bool due = s->n_in_use * 100 < fill_percent * (page + 1);
        if (due && page >= image && image > 0) {
            uint64_t text = smaller(image, IMAGE_MAX);
            page = put_run(s, page, text, VT_CLASS_KERNEL_TEXT, 0, CODE);
            page = put_run(s, page, text / 2, VT_CLASS_KERNEL_DATA, 0, WORDS);
            image = 0;
        } else if (due) {
            page = put_any(s, page, &state);
        } else {
            uint64_t r = next(&state), end = smaller(page + 1 + r % EMPTY_RUN_MAX, s->n_pages);
            uint8_t page_class = (r >> 32 & 3) != 0 ? VT_CLASS_HOLE : VT_CLASS_ZERO;
            for (; page < end; page++) {
                s->classes[page] = page_class;
            }
        }
    }
}

/* The runs of pages of an owner or, 0, of a class. */
static int make_highlight(struct vt_synthetic *s, const char *name, const char *label,
                          struct vt_colour colour, uint8_t owner, uint8_t page_class,
                          struct vt_error *err)
{
    struct vt_highlight h = {.colour = colour, .runs = calloc(RUNS_MAX, sizeof *h.runs)};
    if (h.runs == NULL) {
        return vt_fail(err, VT_E_NOMEM, "no memory for a highlight");
    }
    snprintf(h.name, sizeof h.name, "%s", name);
    snprintf(h.label, sizeof h.label, "%s", label);
    bool before = false;
    for (uint64_t page = 0; page < s->n_pages; page++) {
        bool in = owner != 0 ? s->owners[page] == owner : s->classes[page] == page_class;
        if (in && !before && h.n_runs == RUNS_MAX) {
            break;
        }
        if (in && !before) {
            h.runs[h.n_runs++].gpa.v = page * VT_PAGE_BYTES;
        }
        if (in) {
            h.runs[h.n_runs - 1].bytes += VT_PAGE_BYTES;
            h.bytes += VT_PAGE_BYTES;
        }
        before = in;
    }
    if (h.n_runs == 0) {
        free(h.runs);
        return 0;
    }
    s->highlight[s->highlights.n++] = h;
    return 0;
}

static int make_highlights(struct vt_synthetic *s, struct vt_error *err)
{
    static const struct {
        const char *name, *label;
        struct vt_colour colour;
        uint8_t owner, page_class;
    } all[HIGHLIGHTS] = {
        {"server", "web server, pid 612", {0x39, 0xc5, 0xff, 255}, 1, 0},
        {"database", "database, pid 733", {0xff, 0x5d, 0xa2, 255}, 2, 0},
        {"shell", "shell, pid 901", {0x7c, 0xf2, 0x6b, 255}, 4, 0},
        {"kernel", "kernel code", {0xff, 0xe0, 0x5d, 255}, 0, VT_CLASS_KERNEL_TEXT},
        {"tables", "page tables", {0xc0, 0x8b, 0xff, 255}, 0, VT_CLASS_PAGE_TABLE},
    };
    int rc = 0;
    s->highlights.all = s->highlight;
    for (unsigned i = 0; rc == 0 && i < HIGHLIGHTS; i++) {
        rc = make_highlight(s, all[i].name, all[i].label, all[i].colour, all[i].owner,
                            all[i].page_class, err);
    }
    return rc;
}

/* ---------------------------------------------------------------- making it */

static int map_ram(struct vt_synthetic *s, uint64_t bytes, struct vt_error *err)
{
    s->fd = memfd_create("vitrine-synthetic", MFD_CLOEXEC);
    if (s->fd < 0 || ftruncate(s->fd, (off_t)bytes) != 0) {
        return vt_fail_errno(err, VT_E_IO, errno, "cannot make RAM to measure");
    }
    void *written = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, s->fd, 0);
    void *shown = mmap(NULL, bytes, PROT_READ, MAP_SHARED, s->fd, 0);
    s->bytes = written != MAP_FAILED ? written : NULL;
    s->shown = shown != MAP_FAILED ? shown : NULL;
    return s->bytes != NULL && s->shown != NULL
               ? 0
               : vt_fail_errno(err, VT_E_NOMEM, errno, "cannot map RAM to measure");
}

int vt_synthetic_create(uint64_t ram_bytes, unsigned fill_percent, struct vt_synthetic **synthetic,
                        struct vt_error *err)
{
    if (ram_bytes == 0 || ram_bytes % VT_PAGE_BYTES != 0 || ram_bytes > RAM_MAX ||
        fill_percent > 100) {
        return vt_fail(err, VT_E_INVAL, "no RAM of %llu bytes, %u %% of it in use",
                       (unsigned long long)ram_bytes, fill_percent);
    }
    struct vt_synthetic *s = calloc(1, sizeof *s);
    if (s == NULL) {
        return vt_fail(err, VT_E_NOMEM, "no memory for RAM to measure");
    }
    s->fd = -1;
    s->began_ns = vt_now_ns();
    s->n_pages = ram_bytes / VT_PAGE_BYTES;
    pthread_mutex_init(&s->writing, NULL);
    s->classes = calloc(s->n_pages, 1);
    s->owners = calloc(s->n_pages, 1);
    s->in_use = malloc(s->n_pages * sizeof *s->in_use);
    s->changed = malloc(s->n_pages * sizeof *s->changed);
    int rc = s->classes != NULL && s->owners != NULL && s->in_use != NULL && s->changed != NULL
                 ? 0
                 : vt_fail(err, VT_E_NOMEM, "no memory for RAM to measure");
    rc = rc != 0 ? rc : map_ram(s, ram_bytes, err);
    rc = rc != 0 ? rc : vt_table_create(&s->table, ram_bytes, err);
    if (rc == 0) {
        lay_out(s, fill_percent);
        rc = make_highlights(s, err);
    }
    if (rc != 0) {
        vt_synthetic_destroy(s);
        return rc;
    }
    *synthetic = s;
    return 0;
}

void vt_synthetic_destroy(struct vt_synthetic *s)
{
    if (s == NULL) {
        return;
    }
    if (s->started) {
        atomic_store(&s->ending, true);
        pthread_join(s->writer, NULL);
    }
    for (size_t i = 0; i < s->highlights.n; i++) {
        free(s->highlight[i].runs);
    }
    uint64_t bytes = s->n_pages * VT_PAGE_BYTES;
    if (s->bytes != NULL) {
        munmap(s->bytes, bytes);
    }
    if (s->shown != NULL) {
        munmap((void *)(uintptr_t)s->shown, bytes);
    }
    vt_close(&s->fd);
    vt_table_close(&s->table);
    pthread_mutex_destroy(&s->writing);
    free(s->classes);
    free(s->owners);
    free(s->in_use);
    free(s->changed);
    free(s);
}

const uint8_t *vt_synthetic_bytes(const struct vt_synthetic *s)
{
    return s->shown;
}

uint64_t vt_synthetic_pages(const struct vt_synthetic *s)
{
    return s->n_pages;
}

const uint8_t *vt_synthetic_classes(const struct vt_synthetic *s)
{
    return s->classes;
}

const uint8_t *vt_synthetic_owners(const struct vt_synthetic *s)
{
    return s->owners;
}

const struct vt_highlights *vt_synthetic_highlights(const struct vt_synthetic *s)
{
    return &s->highlights;
}

/* ---------------------------------------------------------------- writing */

/* The bytes of `pages` have changed: the next tick says so. */
static void tell(struct vt_synthetic *s, const uint64_t *pages, size_t n)
{
    pthread_mutex_lock(&s->writing);
    uint32_t tick = atomic_load_explicit(&s->table.header->tick, memory_order_relaxed) + 1;
    vt_table_start(&s->table, tick);
    for (size_t i = 0; i < n; i++) {
        vt_table_mark(&s->table, pages[i], pages[i] + 1, tick);
    }
    vt_table_publish(&s->table, tick, n, 0, vt_now_ns());
    pthread_mutex_unlock(&s->writing);
}

void vt_synthetic_fill(struct vt_synthetic *s, uint64_t page, uint8_t byte)
{
    memset(s->bytes + page * VT_PAGE_BYTES, byte, VT_PAGE_BYTES);
    tell(s, &page, 1);
}

/* Which page is written next: mostly one of a few, which others become in time. */
static uint64_t choose(const struct vt_synthetic *s, uint64_t number, uint64_t *state)
{
    uint64_t r = next(state);
    if ((r & 63) == 0) {
        return s->in_use[(r >> 6) % s->n_in_use];
    }
    uint64_t turn = number / HOT_MOVES, hot = smaller(HOT_PAGES, s->n_in_use);
    return s->in_use[(next(&turn) % s->n_in_use + (r >> 6) % hot) % s->n_in_use];
}

static void *write_always(void *context)
{
    struct vt_synthetic *s = context;
    uint64_t state = 2, written = 0, began = vt_now_ns(), at = began;
    uint64_t batch[256];
    while (!atomic_load(&s->ending)) {
        /* As many as are due by now; the clock, not the sleep, keeps the rate. */
        uint64_t due = (uint64_t)((double)(at - began) / 1e9 * (double)s->pages_per_s);
        while (written < due) {
            size_t n = 0;
            for (; n < sizeof batch / sizeof batch[0] && written < due; n++, written++) {
                uint64_t *to, page = choose(s, written, &state), r = next(&state);
                if (page == s->kept) {
                    page = s->in_use[s->in_use[0] == page]; /* any other */
                }
                to = (uint64_t *)(void *)(s->bytes + page * VT_PAGE_BYTES +
                                          r % (VT_PAGE_BYTES / WRITE_BYTES) * WRITE_BYTES);
                for (size_t i = 0; i < WRITE_BYTES / sizeof *to; i++) {
                    to[i] = word_of(WORDS, next(&state));
                }
                batch[n] = page;
            }
            tell(s, batch, n);
        }
        at += WRITE_PERIOD_NS;
        struct timespec t = {(time_t)(at / 1000000000u), (long)(at % 1000000000u)};
        clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &t, NULL);
    }
    return NULL;
}

int vt_synthetic_start(struct vt_synthetic *s, uint64_t pages_per_s, uint64_t kept,
                       struct vt_error *err)
{
    if (pages_per_s == 0 || s->n_in_use < 2) {
        return 0;
    }
    s->pages_per_s = pages_per_s;
    s->kept = kept;
    int error = pthread_create(&s->writer, NULL, write_always, s);
    s->started = error == 0;
    return error == 0 ? 0 : vt_fail_errno(err, VT_E_NOMEM, error, "no thread to write");
}

/* ---------------------------------------------------------------- looking */

double vt_synthetic_now_s(const struct vt_synthetic *s)
{
    return (double)(vt_now_ns() - s->began_ns) / 1e9;
}

void vt_synthetic_look(struct vt_synthetic *s, struct vt_volume_update *update)
{
    /* Acquire, as vt_track_tick: the epochs up to it are visible. */
    uint32_t tick = atomic_load_explicit(&s->table.header->tick, memory_order_acquire);
    *update = (struct vt_volume_update){.pages = s->changed, .now_s = vt_synthetic_now_s(s)};
    if (!s->looked) {
        s->looked = true;
        update->all = true;
        update->classes = s->classes;
        update->owners = s->owners;
        update->highlights = &s->highlights;
    } else {
        uint64_t first = 0, end = 0;
        while (vt_table_next(&s->table, s->seen, end, &first, &end)) {
            for (uint64_t page = first; page < end; page++) {
                s->changed[update->n_pages++] = page;
            }
        }
    }
    s->seen = tick;
}
