/* trace/file_write.c - writes a .vtrace file: events become bytes (a run of blocks that follow one
 * another as before is one byte), bytes become zstd frames, each with a header that says what it
 * holds and what its checksum is. Nothing is written twice: what lies in the file stays readable
 * when the writer dies. trace/file.h has the format.
 */
#include "base/io.h"
#include "trace/file.h"

#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zstd.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

#define LEVEL 1
/* The greatest event beside the fill that closes a chunk. */
#define EVENT_BYTES ((size_t)VT_TRACE_FILE_ACCESSES_MAX * 34 + 1024)
_Static_assert(VT_TRACE_FILE_CHUNK_BYTES + EVENT_BYTES <= VT_TRACE_FILE_RAW_MAX, "fits");

/* By the source's id. */
struct known {
    uint32_t file_id; /* + 1; 0: not in the file yet */
    uint32_t next;    /* source's id of what followed it */
    uint32_t stamp;
};

struct bytes {
    uint8_t *at;
    size_t n, room;
};

struct vt_trace_writer {
    int fd;
    int failed; /* a code; nothing more is written */
    uint32_t n_vcpus, n_registers;
    ZSTD_CCtx *zstd;
    uint8_t *packed;
    size_t packed_room;
    struct bytes events, blocks, names;
    uint32_t chunks;
    uint32_t chunk_events;
    uint64_t hits; /* not written yet */
    uint32_t n_blocks;
    struct known *known;
    uint32_t n_known;
    uint32_t stamp;
    uint32_t vcpu;
    struct vt_trace_file_vcpu vcpus[VT_TRACE_FILE_VCPUS_MAX]; /* `last`: source's id + 1 */
    struct vt_trace_file_place *places;
    struct vt_trace_file_totals totals;
};

/* ---- bytes */

static int reserve(struct bytes *b, size_t more, struct vt_error *err)
{
    if (b->room - b->n >= more) {
        return 0;
    }
    size_t room = b->room * 2 > b->n + more ? b->room * 2 : b->n + more;
    uint8_t *at = realloc(b->at, room);
    if (at == NULL) {
        return vt_fail(err, VT_E_NOMEM, "no memory for the trace file's buffer");
    }
    b->at = at;
    b->room = room;
    return 0;
}

static void put_u8(struct bytes *b, uint8_t v)
{
    b->at[b->n++] = v;
}

static void put_u32(struct bytes *b, uint32_t v)
{
    v = htole32(v);
    memcpy(b->at + b->n, &v, sizeof v);
    b->n += sizeof v;
}

static void put_u64(struct bytes *b, uint64_t v)
{
    v = htole64(v);
    memcpy(b->at + b->n, &v, sizeof v);
    b->n += sizeof v;
}

static void put_varint(struct bytes *b, uint64_t v)
{
    while (v >= 128) {
        b->at[b->n++] = (uint8_t)(v | 128);
        v >>= 7;
    }
    b->at[b->n++] = (uint8_t)v;
}

static void put_bytes(struct bytes *b, const void *from, size_t n)
{
    if (n > 0) {
        memcpy(b->at + b->n, from, n);
        b->n += n;
    }
}

static void put_text(struct bytes *b, const char *text, size_t max)
{
    size_t n = text != NULL ? strnlen(text, max) : 0;
    put_varint(b, n);
    put_bytes(b, text, n);
}

/* ---- chunks */

