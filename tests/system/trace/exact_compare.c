/* tests/system/trace/exact_compare.c - the instructions that the library decodes from a trace,
 * against those that QEMU's own log names, as both come: one vCPU, from its first instruction.
 *
 *   exact_compare SEGMENT MONITOR [WORD…]
 *     log=FIFO      QEMU's `-d exec,nochain,in_asm,int`; with one-insn-per-tb in_asm is not needed
 *     against=FILE  what an earlier run kept
 *                   without these, what the vCPUs executed is counted alone
 *     keep=FILE     keeps the stream
 *     detail=N      enum vt_trace_detail; 2 (blocks) if not given
 *     starts        only where blocks begin is compared: all that can be of a QEMU that tells no
 *                   discontinuities
 *     user          of the lower half of the address space alone
 *     exact         counters are QEMU's inline operations, one by one
 *
 * QEMU waits (-S) and goes on when MONITOR (a FIFO) gets "c". What is compared is where each
 * instruction begins that began to execute; one that faults and one that is begun anew by the
 * guest count each time, one that QEMU begins anew counts once. How far QEMU's blocks came is taken
 * from its log alone:
 *
 *   Trace 0: PTR [base/PC/flags/CFLAGS]   a block begins; its instructions are those of the last
 *                                         "IN:" before PTR was first seen, or PC alone
 *   Stopped execution of TB chain before  it did not
 *   cpu_io_recompile: rewound … to PC     it came to PC, which begins anew
 *   N: v=… pc=PC                          an exception: PC began; after "Servicing hardware INT":
 * whole Trace of one instruction, CF_NOIRQ, in the block before: it stored into itself: begins anew
 */
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

#define LOG_BYTES ((size_t)1 << 20) /* read at once */
#define CF_COUNT 0x1ffu
#define CF_NOIRQ 0x10000u

static _Noreturn void die(const char *what)
{
    fprintf(stderr, "exact_compare: %s: %s\n", what, strerror(errno));
    exit(2);
}

static void *room(void *old, size_t bytes)
{
    void *p = realloc(old, bytes);
    if (p == NULL) {
        die("memory");
    }
    return p;
}

/* ---- a queue of addresses; what was compared goes */

struct stream {
    uint64_t *pcs;
    size_t n, capacity, done; /* done: of n, given up */
    uint64_t before;          /* addresses given up in all */
    uint64_t last[16];        /* of them */
    bool ended;
};

static void push(struct stream *s, uint64_t pc)
{
    if (s->n == s->capacity) {
        if (s->done != 0) {
            memmove(s->pcs, s->pcs + s->done, (s->n - s->done) * sizeof *s->pcs);
            s->n -= s->done;
            s->done = 0;
        }
        if (s->n * 2 >= s->capacity) {
            s->capacity = s->capacity == 0 ? 1 << 16 : s->capacity * 2;
            s->pcs = room(s->pcs, s->capacity * sizeof *s->pcs);
        }
    }
    s->pcs[s->n++] = pc;
}

static void drop(struct stream *s, size_t n)
{
    for (size_t i = n > 16 ? n - 16 : 0; i < n; i++) {
        s->last[(s->before + i) % 16] = s->pcs[s->done + i];
    }
    s->done += n;
    s->before += n;
}

/* ---- QEMU's log */

struct code { /* a translation: where its instructions are, from the first on */
    uint64_t pc;
    uint32_t n;
    uint32_t at[512];
};

struct place {
    uint64_t pointer;
    struct code *code;
};

static const struct code single = {.n = 1};

static struct {
    int fd;
    char text[LOG_BYTES];
    size_t begin, end;
    struct code asm_now; /* being read, or the last that was */
    bool asm_open, asm_new;
    struct place *places; /* by the translation's address, open addressing */
    size_t n_places, places_capacity;
    /* the block that began last */
    bool pending, hardware;
    uint64_t pc;
    const struct code *code;
    struct stream begun;
    uint64_t lines, blocks, stopped, rewound, changed, faults, interrupts;
} qemu = {.fd = -1, .code = &single};

static bool starts_alone, counts_alone;
static struct vt_trace_filter filter;

