/* A .vtrace file gives back the events that were put into it, from its beginning and from anywhere;
 * cut off or damaged, it gives those before the damage and says where that is. */
#include "tests/unit/harness.h"

#include "trace/file.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <zstd.h>

#define N_BLOCKS 40u
#define N_VCPUS 3u

static struct vt_trace_block blocks[N_BLOCKS];
static uint8_t sizes[N_BLOCKS][16], code[N_BLOCKS][16 * 15];
static struct vt_trace_access accesses[VT_TRACE_FILE_ACCESSES_MAX];
static uint64_t registers[18];

static const struct vt_trace_info info = {
    .vm = "demo",
    .arch = "x86_64",
    .qemu = "11.1.3",
    .started_unix_ns = 1700000000123456789,
    .vcpus = N_VCPUS,
    .n_registers = 18,
    .registers = {"rax", "rbx", "eflags"},
    .capabilities = 15,
};

/* The same numbers each time. */
struct random {
    uint64_t x;
};
static uint64_t draw(struct random *r)
{
    r->x ^= r->x << 13;
    r->x ^= r->x >> 7;
    r->x ^= r->x << 17;
    return r->x;
}

static int make_blocks(void **state)
{
    (void)state;
    struct random r = {88172645463325252};
    for (uint32_t i = 0; i < N_BLOCKS; i++) {
        struct vt_trace_block *b = &blocks[i];
        *b = (struct vt_trace_block){.id = i * 7, /* a source's ids have gaps */
                                     .pc = draw(&r),
                                     .physical = i % 5 == 0 ? ~(uint64_t)0 : draw(&r),
                                     .n = (uint16_t)(1 + draw(&r) % 16),
                                     .machine = i % 13 == 0 ? VT_TRACE_OTHER : VT_TRACE_X86,
                                     .sizes = sizes[i],
                                     .code = code[i]};
        for (uint32_t k = 0; k < b->n; k++) {
            sizes[i][k] = (uint8_t)(1 + draw(&r) % 15);
            b->code_bytes = (uint16_t)(b->code_bytes + sizes[i][k]);
        }
        for (uint32_t k = 0; k < b->code_bytes; k++) {
            code[i][k] = (uint8_t)draw(&r);
        }
    }
    return 0;
}

/* A stream of events that is the same for the same beginning. */
struct stream {
    struct random r;
    uint64_t n;
    uint32_t vcpu, at[N_VCPUS];
    uint64_t sequence[N_VCPUS], time_ns[N_VCPUS], root[N_VCPUS];
};

static struct stream stream_begin(void)
{
    return (struct stream){.r = {0x9e3779b97f4a7c15}, .root = {~(uint64_t)0, ~(uint64_t)0, 7}};
}

static void some_accesses(struct stream *s, struct vt_trace_event *e)
{
    /* Mostly those that the same instructions made before. */
    bool same = draw(&s->r) % 8 != 0, walks = e->block->id % 3 == 0;
    e->n_accesses = (uint32_t)(same ? e->block->id % 9 : draw(&s->r) % 9);
    if (draw(&s->r) % 200 == 0) {
        e->n_accesses = (uint32_t)(draw(&s->r) % 300); /* a string's, in rows */
        walks = true;
    }
    e->accesses = e->n_accesses > 0 ? accesses : NULL;
    for (uint32_t i = 0; i < e->n_accesses; i++) {
        struct vt_trace_access *a = &accesses[i];
        uint64_t x = same ? e->block->pc + i * 77777 : draw(&s->r);
        *a = (struct vt_trace_access){.instruction = (uint16_t)(x % e->block->n),
                                      .bytes = (uint8_t)(1 << (x >> 8) % 5),
                                      .store = (x >> 16 & 1) != 0,
                                      .has_value = (x >> 17 & 1) != 0,
                                      .device = (x >> 18 & 7) == 0,
                                      .address = draw(&s->r) % 4 == 0 ? draw(&s->r) : s->n * 8};
        if (walks) {
            uint32_t k = same ? i : i % 2;
            a->instruction = (uint16_t)(k % e->block->n);
            a->store = i % 2 != 0;
            a->bytes = 8;
            a->address = (i % 2 != 0 ? 0xffff888000000000u : 0x1000u) + (s->n + i / 2) * 8;
            a->address += draw(&s->r) % 16 == 0 ? 4096 : 0;
        }
        if (a->has_value) {
            a->value[0] = walks && i % 3 != 0 ? 77 : draw(&s->r) >> (x >> 24) % 64;
            a->value[1] = a->bytes == 16 ? draw(&s->r) : 0;
        }
    }
}