/* Once a write has failed the file's end is unknown: nothing more goes there. */
static int write_chunk(struct vt_trace_writer *w, enum vt_trace_file_chunk kind,
                       const struct bytes *raw, uint32_t n_events, struct vt_error *err)
{
    size_t bound = VT_TRACE_FILE_HEADER_BYTES + ZSTD_compressBound(raw->n);
    if (bound > w->packed_room) {
        uint8_t *packed = realloc(w->packed, bound);
        if (packed == NULL) {
            return vt_fail(err, VT_E_NOMEM, "no memory to pack the trace in");
        }
        w->packed = packed;
        w->packed_room = bound;
    }
    uint8_t *body = w->packed + VT_TRACE_FILE_HEADER_BYTES;
    size_t stored = ZSTD_compress2(w->zstd, body, bound - VT_TRACE_FILE_HEADER_BYTES,
                                   raw->n > 0 ? raw->at : body, raw->n);
    if (ZSTD_isError(stored)) {
        return vt_fail(err, VT_E_NOMEM, "zstd: %s", ZSTD_getErrorName(stored));
    }
    struct bytes header = {.at = w->packed, .room = VT_TRACE_FILE_HEADER_BYTES};
    put_u32(&header, VT_TRACE_FILE_SKIPPABLE);
    put_u32(&header, VT_TRACE_FILE_HEADER_BYTES - 8);
    put_bytes(&header, VT_TRACE_FILE_MAGIC, 8);
    put_u32(&header, VT_TRACE_FILE_VERSION);
    put_u32(&header, kind);
    put_u32(&header, (uint32_t)raw->n);
    put_u32(&header, (uint32_t)stored);
    put_u64(&header, w->totals.events - n_events);
    put_u32(&header, n_events);
    put_u32(&header, w->chunks);
    put_u64(&header, XXH3_64bits(body, stored));
    put_u64(&header, XXH3_64bits(header.at, header.n));
    int rc =
        vt_write_all(w->fd, w->packed, VT_TRACE_FILE_HEADER_BYTES + stored, "the trace file", err);
    if (rc < 0) {
        w->failed = rc;
        return rc;
    }
    w->chunks++;
    return 0;
}

static void put_hits(struct vt_trace_writer *w)
{
    if (w->hits > 0 && w->hits <= VT_TRACE_OP_MANY_HITS - VT_TRACE_OP_HITS) {
        put_u8(&w->events, (uint8_t)(VT_TRACE_OP_HITS + w->hits - 1));
    } else if (w->hits > 0) {
        put_u8(&w->events, VT_TRACE_OP_MANY_HITS);
        put_varint(&w->events, w->hits);
    }
    w->hits = 0;
}

static void begin_chunk(struct vt_trace_writer *w)
{
    w->events.n = w->blocks.n = 0;
    w->chunk_events = 0;
    w->vcpu = 0;
    w->stamp++;
    for (size_t i = 0; i < VT_TRACE_FILE_VCPUS_MAX; i++) {
        w->vcpus[i] = (struct vt_trace_file_vcpu){.root = ~(uint64_t)0};
    }
}

static int gone(const struct vt_trace_writer *w, struct vt_error *err)
{
    return vt_fail(err, (enum vt_code)w->failed, "writing the trace file has failed before");
}

int vt_trace_writer_flush(struct vt_trace_writer *w, struct vt_error *err)
{
    if (w->failed != 0) {
        return gone(w, err);
    }
    put_hits(w);
    int rc = 0;
    if (w->blocks.n > 0) {
        /* Names and blocks come before what needs them. `number` is that of the next event. */
        w->totals.events -= w->chunk_events;
        rc = write_chunk(w, VT_TRACE_CHUNK_BLOCKS, &w->blocks, 0, err);
        w->totals.events += w->chunk_events;
        w->blocks.n = rc == 0 ? 0 : w->blocks.n;
    }
    if (rc == 0 && w->chunk_events > 0) {
        rc = write_chunk(w, VT_TRACE_CHUNK_EVENTS, &w->events, w->chunk_events, err);
        if (rc == 0) {
            begin_chunk(w);
        }
    }
    if (rc == 0 && w->names.n > 0) {
        rc = write_chunk(w, VT_TRACE_CHUNK_NAMES, &w->names, 0, err);
        w->names.n = rc == 0 ? 0 : w->names.n;
    }
    return rc;
}

/* ---- the file */