static struct place *find_place(uint64_t pointer)
{
    if ((qemu.n_places + 1) * 2 > qemu.places_capacity) {
        size_t capacity = qemu.places_capacity == 0 ? 1 << 12 : qemu.places_capacity * 2;
        struct place *old = qemu.places;
        size_t old_capacity = qemu.places_capacity;
        qemu.places = calloc(capacity, sizeof *qemu.places);
        if (qemu.places == NULL) {
            die("memory");
        }
        qemu.places_capacity = capacity;
        qemu.n_places = 0;
        for (size_t i = 0; i < old_capacity; i++) {
            if (old[i].pointer != 0) {
                *find_place(old[i].pointer) = old[i];
                qemu.n_places++;
            }
        }
        free(old);
    }
    size_t i = (pointer >> 6) * 2654435761u & (qemu.places_capacity - 1);
    while (qemu.places[i].pointer != 0 && qemu.places[i].pointer != pointer) {
        i = (i + 1) & (qemu.places_capacity - 1);
    }
    return &qemu.places[i];
}

/* The code of the translation at `pointer`. After in_asm named one, the next block of that place
 * in its page is it. */
static const struct code *code_of(uint64_t pointer, uint64_t pc)
{
    if (qemu.asm_new && ((qemu.asm_now.pc ^ pc) & 0xfff) == 0) {
        struct place *p = find_place(pointer);
        qemu.n_places += p->pointer == 0;
        p->pointer = pointer;
        p->code = room(p->code, sizeof *p->code);
        *p->code = qemu.asm_now;
        qemu.asm_new = false;
    }
    if (qemu.places_capacity == 0) {
        return &single;
    }
    const struct place *p = find_place(pointer);
    if (p->pointer == 0) {
        fprintf(stderr, "exact_compare: 0x%" PRIx64 " at 0x%" PRIx64 " was never translated\n",
                pointer, pc);
        exit(2);
    }
    return p->code;
}

/* The instruction of the pending block at `pc`; n: none. */
static unsigned index_of(uint64_t pc)
{
    for (unsigned i = 0; i < qemu.code->n; i++) {
        if (qemu.pc + qemu.code->at[i] == pc) {
            return i;
        }
    }
    return qemu.code->n;
}

static void came_to(unsigned n)
{
    n = starts_alone ? 1 : n;
    n = filter.privileges == 2 && qemu.pc >> 63 != 0 ? 0 : n;
    for (unsigned i = 0; qemu.pending && i < n; i++) {
        push(&qemu.begun, qemu.pc + qemu.code->at[i]);
    }
    qemu.pending = false;
}

static uint64_t hex(const char **at)
{
    uint64_t v = 0;
    const char *p = *at;
    for (;; p++) {
        unsigned c = (unsigned char)*p, d = c - '0';
        if (d > 9) {
            d = (c | 0x20) - 'a' + 10;
            if (d < 10 || d > 15) {
                break;
            }
        }
        v = v << 4 | d;
    }
    *at = p;
    return v;
}

/* "Trace 0: 0x7f… [base/pc/flags/cflags] name" */
static void take_trace(const char *line)
{
    const char *p = strstr(line, "0x");
    if (p == NULL) {
        return;
    }
    p += 2;
    uint64_t pointer = hex(&p);
    p += 2;
    hex(&p);
    p++;
    uint64_t pc = hex(&p);
    p++;
    hex(&p);
    p++;
    uint64_t cflags = hex(&p);
    if (qemu.pending && (cflags & CF_COUNT) == 1 && (cflags & CF_NOIRQ) != 0 &&
        index_of(pc) < qemu.code->n) {
        qemu.changed++;
        came_to(index_of(pc));
    } else if (qemu.pending) {
        came_to(qemu.code->n);
    }
    qemu.blocks++;
    qemu.hardware = false;
    qemu.pc = pc;
    qemu.code = code_of(pointer, pc);
    qemu.pending = true;
}

/* "     7: v=0e e=0002 i=0 cpl=0 IP=0008:… pc=… SP=…" */
static void take_exception(const char *line)
{
    const char *p = strstr(line, " pc=");
    if (p == NULL) {
        return;
    }
    p += 4;
    uint64_t pc = hex(&p);
    if (qemu.hardware) {
        if (qemu.pending) {
            came_to(qemu.code->n);
        }
    } else {
        qemu.faults++;
        if (qemu.pending) {
            unsigned i = index_of(pc);
            came_to(i < qemu.code->n ? i + 1 : i);
        }
    }
    qemu.hardware = false;
}