static void other_event(struct stream *s, struct vt_trace_event *e)
{
    e->kind = (enum vt_trace_kind)(1 + draw(&s->r) % 6);
    switch (e->kind) {
    case VT_TRACE_EV_REGISTERS:
        e->pc = draw(&s->r);
        e->n_registers = 18;
        e->registers = registers;
        for (size_t i = 0; i < 18; i++) {
            registers[i] = draw(&s->r);
        }
        break;
    case VT_TRACE_EV_LOST:
        e->lost_words = draw(&s->r) >> 20;
        break;
    case VT_TRACE_EV_MODE:
        e->detail = (uint32_t)(draw(&s->r) % 6);
        e->generation = (uint32_t)draw(&s->r);
        break;
    case VT_TRACE_EV_CUT:
        e->end = (enum vt_trace_end)(1 + draw(&s->r) % 5);
        e->from = draw(&s->r);
        e->to = draw(&s->r);
        break;
    default:
        break;
    }
}

static void stream_next(struct stream *s, struct vt_trace_event *e)
{
    uint64_t x = draw(&s->r);
    s->n++;
    if (x % 64 == 0) {
        s->vcpu = (uint32_t)(x >> 8) % N_VCPUS;
    }
    uint32_t v = s->vcpu;
    if ((x >> 20) % 32 == 0) {
        s->time_ns[v] += (x >> 40) + 1;
    }
    if ((x >> 30) % 100 == 0) {
        s->root[v] = (x >> 12) & ~(uint64_t)4095;
    }
    if ((x >> 33) % 500 == 0) {
        s->sequence[v] += 3; /* as a source may that began in the middle */
    }
    *e = (struct vt_trace_event){
        .vcpu = v, .sequence = s->sequence[v]++, .time_ns = s->time_ns[v], .root = s->root[v]};
    if ((x >> 36) % 50 == 0) {
        other_event(s, e);
        return;
    }
    /* Mostly a loop of some blocks, so that much of it is as predicted. */
    s->at[v] = (x >> 42) % 20 == 0 ? (uint32_t)(draw(&s->r) % N_BLOCKS)
               : s->at[v] % 10 < 9 ? s->at[v] + 1
                                   : s->at[v] - 9;
    s->at[v] %= N_BLOCKS;
    e->block = &blocks[s->at[v]];
    e->executed = e->block->n;
    if ((x >> 45) % 30 == 0) {
        e->end = (enum vt_trace_end)(draw(&s->r) % 6);
        e->executed = (uint16_t)(draw(&s->r) % (e->block->n + 1u));
        e->from = draw(&s->r);
        e->to = draw(&s->r);
    }
    if (s->n / 5000 % 2 == 1) {
        some_accesses(s, e);
    }
}

static void assert_same_block(const struct vt_trace_block *is, const struct vt_trace_block *was)
{
    assert_int_equal(is->pc, was->pc);
    assert_int_equal(is->physical, was->physical);
    assert_int_equal(is->n, was->n);
    assert_int_equal(is->machine, was->machine);
    assert_int_equal(is->code_bytes, was->code_bytes);
    assert_memory_equal(is->sizes, was->sizes, was->n);
    assert_memory_equal(is->code, was->code, was->code_bytes);
}