static int open_new(const char *path, bool replace, int *fd, struct vt_error *err)
{
    const int flags = O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC;
    struct stat st;
    int to = open(path, flags, 0600);
    if (to < 0 && errno == EEXIST && replace) {
        if (lstat(path, &st) != 0 || !S_ISREG(st.st_mode)) {
            return vt_fail(err, VT_E_INVAL, "%s is no plain file and stays", path);
        }
        if (unlink(path) == 0) {
            to = open(path, flags, 0600);
        }
    }
    if (to < 0) {
        return vt_fail_errno(err, errno == EEXIST ? VT_E_EXISTS : vt_code_of_errno(errno), errno,
                             "cannot make %s", path);
    }
    *fd = to;
    return 0;
}

int vt_trace_writer_info(struct vt_trace_writer *w, const struct vt_trace_info *info,
                         struct vt_error *err)
{
    if (info->vcpus != w->n_vcpus || info->n_registers != w->n_registers) {
        return vt_fail(err, VT_E_INVAL, "a trace of %u vCPUs and %u registers", info->vcpus,
                       info->n_registers);
    }
    int rc = vt_trace_writer_flush(w, err);
    if (rc < 0) {
        return rc;
    }
    uint8_t room[1024];
    struct bytes b = {.at = room, .room = sizeof room};
    put_u64(&b, info->started_unix_ns);
    put_u32(&b, info->vcpus);
    put_u32(&b, info->capabilities);
    put_u64(&b, info->instructions);
    put_u64(&b, info->blocks);
    put_u64(&b, info->accesses);
    put_u64(&b, info->dropped);
    put_u64(&b, info->cuts);
    put_text(&b, info->vm, sizeof info->vm - 1);
    put_text(&b, info->arch, sizeof info->arch - 1);
    put_text(&b, info->qemu, sizeof info->qemu - 1);
    put_varint(&b, info->n_registers);
    for (uint32_t i = 0; i < info->n_registers; i++) {
        put_text(&b, info->registers[i], sizeof info->registers[i] - 1);
    }
    return write_chunk(w, VT_TRACE_CHUNK_INFO, &b, 0, err);
}

static void destroy(struct vt_trace_writer *w)
{
    vt_close(&w->fd);
    ZSTD_freeCCtx(w->zstd);
    free(w->packed);
    free(w->events.at);
    free(w->blocks.at);
    free(w->names.at);
    free(w->known);
    free(w->places);
    free(w);
}

int vt_trace_writer_create(const char *path, bool replace, const struct vt_trace_info *info,
                           struct vt_trace_writer **to, struct vt_error *err)
{
    struct vt_trace_writer *w = calloc(1, sizeof *w);
    if (w == NULL) {
        return vt_fail(err, VT_E_NOMEM, "no memory to write a trace with");
    }
    w->fd = -1;
    w->n_vcpus = info->vcpus <= VT_TRACE_FILE_VCPUS_MAX ? info->vcpus : 0;
    w->n_registers = info->n_registers <= VT_TRACE_FILE_REGISTERS_MAX ? info->n_registers : 0;
    w->zstd = ZSTD_createCCtx();
    w->places = calloc(VT_TRACE_FILE_PLACES, sizeof *w->places);
    int rc = reserve(&w->events, VT_TRACE_FILE_CHUNK_BYTES + EVENT_BYTES, err);
    if (w->zstd == NULL || w->places == NULL) {
        rc = vt_fail(err, VT_E_NOMEM, "no memory to write a trace with");
    }
    if (rc == 0) {
        ZSTD_CCtx_setParameter(w->zstd, ZSTD_c_compressionLevel, LEVEL);
        begin_chunk(w);
        rc = open_new(path, replace, &w->fd, err);
    }
    if (rc == 0) {
        rc = vt_trace_writer_info(w, info, err);
        if (rc < 0) {
            unlink(path);
        }
    }
    if (rc < 0) {
        destroy(w);
        return rc;
    }
    *to = w;
    return 0;
}