/* "0x00100000:  fa                       cli": a line without a word goes on with the one before.
 */
static void take_code(const char *line)
{
    const char *p = line + 2;
    uint64_t pc = hex(&p);
    if (*p++ != ':') {
        return;
    }
    for (;;) {
        while (*p == ' ') {
            p++;
        }
        const char *byte = p;
        hex(&p);
        if (p != byte + 2 || (*p != ' ' && *p != '\0')) {
            p = byte;
            break;
        }
    }
    if (*p == '\0') {
        return;
    }
    struct code *code = &qemu.asm_now;
    if (code->n == 0) {
        code->pc = pc;
    }
    if (code->n < 512) {
        code->at[code->n++] = (uint32_t)(pc - code->pc);
    }
}

static void take_line(const char *line)
{
    qemu.lines++;
    if (qemu.asm_open && line[0] == '0' && line[1] == 'x') {
        take_code(line);
        return;
    }
    if (qemu.asm_open) {
        qemu.asm_open = false;
        qemu.asm_new = qemu.asm_now.n != 0;
    }
    if (line[0] == 'T' && strncmp(line, "Trace ", 6) == 0) {
        take_trace(line);
    } else if (strncmp(line, "IN:", 3) == 0) {
        qemu.asm_open = true;
        qemu.asm_now.n = 0;
    } else if (strncmp(line, "Stopped execution", 17) == 0) {
        qemu.stopped++;
        qemu.pending = false;
    } else if (strncmp(line, "cpu_io_recompile", 16) == 0) {
        const char *p = strrchr(line, ' ') + 1;
        qemu.rewound++;
        came_to(index_of(hex(&p)));
    } else if (strncmp(line, "Servicing hardware INT", 22) == 0) {
        qemu.interrupts++;
        qemu.hardware = true;
    } else if (line[0] == ' ' && strstr(line, ": v=") != NULL) {
        take_exception(line);
    }
}

/* Takes what is there. */
static bool read_log(void)
{
    if (qemu.begun.ended) {
        return false;
    }
    /* What is left of a line goes to the beginning. */
    memmove(qemu.text, qemu.text + qemu.begin, qemu.end - qemu.begin);
    qemu.end -= qemu.begin;
    qemu.begin = 0;
    if (qemu.end == LOG_BYTES) {
        fprintf(stderr, "exact_compare: a line of the log without an end\n");
        exit(2);
    }
    ssize_t n = read(qemu.fd, qemu.text + qemu.end, LOG_BYTES - qemu.end);
    if (n < 0) {
        if (errno == EAGAIN || errno == EINTR) {
            return false;
        }
        die("the log");
    }
    if (n == 0) {
        if (qemu.lines == 0) { /* QEMU has not opened it yet */
            return false;
        }
        if (qemu.pending) {
            came_to(qemu.code->n);
        }
        qemu.begun.ended = true;
        return true;
    }
    qemu.end += (size_t)n;
    char *newline;
    while ((newline = memchr(qemu.text + qemu.begin, '\n', qemu.end - qemu.begin)) != NULL) {
        *newline = '\0';
        take_line(qemu.text + qemu.begin);
        qemu.begin = (size_t)(newline - qemu.text) + 1;
    }
    return true;
}

/* ---- what an earlier run kept: differences, zigzag, seven bits a byte */

static FILE *kept, *keep;
static uint64_t kept_pc, keep_pc;

static void keep_one(uint64_t pc)
{
    uint64_t d = pc - keep_pc;
    d = d << 1 ^ (uint64_t)((int64_t)d >> 63);
    for (; d > 127; d >>= 7) {
        putc_unlocked((int)(d & 127) | 128, keep);
    }
    putc_unlocked((int)d, keep);
    keep_pc = pc;
}

static bool read_kept(struct stream *s)
{
    for (unsigned i = 0; i < 65536 && !s->ended; i++) {
        uint64_t d = 0;
        unsigned shift = 0;
        int c;
        do {
            c = getc_unlocked(kept);
            d |= (uint64_t)(c & 127) << shift;
            shift += 7;
        } while (c != EOF && c > 127);
        if (c == EOF) {
            s->ended = true;
        } else {
            kept_pc += d >> 1 ^ -(d & 1);
            push(s, kept_pc);
        }
    }
    return true;
}