static void assert_same(const struct vt_trace_event *is, const struct vt_trace_event *was)
{
    assert_int_equal(is->kind, was->kind);
    assert_int_equal(is->vcpu, was->vcpu);
    assert_int_equal(is->sequence, was->sequence);
    assert_int_equal(is->time_ns, was->time_ns);
    assert_int_equal(is->root, was->root);
    assert_int_equal(is->block != NULL, was->block != NULL);
    if (is->block != NULL) {
        assert_same_block(is->block, was->block);
    }
    assert_int_equal(is->executed, was->executed);
    assert_int_equal(is->end, was->end);
    assert_int_equal(is->from, was->from);
    assert_int_equal(is->to, was->to);
    assert_int_equal(is->n_accesses, was->n_accesses);
    for (uint32_t i = 0; i < is->n_accesses; i++) {
        const struct vt_trace_access *a = &is->accesses[i], *b = &was->accesses[i];
        assert_int_equal(a->instruction, b->instruction);
        assert_int_equal(a->bytes, b->bytes);
        assert_true(a->store == b->store && a->has_value == b->has_value && a->device == b->device);
        assert_int_equal(a->address, b->address);
        assert_int_equal(a->value[0], b->value[0]);
        assert_int_equal(a->value[1], b->value[1]);
    }
    assert_int_equal(is->n_registers, was->n_registers);
    for (uint32_t i = 0; i < is->n_registers; i++) {
        assert_int_equal(is->registers[i], was->registers[i]);
    }
    assert_int_equal(is->pc, was->pc);
    assert_int_equal(is->lost_words, was->lost_words);
    assert_int_equal(is->detail, was->detail);
    assert_int_equal(is->generation, was->generation);
}

static const char *path_in(void **state)
{
    static char path[512];
    snprintf(path, sizeof path, "%s/run.vtrace", (const char *)*state);
    return path;
}

static struct vt_error error;

/* Flushes after each `flush` events (0: never). */
static struct vt_trace_writer *write_events(const char *path, uint64_t n, uint64_t flush)
{
    struct vt_trace_writer *w = NULL;
    assert_int_equal(vt_trace_writer_create(path, true, &info, &w, &error), 0);
    struct stream s = stream_begin();
    for (uint64_t i = 0; i < n; i++) {
        struct vt_trace_event e;
        stream_next(&s, &e);
        assert_int_equal(vt_trace_writer_put(w, &e, &error), 0);
        if (flush > 0 && (i + 1) % flush == 0) {
            assert_int_equal(vt_trace_writer_flush(w, &error), 0);
        }
    }
    return w;
}

/* How many events come, all as they were; *rc what ended them. */
static uint64_t read_events(struct vt_trace_source *source, int *rc)
{
    struct stream s = stream_begin();
    struct vt_trace_event is, was;
    uint64_t n = 0;
    while ((*rc = vt_trace_next(source, 0, &is, &error)) == 1) {
        stream_next(&s, &was);
        assert_same(&is, &was);
        n++;
    }
    return n;
}