int vt_trace_writer_close(struct vt_trace_writer *w, struct vt_error *err)
{
    if (w == NULL) {
        return 0;
    }
    int rc = vt_trace_writer_flush(w, err);
    if (rc == 0) {
        uint8_t room[64];
        struct bytes b = {.at = room, .room = sizeof room};
        const struct vt_trace_file_totals *t = &w->totals;
        put_u64(&b, t->events);
        put_u64(&b, t->instructions);
        put_u64(&b, t->blocks);
        put_u64(&b, t->accesses);
        put_u64(&b, t->cuts);
        put_u64(&b, t->lost_words);
        put_u64(&b, t->last_time_ns);
        rc = write_chunk(w, VT_TRACE_CHUNK_END, &b, 0, err);
    }
    if (rc == 0 && close(w->fd) != 0) {
        rc = vt_fail_errno(err, VT_E_IO, errno, "cannot close the trace file");
    } else if (rc < 0) {
        vt_close(&w->fd);
    }
    w->fd = -1;
    destroy(w);
    return rc;
}

/* ---- blocks */

static int add_known(struct vt_trace_writer *w, uint32_t id, struct vt_error *err)
{
    if (id >= VT_TRACE_FILE_BLOCKS_MAX) {
        return vt_fail(err, VT_E_LIMIT, "block %u: a file holds %u", id, VT_TRACE_FILE_BLOCKS_MAX);
    }
    if (id >= w->n_known) {
        uint32_t n = w->n_known == 0 ? 4096 : w->n_known;
        while (n <= id) {
            n *= 2;
        }
        struct known *known = realloc(w->known, n * sizeof *known);
        if (known == NULL) {
            return vt_fail(err, VT_E_NOMEM, "no memory for %u blocks", n);
        }
        memset(known + w->n_known, 0, (n - w->n_known) * sizeof *known);
        w->known = known;
        w->n_known = n;
    }
    return 0;
}

/* Writes the dictionary entry of a block that is new to the file. */
static int know(struct vt_trace_writer *w, const struct vt_trace_block *block, struct vt_error *err)
{
    int rc = add_known(w, block->id, err);
    if (rc < 0 || w->known[block->id].file_id != 0) {
        return rc;
    }
    if (block->n == 0 || block->n > VT_TRACE_FILE_INSTRUCTIONS_MAX ||
        block->code_bytes > VT_TRACE_FILE_CODE_MAX) {
        return vt_fail(err, VT_E_INVAL, "block %u has %u instructions in %u bytes", block->id,
                       block->n, block->code_bytes);
    }
    rc = reserve(&w->blocks, (size_t)64 + block->n + block->code_bytes, err);
    if (rc < 0) {
        return rc;
    }
    put_u64(&w->blocks, block->pc);
    put_u64(&w->blocks, block->physical);
    put_u8(&w->blocks, (uint8_t)block->machine);
    put_varint(&w->blocks, block->n);
    put_varint(&w->blocks, block->code_bytes);
    put_bytes(&w->blocks, block->sizes, block->n);
    put_bytes(&w->blocks, block->code, block->code_bytes);
    w->known[block->id].file_id = ++w->n_blocks;
    return 0;
}

/* ---- events */

static void put_state(struct vt_trace_writer *w, const struct vt_trace_event *event)
{
    struct bytes *b = &w->events;
    if (event->vcpu != w->vcpu) {
        put_u8(b, VT_TRACE_OP_VCPU);
        put_varint(b, event->vcpu);
        w->vcpu = event->vcpu;
    }
    struct vt_trace_file_vcpu *v = &w->vcpus[event->vcpu];
    if (event->time_ns != v->time_ns) {
        put_u8(b, VT_TRACE_OP_TIME);
        put_varint(b, vt_trace_file_zigzag(event->time_ns - v->time_ns));
        v->time_ns = event->time_ns;
    }
    if (event->root != v->root) {
        put_u8(b, VT_TRACE_OP_ROOT);
        put_u64(b, event->root);
        v->root = event->root;
    }
    if (event->sequence != v->sequence) {
        put_u8(b, VT_TRACE_OP_SEQUENCE);
        put_varint(b, event->sequence);
        v->sequence = event->sequence;
    }
    v->sequence++;
}