/* ---- the trace */

static struct {
    struct vt_trace_source *source;
    struct stream begun;
    uint64_t executed, blocks, ends[VT_TRACE_END_UNKNOWN + 1], lost, unfinished;
    uint64_t accesses;
} ours;

static bool read_trace(void)
{
    struct vt_trace_event event;
    struct vt_error err;
    bool any = false;
    for (unsigned k = 0; k < 16384; k++) {
        int rc = vt_trace_next(ours.source, 0, &event, &err);
        if (rc < 0) {
            fprintf(stderr, "exact_compare: %s\n", err.message);
            exit(2);
        }
        if (rc == 0) {
            ours.begun.ended = vt_trace_source_info(ours.source)->ended;
            return any;
        }
        any = true;
        if (event.kind == VT_TRACE_EV_LOST) {
            ours.lost++;
        } else if (event.kind == VT_TRACE_EV_CUT) {
            ours.ends[event.end]++;
        } else if (event.kind == VT_TRACE_EV_BLOCK) {
            unsigned n = event.executed;
            if (n < event.block->n &&
                (event.end == VT_TRACE_END_EXCEPTION || event.end == VT_TRACE_END_INTERRUPT ||
                 event.end == VT_TRACE_END_HOST)) {
                n++;
                ours.unfinished++;
            }
            uint64_t pc = event.block->pc;
            for (unsigned i = 0; !counts_alone && i < (starts_alone ? 1 : n); i++) {
                push(&ours.begun, pc);
                pc += event.block->sizes[i];
            }
            ours.begun.before += counts_alone ? n : 0;
            ours.executed += event.executed;
            ours.accesses += event.n_accesses;
            ours.blocks++;
            ours.ends[event.end]++;
        }
    }
    return any;
}

/* ---- comparing */

#define END_SLACK 4

static void show(const char *who, const struct stream *s)
{
    fprintf(stderr, "%s:", who);
    for (uint64_t i = s->before > 16 ? s->before - 16 : 0; i < s->before; i++) {
        fprintf(stderr, " %" PRIx64, s->last[i % 16]);
    }
    fprintf(stderr, " *");
    for (size_t i = s->done; i < s->n && i < s->done + 8; i++) {
        fprintf(stderr, " %" PRIx64, s->pcs[i]);
    }
    fprintf(stderr, "%s\n", s->ended && s->n - s->done <= 8 ? " (the end)" : "");
}

static void compare(const char *name, struct stream *theirs)
{
    size_t n = theirs->n - theirs->done, m = ours.begun.n - ours.begun.done;
    n = n < m ? n : m;
    const uint64_t *a = theirs->pcs + theirs->done, *b = ours.begun.pcs + ours.begun.done;
    size_t same = 0;
    while (same < n && a[same] == b[same]) {
        same++;
    }
    for (size_t i = 0; keep != NULL && i < same; i++) {
        keep_one(a[i]);
    }
    drop(theirs, same);
    drop(&ours.begun, same);
    /* Two runs end where QEMU got around to ending them. */
    size_t more = kept != NULL ? END_SLACK : 0;
    bool over = theirs->ended && ours.begun.ended;
    if (same < n ||
        (over && (theirs->n - theirs->done > more || ours.begun.n - ours.begun.done > more))) {
        fprintf(stderr, "exact_compare: instruction %" PRIu64 " differs\n", theirs->before);
        show(name, theirs);
        show("ours", &ours.begun);
        exit(1);
    }
}

/* QEMU waits for a reader of its log before it loads the plugin. */
static int open_trace(const char *segment, struct vt_error *err)
{
    int rc = VT_E_UNSUPPORTED;
    for (unsigned i = 0; i < 6000 && rc == VT_E_UNSUPPORTED; i++) {
        rc = vt_trace_open_live(segment, &ours.source, err);
        if (rc == VT_E_UNSUPPORTED) {
            poll(NULL, 0, 10);
        }
    }
    return rc;
}

static void go(const char *monitor)
{
    int fd = open(monitor, O_WRONLY | O_CLOEXEC);
    if (fd < 0 || write(fd, "c\n", 2) != 2) {
        die(monitor);
    }
    close(fd);
}