static void every_event_comes_back(void **state)
{
    const char *path = path_in(state);
    const uint64_t n = 300000;
    struct vt_trace_writer *w = write_events(path, n, 0);
    struct vt_trace_info at_end = info;
    at_end.instructions = 12345;
    at_end.dropped = 6;
    assert_int_equal(vt_trace_writer_info(w, &at_end, &error), 0);
    assert_int_equal(vt_trace_writer_name_root(w, 7, 0x1000, 42, "sshd", &error), 0);
    assert_int_equal(vt_trace_writer_name_root(w, 0, 0x2000, -1, NULL, &error), 0);
    assert_int_equal(vt_trace_writer_name_block(w, blocks[3].id, "vmlinux", "memcpy", 16, &error),
                     0);
    assert_int_equal(vt_trace_writer_name_block(w, 1, "x", "y", 0, &error), VT_E_NOT_FOUND);
    assert_int_equal(vt_trace_writer_close(w, &error), 0);

    struct vt_trace_source *source = NULL;
    assert_int_equal(vt_trace_open_file(path, &source, &error), 0);
    const struct vt_trace_info *back = vt_trace_source_info(source);
    assert_string_equal(back->vm, "demo");
    assert_string_equal(back->arch, "x86_64");
    assert_string_equal(back->qemu, "11.1.3");
    assert_string_equal(back->registers[2], "eflags");
    assert_int_equal(back->started_unix_ns, info.started_unix_ns);
    assert_int_equal(back->instructions, 12345);
    assert_int_equal(back->dropped, 6);
    assert_int_equal(back->n_blocks, N_BLOCKS);
    assert_false(back->ended);

    const struct vt_trace_file_about *about = vt_trace_file_about(source);
    assert_true(about->ended);
    assert_true(about->event_chunks > 1); /* else nothing of this crosses chunks */
    assert_int_equal(about->events, n);
    assert_int_equal(about->cut_bytes, 0);
    assert_int_equal(about->n_roots, 2);
    assert_string_equal(about->roots[0].name, "sshd");
    assert_int_equal(about->roots[0].pid, 42);
    assert_int_equal(about->roots[0].event, 7);
    assert_null(about->roots[1].name);
    assert_int_equal(about->n_block_names, 1);
    assert_string_equal(about->block_names[0].object, "vmlinux");
    assert_string_equal(about->block_names[0].function, "memcpy");
    assert_same_block(vt_trace_block(source, about->block_names[0].block), &blocks[3]);
    assert_null(vt_trace_block(source, N_BLOCKS));

    int rc;
    assert_int_equal(read_events(source, &rc), n);
    assert_int_equal(rc, 0);
    assert_true(back->ended);

    /* The totals are those of the stream. */
    struct stream s = stream_begin();
    struct vt_trace_file_totals sum = {0};
    for (uint64_t i = 0; i < n; i++) {
        struct vt_trace_event e;
        stream_next(&s, &e);
        sum.instructions += e.executed;
        sum.blocks += e.kind == VT_TRACE_EV_BLOCK;
        sum.accesses += e.n_accesses;
        sum.lost_words += e.lost_words;
    }
    assert_int_equal(about->totals.events, n);
    assert_int_equal(about->totals.instructions, sum.instructions);
    assert_int_equal(about->totals.blocks, sum.blocks);
    assert_int_equal(about->totals.accesses, sum.accesses);
    assert_int_equal(about->totals.lost_words, sum.lost_words);
    vt_trace_close(source);
}

/* A repeated string instruction makes as many accesses as QEMU lets it in one block. */
static void the_greatest_event_comes_back(void **state)
{
    const char *path = path_in(state);
    const uint32_t n = VT_TRACE_FILE_ACCESSES_MAX;
    struct random r = {4711};
    for (int kind = 0; kind < 2; kind++) {
        for (uint32_t i = 0; i < n; i++) {
            bool odd = kind == 0 && i % 2 != 0;
            accesses[i] = (struct vt_trace_access){
                .bytes = kind == 0 ? 8 : 16,
                .store = odd,
                .has_value = kind == 1,
                .address = kind == 1 ? draw(&r) : (odd ? 0x7f0000000000u : 0x1000u) + i / 2 * 8,
                .value = {kind == 1 ? draw(&r) : 0, kind == 1 ? draw(&r) : 0}};
        }
        struct vt_trace_event e = {
            .block = &blocks[3], .executed = blocks[3].n, .n_accesses = n, .accesses = accesses};
        struct vt_trace_event is;
        struct vt_trace_writer *w = NULL;
        struct vt_trace_source *source = NULL;
        assert_int_equal(vt_trace_writer_create(path, true, &info, &w, &error), 0);
        assert_int_equal(vt_trace_writer_put(w, &e, &error), 0);
        assert_int_equal(vt_trace_writer_close(w, &error), 0);
        struct stat st;
        assert_int_equal(stat(path, &st), 0);
        assert_true(kind == 1 || st.st_size < 2000); /* two rows */
        assert_int_equal(vt_trace_open_file(path, &source, &error), 0);
        assert_int_equal(vt_trace_next(source, 0, &is, &error), 1);
        assert_same(&is, &e);
        assert_int_equal(vt_trace_next(source, 0, &is, &error), 0);
        vt_trace_close(source);
    }
}