static uint16_t shape_of(const struct vt_trace_access *a)
{
    return (uint16_t)((a->instruction & 1023u) | (uint32_t)__builtin_ctz(a->bytes) << 10 |
                      (a->store ? VT_TRACE_SHAPE_STORE : 0) |
                      (a->has_value ? VT_TRACE_SHAPE_VALUE : 0) |
                      (a->device ? VT_TRACE_SHAPE_DEVICE : 0));
}

static struct vt_trace_file_place *place_of(struct vt_trace_writer *w, uint32_t id, uint32_t k)
{
    return &w->places[vt_trace_file_place(w->vcpu, id, k)];
}

/* As many accesses as the last time, and each of the shape it had. */
static bool same_shapes(struct vt_trace_writer *w, const struct vt_trace_event *event, uint32_t id)
{
    if (place_of(w, id, 0)->n != event->n_accesses) {
        return false;
    }
    for (uint32_t i = 0; i < event->n_accesses; i++) {
        const struct vt_trace_file_place *p = place_of(w, id, i);
        if (p->stamp != w->stamp || p->shape != shape_of(&event->accesses[i])) {
            return false;
        }
    }
    return true;
}

static void put_accesses(struct vt_trace_writer *w, const struct vt_trace_event *event, uint32_t id,
                         bool same)
{
    struct bytes *b = &w->events;
    if (!same) {
        put_varint(b, event->n_accesses);
    }
    for (uint32_t i = 0; i < event->n_accesses; i++) {
        const struct vt_trace_access *a = &event->accesses[i];
        struct vt_trace_file_place *p = place_of(w, id, i);
        if (p->stamp != w->stamp) {
            *p = (struct vt_trace_file_place){.stamp = w->stamp};
        }
        if (!same) {
            p->shape = shape_of(a);
            put_varint(b, p->shape);
        }
        put_varint(b, vt_trace_file_zigzag(a->address - p->address));
        p->address = a->address;
        if (a->has_value) {
            put_varint(b, vt_trace_file_zigzag(a->value[0] - p->value));
            p->value = a->value[0];
            if (a->bytes == 16) {
                put_u64(b, a->value[1]);
            }
        }
    }
    place_of(w, id, 0)->n = vt_trace_file_place_n(event->n_accesses);
}

static int check_accesses(const struct vt_trace_event *event, struct vt_error *err)
{
    if (event->n_accesses > VT_TRACE_FILE_ACCESSES_MAX) {
        return vt_fail(err, VT_E_LIMIT, "%u accesses in one event", event->n_accesses);
    }
    for (uint32_t i = 0; i < event->n_accesses; i++) {
        uint8_t bytes = event->accesses[i].bytes;
        if (bytes == 0 || bytes > 16 || (bytes & (bytes - 1)) != 0 ||
            event->accesses[i].instruction >= VT_TRACE_FILE_INSTRUCTIONS_MAX) {
            return vt_fail(err, VT_E_INVAL, "an access of %u bytes by instruction %u", bytes,
                           event->accesses[i].instruction);
        }
    }
    return 0;
}