int main(int argc, char **argv)
{
    struct vt_error err;
    uint32_t detail = VT_TRACE_BLOCKS;
    if (argc < 3) {
        fprintf(stderr, "usage: exact_compare SEGMENT MONITOR [WORD…]\n");
        return 2;
    }
    for (int i = 3; i < argc; i++) {
        const char *word = argv[i];
        if (strncmp(word, "log=", 4) == 0) {
            qemu.fd = open(word + 4, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
            if (qemu.fd < 0) {
                die(word + 4);
            }
            (void)fcntl(qemu.fd, F_SETPIPE_SZ, 1 << 20);
        } else if (strncmp(word, "against=", 8) == 0) {
            kept = fopen(word + 8, "re");
            if (kept == NULL) {
                die(word + 8);
            }
        } else if (strncmp(word, "keep=", 5) == 0) {
            keep = fopen(word + 5, "we");
            if (keep == NULL) {
                die(word + 5);
            }
        } else if (strncmp(word, "detail=", 7) == 0) {
            detail = (uint32_t)strtoul(word + 7, NULL, 10);
        } else if (strcmp(word, "user") == 0) {
            filter.privileges = 2;
        } else if (strcmp(word, "starts") == 0) {
            starts_alone = true;
        } else if (strcmp(word, "exact") == 0) {
            filter.exact = true;
        } else {
            fprintf(stderr, "exact_compare: %s?\n", word);
            return 2;
        }
    }
    if (qemu.fd >= 0 && kept != NULL) {
        fprintf(stderr, "exact_compare: one of log= and against=\n");
        return 2;
    }
    counts_alone = qemu.fd < 0 && kept == NULL;
    if (open_trace(argv[1], &err) != 0 ||
        vt_trace_steer(argv[1], detail, VT_TRACE_WAIT, 0, &filter, 10000, &err) != 0) {
        fprintf(stderr, "exact_compare: %s\n", err.message);
        return 2;
    }
    go(argv[2]);
    struct stream from_file = {0};
    struct stream *theirs = kept != NULL ? &from_file : &qemu.begun;
    theirs->ended = counts_alone;
    while (!theirs->ended || !ours.begun.ended) {
        /* The file is read as far as it is needed. */
        bool any =
            kept == NULL ? read_log() : theirs->n - theirs->done < 1 << 16 && read_kept(theirs);
        any = read_trace() || any;
        compare(kept != NULL ? "kept" : "QEMU", theirs);
        if (!any) {
            poll(NULL, 0, 1);
        }
    }
    compare(kept != NULL ? "kept" : "QEMU", theirs);
    if (keep != NULL && fclose(keep) != 0) {
        die("keep=");
    }
    const struct vt_trace_info *info = vt_trace_source_info(ours.source);
    printf("begun %" PRIu64 " executed %" PRIu64 " blocks %" PRIu64 " interrupts %" PRIu64
           " exceptions %" PRIu64 " restarts %" PRIu64 " unfinished %" PRIu64 " unknown %" PRIu64
           " accesses %" PRIu64 "\n",
           ours.begun.before + (ours.begun.n - ours.begun.done), ours.executed, ours.blocks,
           ours.ends[VT_TRACE_END_INTERRUPT], ours.ends[VT_TRACE_END_EXCEPTION],
           ours.ends[VT_TRACE_END_RESTART], ours.unfinished, ours.ends[VT_TRACE_END_UNKNOWN],
           ours.accesses);
    printf("counted_instructions %" PRIu64 " counted_blocks %" PRIu64 " counted_accesses %" PRIu64
           "\n",
           info->instructions, info->blocks, info->accesses);
    if (qemu.fd >= 0) {
        printf("log_blocks %" PRIu64 " log_stopped %" PRIu64 " log_rewound %" PRIu64
               " log_changed %" PRIu64 " log_faults %" PRIu64 " log_interrupts %" PRIu64 "\n",
               qemu.blocks, qemu.stopped, qemu.rewound, qemu.changed, qemu.faults, qemu.interrupts);
    }
    if (ours.lost != 0) {
        fprintf(stderr, "exact_compare: words were lost %" PRIu64 " times\n", ours.lost);
        return 1;
    }
    vt_trace_close(ours.source);
    return 0;
}