/* What a loop does each time in the same way costs next to nothing, its accesses included. */
static void what_was_expected_takes_no_room(void **state)
{
    const char *path = path_in(state);
    struct vt_trace_writer *w = NULL;
    assert_int_equal(vt_trace_writer_create(path, true, &info, &w, &error), 0);
    struct vt_trace_access two[2] = {{.bytes = 8}, {.bytes = 4, .store = true}};
    for (uint64_t i = 0; i < 100000; i++) {
        two[0].address = 0x10000 + i * 8; /* goes on by a step */
        two[1].address = 0x20000;         /* stays */
        struct vt_trace_event e = {.sequence = i,
                                   .root = 7,
                                   .block = &blocks[i % 3],
                                   .executed = blocks[i % 3].n,
                                   .n_accesses = i % 3 == 0 ? 2 : 0,
                                   .accesses = two};
        assert_int_equal(vt_trace_writer_put(w, &e, &error), 0);
    }
    assert_int_equal(vt_trace_writer_close(w, &error), 0);
    struct vt_trace_source *source = NULL;
    assert_int_equal(vt_trace_open_file(path, &source, &error), 0);
    assert_true(vt_trace_file_about(source)->raw_bytes < 1500);
    struct vt_trace_event e;
    for (uint64_t i = 0; i < 100000; i++) {
        assert_int_equal(vt_trace_next(source, 0, &e, &error), 1);
        assert_int_equal(e.n_accesses, i % 3 == 0 ? 2 : 0);
        assert_int_equal(e.sequence, i);
        if (i % 3 == 0) {
            assert_int_equal(e.accesses[0].address, 0x10000 + i * 8);
            assert_int_equal(e.accesses[1].address, 0x20000);
        }
    }
    vt_trace_close(source);
}

static void reading_begins_anywhere(void **state)
{
    const char *path = path_in(state);
    const uint64_t n = 5000;
    assert_int_equal(vt_trace_writer_close(write_events(path, n, 777), &error), 0);
    struct vt_trace_source *source = NULL;
    assert_int_equal(vt_trace_open_file(path, &source, &error), 0);
    static const uint64_t places[] = {4999, 0, 776, 777, 778, 3000, 5000, 1};
    for (size_t i = 0; i < sizeof places / sizeof places[0]; i++) {
        struct stream s = stream_begin();
        struct vt_trace_event is, was;
        for (uint64_t k = 0; k < places[i]; k++) {
            stream_next(&s, &was);
        }
        assert_int_equal(vt_trace_file_seek(source, places[i], &error), 0);
        for (uint64_t k = places[i]; k < n && k < places[i] + 1000; k++) {
            assert_int_equal(vt_trace_next(source, 0, &is, &error), 1);
            stream_next(&s, &was);
            assert_same(&is, &was);
        }
    }
    assert_int_equal(vt_trace_file_seek(source, n, &error), 0);
    assert_int_equal(vt_trace_file_tell(source), n);
    struct vt_trace_event e;
    assert_int_equal(vt_trace_next(source, 0, &e, &error), 0);
    assert_int_equal(vt_trace_file_seek(source, n + 1, &error), VT_E_INVAL);
    vt_trace_close(source);
}

static uint8_t *whole(const char *path, size_t *n)
{
    struct stat st;
    int fd = open(path, O_RDONLY);
    assert_true(fd >= 0 && fstat(fd, &st) == 0);
    *n = (size_t)st.st_size;
    uint8_t *bytes = malloc(*n);
    assert_non_null(bytes);
    assert_int_equal(read(fd, bytes, *n), st.st_size);
    close(fd);
    return bytes;
}

static void put_whole(const char *path, const uint8_t *bytes, size_t n)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, bytes, n), (ssize_t)n);
    close(fd);
}

/* Where each chunk of the file ends, and how many events there are up to there. */
static size_t chunk_ends(const uint8_t *bytes, size_t n, size_t *ends, uint64_t *events, size_t max)
{
    size_t at = 0, count = 0;
    uint64_t sum = 0;
    while (at < n && count < max) {
        uint32_t stored, more;
        memcpy(&stored, bytes + at + 28, 4);
        memcpy(&more, bytes + at + 40, 4);
        at += VT_TRACE_FILE_HEADER_BYTES + stored;
        sum += more;
        ends[count] = at;
        events[count++] = sum;
    }
    return count;
}