static int put_block(struct vt_trace_writer *w, const struct vt_trace_event *event,
                     struct vt_error *err)
{
    const struct vt_trace_block *block = event->block;
    if (block == NULL || event->executed > block->n || event->end > VT_TRACE_END_UNKNOWN) {
        return vt_fail(err, VT_E_INVAL, "an event without its block");
    }
    int rc = know(w, block, err);
    rc = rc < 0 ? rc : check_accesses(event, err);
    if (rc < 0) {
        return rc;
    }
    put_hits(w);
    put_state(w, event);
    struct vt_trace_file_vcpu *v = &w->vcpus[event->vcpu];
    struct known *before = v->last > 0 ? &w->known[v->last - 1] : NULL;
    bool hit = before != NULL && before->stamp == w->stamp && before->next == block->id;
    bool cut_short = event->executed != block->n || event->end != VT_TRACE_END_WHOLE;
    bool jump = event->from != 0 || event->to != 0;
    uint32_t id = w->known[block->id].file_id - 1;
    bool same = event->n_accesses > 0 && same_shapes(w, event, id);
    struct bytes *b = &w->events;
    put_u8(b, (uint8_t)(VT_TRACE_OP_BLOCK | (same ? VT_TRACE_BLOCK_SAME_SHAPES : 0) |
                        (hit ? 0 : VT_TRACE_BLOCK_MISS) | (cut_short ? VT_TRACE_BLOCK_SHORT : 0) |
                        (jump ? VT_TRACE_BLOCK_JUMP : 0) |
                        (event->n_accesses > 0 ? VT_TRACE_BLOCK_ACCESSES : 0)));
    if (!hit) {
        put_varint(b, id);
    }
    if (cut_short) {
        put_varint(b, event->executed);
        put_u8(b, (uint8_t)event->end);
        w->totals.cuts++;
    }
    if (jump) {
        put_u64(b, event->from);
        put_u64(b, event->to);
    }
    if (event->n_accesses > 0) {
        put_accesses(w, event, id, same);
    }
    if (before != NULL) {
        before->next = block->id;
        before->stamp = w->stamp;
    }
    v->last = block->id + 1;
    w->totals.blocks++;
    w->totals.instructions += event->executed;
    w->totals.accesses += event->n_accesses;
    return 0;
}

static int put_other(struct vt_trace_writer *w, const struct vt_trace_event *event,
                     struct vt_error *err)
{
    if ((event->kind == VT_TRACE_EV_REGISTERS && event->n_registers > w->n_registers) ||
        (event->kind == VT_TRACE_EV_CUT && event->end > VT_TRACE_END_UNKNOWN) ||
        event->kind > VT_TRACE_EV_CUT) {
        return vt_fail(err, VT_E_INVAL, "an event of kind %u that is out of range", event->kind);
    }
    struct bytes *b = &w->events;
    put_hits(w);
    put_state(w, event);
    switch (event->kind) {
    case VT_TRACE_EV_REGISTERS:
        put_u8(b, VT_TRACE_OP_REGISTERS);
        put_u64(b, event->pc);
        put_varint(b, event->n_registers);
        for (uint32_t i = 0; i < event->n_registers; i++) {
            put_u64(b, event->registers[i]);
        }
        break;
    case VT_TRACE_EV_LOST:
        put_u8(b, VT_TRACE_OP_LOST);
        put_varint(b, event->lost_words);
        w->totals.lost_words += event->lost_words;
        break;
    case VT_TRACE_EV_MODE:
        put_u8(b, VT_TRACE_OP_MODE);
        put_varint(b, event->detail);
        put_varint(b, event->generation);
        break;
    case VT_TRACE_EV_PAUSE:
        put_u8(b, VT_TRACE_OP_PAUSE);
        break;
    case VT_TRACE_EV_RESUME:
        put_u8(b, VT_TRACE_OP_RESUME);
        break;
    case VT_TRACE_EV_CUT:
        put_u8(b, VT_TRACE_OP_CUT);
        put_u8(b, (uint8_t)event->end);
        put_u64(b, event->from);
        put_u64(b, event->to);
        w->totals.cuts++;
        break;
    case VT_TRACE_EV_BLOCK:
        break; /* put_block's */
    }
    return 0;
}