static void a_file_cut_anywhere_gives_its_whole_chunks(void **state)
{
    const char *path = path_in(state);
    assert_int_equal(vt_trace_writer_close(write_events(path, 200, 40), &error), 0);
    size_t n, ends[32];
    uint64_t events[32];
    uint8_t *bytes = whole(path, &n);
    size_t n_chunks = chunk_ends(bytes, n, ends, events, 32);
    assert_true(n_chunks > 5 && ends[n_chunks - 1] == n && events[n_chunks - 1] == 200);
    for (size_t cut = 0; cut < n; cut++) {
        size_t left = 0;
        while (left < n_chunks && ends[left] <= cut) {
            left++;
        }
        put_whole(path, bytes, cut);
        struct vt_trace_source *source = NULL;
        int rc = vt_trace_open_file(path, &source, &error);
        if (left == 0) {
            assert_int_equal(rc, VT_E_CORRUPT);
            continue;
        }
        assert_int_equal(rc, 0);
        assert_int_equal(read_events(source, &rc), events[left - 1]);
        assert_int_equal(rc, 0);
        const struct vt_trace_file_about *about = vt_trace_file_about(source);
        assert_false(about->ended);
        assert_int_equal(about->cut_bytes, cut - ends[left - 1]);
        vt_trace_close(source);
    }
    free(bytes);
}

static void a_changed_byte_is_found_wherever_it_is(void **state)
{
    const char *path = path_in(state);
    assert_int_equal(vt_trace_writer_close(write_events(path, 200, 40), &error), 0);
    size_t n, ends[32];
    uint64_t events[32];
    uint8_t *bytes = whole(path, &n);
    size_t n_chunks = chunk_ends(bytes, n, ends, events, 32);
    for (size_t at = 0; at < n; at++) {
        size_t hit = 0;
        while (hit < n_chunks && ends[hit] <= at) {
            hit++;
        }
        bytes[at] ^= (uint8_t)(1u << at % 8);
        put_whole(path, bytes, n);
        bytes[at] ^= (uint8_t)(1u << at % 8);
        struct vt_trace_source *source = NULL;
        int rc = vt_trace_open_file(path, &source, &error);
        if (rc == 0) {
            assert_int_equal(read_events(source, &rc), events[hit - 1]);
            assert_int_equal(vt_trace_next(source, 0, &(struct vt_trace_event){0}, &error), rc);
            vt_trace_close(source);
        } else {
            assert_int_equal(hit, 0);
        }
        assert_int_equal(rc, VT_E_CORRUPT);
        char where[64];
        snprintf(where, sizeof where, "the chunk at byte %zu:", hit > 0 ? ends[hit - 1] : 0);
        assert_non_null(strstr(error.message, where));
    }
    free(bytes);
}

static void zstd_unpacks_the_whole(void **state)
{
    const char *path = path_in(state);
    assert_int_equal(vt_trace_writer_close(write_events(path, 5000, 900), &error), 0);
    struct vt_trace_source *source = NULL;
    assert_int_equal(vt_trace_open_file(path, &source, &error), 0);
    size_t n, raw = (size_t)vt_trace_file_about(source)->raw_bytes;
    uint8_t *bytes = whole(path, &n), *to = malloc(raw + 1);
    assert_int_equal(vt_trace_file_about(source)->bytes, n);
    vt_trace_close(source);
    assert_non_null(to);
    assert_int_equal(ZSTD_decompress(to, raw + 1, bytes, n), raw);
    free(bytes);
    free(to);
}

static void what_was_flushed_outlives_its_writer(void **state)
{
    const char *path = path_in(state);
    fflush(NULL);
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        struct vt_trace_writer *w = write_events(path, 1000, 100);
        struct stream s = stream_begin();
        struct vt_trace_event e;
        stream_next(&s, &e);
        (void)vt_trace_writer_put(w, &e, NULL); /* waits in memory, and is gone */
        raise(SIGKILL);
    }
    int status;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFSIGNALED(status));
    struct vt_trace_source *source = NULL;
    assert_int_equal(vt_trace_open_file(path, &source, &error), 0);
    int rc;
    assert_int_equal(read_events(source, &rc), 1000);
    assert_int_equal(rc, 0);
    assert_false(vt_trace_file_about(source)->ended);
    vt_trace_close(source);
}

static void a_file_is_not_replaced_unasked(void **state)
{
    const char *path = path_in(state);
    struct vt_trace_writer *w = NULL;
    put_whole(path, (const uint8_t *)"precious", 8);
    assert_int_equal(vt_trace_writer_create(path, false, &info, &w, &error), VT_E_EXISTS);
    size_t n;
    uint8_t *bytes = whole(path, &n);
    assert_int_equal(n, 8);
    free(bytes);
    assert_int_equal(vt_trace_writer_create(path, true, &info, &w, &error), 0);
    assert_int_equal(vt_trace_writer_close(w, &error), 0);
    struct stat st;
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
    /* A trace without events is one. */
    struct vt_trace_source *source = NULL;
    struct vt_trace_event e;
    assert_int_equal(vt_trace_open_file(path, &source, &error), 0);
    assert_int_equal(vt_trace_next(source, 0, &e, &error), 0);
    assert_true(vt_trace_source_info(source)->ended);
    vt_trace_close(source);

    assert_int_equal(unlink(path), 0);
    assert_int_equal(mkfifo(path, 0600), 0);
    assert_int_equal(vt_trace_writer_create(path, true, &info, &w, &error), VT_E_INVAL);
    assert_int_equal(vt_trace_open_file(path, &source, &error), VT_E_INVAL);
    assert_int_equal(unlink(path), 0);
    assert_int_equal(vt_trace_open_file(path, &source, &error), VT_E_NOT_FOUND);
}

static void events_out_of_range_are_refused_and_the_rest_goes_on(void **state)
{
    const char *path = path_in(state);
    struct vt_trace_writer *w = write_events(path, 100, 0);
    struct vt_trace_block block = blocks[0];
    struct vt_trace_access access = {.bytes = 3};
    struct vt_trace_event e = {.block = &block, .executed = block.n};
    e.vcpu = N_VCPUS;
    assert_int_equal(vt_trace_writer_put(w, &e, &error), VT_E_INVAL);
    e.vcpu = 0;
    e.executed = (uint16_t)(block.n + 1);
    assert_int_equal(vt_trace_writer_put(w, &e, &error), VT_E_INVAL);
    e.executed = block.n;
    e.n_accesses = 1;
    e.accesses = &access;
    assert_int_equal(vt_trace_writer_put(w, &e, &error), VT_E_INVAL);
    e.n_accesses = VT_TRACE_FILE_ACCESSES_MAX + 1;
    assert_int_equal(vt_trace_writer_put(w, &e, &error), VT_E_LIMIT);
    e.n_accesses = 0;
    block.id = VT_TRACE_FILE_BLOCKS_MAX;
    assert_int_equal(vt_trace_writer_put(w, &e, &error), VT_E_LIMIT);
    block.id = 1;
    block.n = 0;
    e.executed = 0;
    assert_int_equal(vt_trace_writer_put(w, &e, &error), VT_E_INVAL);
    e.block = NULL;
    assert_int_equal(vt_trace_writer_put(w, &e, &error), VT_E_INVAL);
    e.kind = VT_TRACE_EV_REGISTERS;
    e.n_registers = 19;
    assert_int_equal(vt_trace_writer_put(w, &e, &error), VT_E_INVAL);
    assert_int_equal(vt_trace_writer_close(w, &error), 0);
    struct vt_trace_source *source = NULL;
    int rc;
    assert_int_equal(vt_trace_open_file(path, &source, &error), 0);
    assert_int_equal(read_events(source, &rc), 100);
    assert_int_equal(rc, 0);
    vt_trace_close(source);
}