/* A whole block with nothing new, after the one it followed the last time: most events. */
static bool put_hit(struct vt_trace_writer *w, const struct vt_trace_event *event)
{
    struct vt_trace_file_vcpu *v = &w->vcpus[w->vcpu];
    if (event->kind != VT_TRACE_EV_BLOCK || event->vcpu != w->vcpu || v->last == 0 ||
        event->n_accesses != 0 || event->end != VT_TRACE_END_WHOLE ||
        event->time_ns != v->time_ns || event->root != v->root || event->sequence != v->sequence ||
        (event->from | event->to) != 0) {
        return false;
    }
    const struct known *before = &w->known[v->last - 1];
    if (before->stamp != w->stamp || before->next != event->block->id ||
        event->executed != event->block->n) {
        return false;
    }
    w->hits++;
    v->sequence++;
    v->last = event->block->id + 1;
    w->totals.blocks++;
    w->totals.instructions += event->executed;
    return true;
}

int vt_trace_writer_put(struct vt_trace_writer *w, const struct vt_trace_event *event,
                        struct vt_error *err)
{
    if (w->failed != 0) {
        return gone(w, err);
    }
    if (event->vcpu >= w->n_vcpus) {
        return vt_fail(err, VT_E_INVAL, "an event of vCPU %u", event->vcpu);
    }
    if (w->events.n >= VT_TRACE_FILE_CHUNK_BYTES || w->blocks.n >= VT_TRACE_FILE_CHUNK_BYTES ||
        w->chunk_events >= VT_TRACE_FILE_CHUNK_EVENTS) {
        int rc = vt_trace_writer_flush(w, err);
        if (rc < 0) {
            return rc;
        }
    }
    if (!put_hit(w, event)) {
        int rc =
            event->kind == VT_TRACE_EV_BLOCK ? put_block(w, event, err) : put_other(w, event, err);
        if (rc < 0) {
            return rc;
        }
    }
    w->chunk_events++;
    w->totals.events++;
    w->totals.last_time_ns =
        event->time_ns > w->totals.last_time_ns ? event->time_ns : w->totals.last_time_ns;
    return 0;
}

/* ---- names */

static int room_for_names(struct vt_trace_writer *w, struct vt_error *err)
{
    if (w->failed != 0) {
        return gone(w, err);
    }
    int rc = w->names.n >= VT_TRACE_FILE_CHUNK_BYTES ? vt_trace_writer_flush(w, err) : 0;
    return rc < 0 ? rc : reserve(&w->names, 64 + 2 * VT_TRACE_FILE_NAME_MAX, err);
}

int vt_trace_writer_name_root(struct vt_trace_writer *w, uint64_t root, int64_t pid,
                              const char *name, struct vt_error *err)
{
    int rc = room_for_names(w, err);
    if (rc < 0) {
        return rc;
    }
    put_u8(&w->names, VT_TRACE_NAME_ROOT);
    put_u64(&w->names, root);
    put_u64(&w->names, (uint64_t)pid);
    put_text(&w->names, name, VT_TRACE_FILE_NAME_MAX);
    return 0;
}

int vt_trace_writer_name_block(struct vt_trace_writer *w, uint32_t block, const char *object,
                               const char *function, uint64_t offset, struct vt_error *err)
{
    if (block >= w->n_known || w->known[block].file_id == 0) {
        return vt_fail(err, VT_E_NOT_FOUND, "block %u is not in the file", block);
    }
    int rc = room_for_names(w, err);
    if (rc < 0) {
        return rc;
    }
    put_u8(&w->names, VT_TRACE_NAME_BLOCK);
    put_varint(&w->names, w->known[block].file_id - 1);
    put_u64(&w->names, offset);
    put_text(&w->names, object, VT_TRACE_FILE_NAME_MAX);
    put_text(&w->names, function, VT_TRACE_FILE_NAME_MAX);
    return 0;
}