static void a_full_disk_ends_the_file_at_a_chunk(void **state)
{
    const char *path = path_in(state);
    struct vt_trace_writer *w = write_events(path, 1000, 500);
    struct stat st;
    assert_int_equal(stat(path, &st), 0);
    struct rlimit old, small;
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &old), 0);
    small = old;
    small.rlim_cur = (rlim_t)st.st_size + 10;
    void (*before)(int) = signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
    struct stream s = stream_begin();
    struct vt_trace_event e;
    stream_next(&s, &e);
    assert_int_equal(vt_trace_writer_put(w, &e, &error), 0);
    int failed = vt_trace_writer_flush(w, &error);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &old), 0);
    signal(SIGXFSZ, before);
    assert_int_equal(failed, VT_E_IO);
    assert_int_equal(vt_trace_writer_put(w, &e, &error), VT_E_IO);
    assert_int_equal(vt_trace_writer_close(w, &error), VT_E_IO);
    struct vt_trace_source *source = NULL;
    int rc;
    assert_int_equal(vt_trace_open_file(path, &source, &error), 0);
    assert_int_equal(read_events(source, &rc), 1000);
    assert_int_equal(rc, 0);
    assert_int_equal(vt_trace_file_about(source)->cut_bytes, 10);
    vt_trace_close(source);
}

/* Nobody flushes: the thread that writes fails, and one of the next events tells. */
static void a_disk_that_fills_meanwhile_is_told_later(void **state)
{
    const char *path = path_in(state);
    struct rlimit old, small;
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &old), 0);
    small = old;
    small.rlim_cur = 100000;
    void (*before)(int) = signal(SIGXFSZ, SIG_IGN);
    struct vt_trace_writer *w = write_events(path, 10, 0);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
    struct stream s = stream_begin();
    struct vt_trace_event e;
    int rc = 0;
    for (uint64_t i = 0; rc == 0 && i < 10000000; i++) {
        stream_next(&s, &e);
        rc = vt_trace_writer_put(w, &e, &error);
    }
    assert_int_equal(rc, VT_E_IO);
    assert_int_equal(error.sys_errno, EFBIG);
    error = (struct vt_error){0};
    assert_int_equal(vt_trace_writer_put(w, &e, &error), VT_E_IO);
    assert_int_equal(error.sys_errno, EFBIG);
    assert_int_equal(vt_trace_writer_close(w, &error), VT_E_IO);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &old), 0);
    signal(SIGXFSZ, before);
}

static void reading_begins_at_a_time(void **state)
{
    const char *path = path_in(state);
    const uint64_t n = 20000;
    assert_int_equal(vt_trace_writer_close(write_events(path, n, 777), &error), 0);
    struct vt_trace_source *source = NULL;
    assert_int_equal(vt_trace_open_file(path, &source, &error), 0);
    uint64_t end = vt_trace_file_about(source)->totals.last_time_ns;
    uint64_t before = 0;
    for (uint64_t t = 0; t <= end; t += end / 7) {
        assert_int_equal(vt_trace_file_seek_time(source, t, &error), 0);
        uint64_t at = vt_trace_file_tell(source);
        assert_true(at >= before && at % 777 == 0);
        before = at;
        struct vt_trace_event is;
        assert_int_equal(vt_trace_next(source, 0, &is, &error), 1);
        assert_true(at == 0 || is.time_ns < t);
    }
    assert_true(before > 0);
    vt_trace_close(source);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        vt_test_in_dir(every_event_comes_back),
        vt_test_in_dir(the_greatest_event_comes_back),
        vt_test_in_dir(what_was_expected_takes_no_room),
        vt_test_in_dir(reading_begins_anywhere),
        vt_test_in_dir(reading_begins_at_a_time),
        vt_test_in_dir(a_file_cut_anywhere_gives_its_whole_chunks),
        vt_test_in_dir(a_changed_byte_is_found_wherever_it_is),
        vt_test_in_dir(zstd_unpacks_the_whole),
        vt_test_in_dir(what_was_flushed_outlives_its_writer),
        vt_test_in_dir(a_file_is_not_replaced_unasked),
        vt_test_in_dir(events_out_of_range_are_refused_and_the_rest_goes_on),
        vt_test_in_dir(a_full_disk_ends_the_file_at_a_chunk),
        vt_test_in_dir(a_disk_that_fills_meanwhile_is_told_later),
    };
    return cmocka_run_group_tests(tests, make_blocks, NULL);
}
