/* trace/file_open.c - opens a .vtrace file: the headers of all chunks, the dictionary and the
 * names. Files are hostile: every count is checked, every chunk against its checksum. What comes
 * before the first bad chunk can be read; then vt_trace_next says where it is. trace/file.h has the
 * format.
 */
#include "base/io.h"
#include "trace/file_parts.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

/* Of dictionary and names, unpacked: a file of some kilobytes can claim any size. */
#define KEPT_BYTES_MAX ((uint64_t)256 << 20)

/* Room for one more; NULL without memory. */
static void *grown(void *array, size_t n, size_t *room, size_t size)
{
    if (n < *room) {
        return array;
    }
    size_t more = *room == 0 ? 64 : *room * 2;
    void *to = reallocarray(array, more, size);
    if (to != NULL) {
        *room = more;
    }
    return to;
}

int vt_trace_file_no_memory(const struct vt_trace_file *f, struct vt_error *err)
{
    return vt_fail(err, VT_E_NOMEM, "%s: no memory to read it with", f->name);
}

/* ---- chunks */

static int read_at(const struct vt_trace_file *f, void *to, size_t n, uint64_t at,
                   struct vt_error *err)
{
    size_t done = 0;
    while (done < n) {
        ssize_t got = pread(f->fd, (uint8_t *)to + done, n - done, (off_t)(at + done));
        if (got < 0 && errno == EINTR) {
            continue;
        }
        if (got < 0) {
            return vt_fail_errno(err, VT_E_IO, errno, "%s: cannot be read", f->name);
        }
        if (got == 0) {
            return vt_fail(err, VT_E_GONE, "%s: became shorter while it was read", f->name);
        }
        done += (size_t)got;
    }
    return 0;
}

void vt_trace_file_call_bad(struct vt_trace_file *f, uint64_t at, const char *why)
{
    f->bad = true;
    f->bad_at = at;
    snprintf(f->why, sizeof f->why, "%s", why);
}

int vt_trace_file_bad_error(const struct vt_trace_file *f, struct vt_error *err)
{
    return vt_fail(err, VT_E_CORRUPT, "%s: the chunk at byte %llu: %s", f->name,
                   (unsigned long long)f->bad_at, f->why);
}

/* NULL when it is sound, else what is wrong. */
static const char *parse_header(const uint8_t *bytes, struct vt_trace_file_chunk_at *chunk)
{
    struct vt_cursor c = vt_cursor_of(bytes, VT_TRACE_FILE_HEADER_BYTES);
    uint32_t frame = vt_cursor_u32(&c), rest = vt_cursor_u32(&c);
    const uint8_t *magic = vt_cursor_take(&c, 8);
    if (frame != VT_TRACE_FILE_SKIPPABLE || rest != VT_TRACE_FILE_HEADER_BYTES - 8 ||
        memcmp(magic, VT_TRACE_FILE_MAGIC, 8) != 0) {
        return "no chunk begins here";
    }
    if (XXH3_64bits(bytes, VT_TRACE_FILE_HEADER_BYTES - 8) !=
        vt_le64(bytes + VT_TRACE_FILE_HEADER_BYTES - 8)) {
        return "its header does not have its checksum";
    }
    if (vt_cursor_u32(&c) != VT_TRACE_FILE_VERSION) {
        return "it has another version of the format";
    }
    chunk->kind = vt_cursor_u32(&c);
    chunk->raw = vt_cursor_u32(&c);
    chunk->stored = vt_cursor_u32(&c);
    chunk->number = vt_cursor_u64(&c);
    chunk->n_events = vt_cursor_u32(&c);
    (void)vt_cursor_u32(&c); /* its number among chunks, for people */
    chunk->instructions = vt_cursor_u64(&c);
    chunk->time_ns = vt_cursor_u64(&c);
    chunk->hash = vt_cursor_u64(&c);
    if (chunk->kind < VT_TRACE_CHUNK_INFO || chunk->kind > VT_TRACE_CHUNK_END ||
        chunk->raw > VT_TRACE_FILE_RAW_MAX ||
        chunk->stored > ZSTD_compressBound(VT_TRACE_FILE_RAW_MAX) ||
        chunk->n_events > VT_TRACE_FILE_CHUNK_EVENTS ||
        (chunk->n_events > 0) != (chunk->kind == VT_TRACE_CHUNK_EVENTS)) {
        return "its header is out of range";
    }
    return NULL;
}

int vt_trace_file_unpack(struct vt_trace_file *f, const struct vt_trace_file_chunk_at *chunk,
                         uint8_t *to, const char **why, struct vt_error *err)
{
    *why = NULL;
    if (chunk->stored > f->packed_room) {
        uint8_t *packed = realloc(f->packed, chunk->stored);
        if (packed == NULL) {
            return vt_trace_file_no_memory(f, err);
        }
        f->packed = packed;
        f->packed_room = chunk->stored;
    }
    int rc = chunk->stored > 0
                 ? read_at(f, f->packed, chunk->stored, chunk->at + VT_TRACE_FILE_HEADER_BYTES, err)
                 : 0;
    if (rc < 0) {
        return rc;
    }
    if (chunk->stored == 0 || XXH3_64bits(f->packed, chunk->stored) != chunk->hash) {
        *why = "its contents do not have their checksum";
    } else if (ZSTD_decompressDCtx(f->zstd, to, chunk->raw, f->packed, chunk->stored) !=
               chunk->raw) {
        *why = "its contents do not unpack to the size it says";
    }
    return 0;
}

/* ---- what opening reads */

static void take_text(struct vt_cursor *c, char *to, size_t size)
{
    uint32_t n = vt_trace_file_upto(c, (uint32_t)size - 1);
    const uint8_t *text = vt_cursor_take(c, n);
    if (text != NULL) {
        memcpy(to, text, n);
        to[n] = 0;
    }
}

static const char *read_info(struct vt_trace_file *f, struct vt_cursor c)
{
    struct vt_trace_info info = {0};
    info.started_unix_ns = vt_cursor_u64(&c);
    info.vcpus = vt_cursor_u32(&c);
    info.capabilities = vt_cursor_u32(&c);
    info.instructions = vt_cursor_u64(&c);
    info.blocks = vt_cursor_u64(&c);
    info.accesses = vt_cursor_u64(&c);
    info.dropped = vt_cursor_u64(&c);
    info.cuts = vt_cursor_u64(&c);
    take_text(&c, info.vm, sizeof info.vm);
    take_text(&c, info.arch, sizeof info.arch);
    take_text(&c, info.qemu, sizeof info.qemu);
    info.n_registers = vt_trace_file_upto(&c, VT_TRACE_FILE_REGISTERS_MAX);
    for (uint32_t i = 0; i < info.n_registers; i++) {
        take_text(&c, info.registers[i], sizeof info.registers[i]);
    }
    if (c.bad || vt_cursor_left(&c) > 0 || info.vcpus > VT_TRACE_FILE_VCPUS_MAX) {
        return "its information is out of range";
    }
    if (f->about.chunks > 0 &&
        (info.vcpus != f->info.vcpus || info.n_registers != f->info.n_registers)) {
        return "it has other vCPUs or registers than those before";
    }
    f->info = info;
    return NULL;
}

static int add_block(struct vt_trace_file *f, const struct vt_trace_block *block,
                     struct vt_error *err)
{
    if (f->n_blocks == f->room_blocks) {
        uint32_t room = f->room_blocks == 0 ? 1024 : f->room_blocks * 2;
        struct vt_trace_block *blocks = reallocarray(f->blocks, room, sizeof *blocks);
        f->blocks = blocks != NULL ? blocks : f->blocks;
        if (blocks == NULL) {
            return vt_trace_file_no_memory(f, err);
        }
        f->room_blocks = room;
    }
    f->blocks[f->n_blocks++] = *block;
    return 0;
}

static int read_blocks(struct vt_trace_file *f, struct vt_cursor c, const char **why,
                       struct vt_error *err)
{
    while (vt_cursor_left(&c) > 0) {
        struct vt_trace_block block = {.id = f->n_blocks};
        block.pc = vt_cursor_u64(&c);
        block.physical = vt_cursor_u64(&c);
        uint8_t machine = vt_cursor_u8(&c);
        block.machine = machine;
        block.n = (uint16_t)vt_trace_file_upto(&c, VT_TRACE_FILE_INSTRUCTIONS_MAX);
        block.code_bytes = (uint16_t)vt_trace_file_upto(&c, VT_TRACE_FILE_CODE_MAX);
        block.sizes = vt_cursor_take(&c, block.n);
        block.code = vt_cursor_take(&c, block.code_bytes);
        if (c.bad || block.n == 0 || machine > VT_TRACE_OTHER ||
            f->n_blocks == VT_TRACE_FILE_BLOCKS_MAX) {
            *why = "a block in it is out of range";
            return 0;
        }
        int rc = add_block(f, &block, err);
        if (rc < 0) {
            return rc;
        }
    }
    return 0;
}

/* In place: the length's byte before the text is where it can move to, so that it ends in a zero.
 */
static const char *take_name(struct vt_cursor *c)
{
    uint32_t n = vt_trace_file_upto(c, VT_TRACE_FILE_NAME_MAX);
    const uint8_t *text = vt_cursor_take(c, n);
    if (text == NULL || n == 0 || memchr(text, 0, n) != NULL) {
        c->bad |= text != NULL && n > 0;
        return NULL;
    }
    char *to = (char *)(uintptr_t)text - 1;
    memmove(to, text, n);
    to[n] = 0;
    return to;
}

static int read_names(struct vt_trace_file *f, struct vt_cursor c, const char **why,
                      struct vt_error *err)
{
    while (vt_cursor_left(&c) > 0) {
        uint8_t what = vt_cursor_u8(&c);
        if (what == VT_TRACE_NAME_ROOT) {
            struct vt_trace_file_root_name name = {.event = vt_trace_file_varint(&c)};
            name.root = vt_cursor_u64(&c);
            name.pid = (int64_t)vt_cursor_u64(&c);
            name.name = take_name(&c);
            void *to = grown(f->roots, f->about.n_roots, &f->room_roots, sizeof *f->roots);
            if (to == NULL) {
                return vt_trace_file_no_memory(f, err);
            }
            f->about.roots = f->roots = to;
            f->roots[f->about.n_roots] = name;
            f->about.n_roots += c.bad ? 0 : 1;
        } else if (what == VT_TRACE_NAME_BLOCK) {
            struct vt_trace_file_block_name name = {
                .block = vt_trace_file_upto(&c, f->n_blocks > 0 ? f->n_blocks - 1 : 0)};
            name.offset = vt_cursor_u64(&c);
            name.object = take_name(&c);
            name.function = take_name(&c);
            void *to = grown(f->block_names, f->about.n_block_names, &f->room_block_names,
                             sizeof *f->block_names);
            if (to == NULL) {
                return vt_trace_file_no_memory(f, err);
            }
            f->about.block_names = f->block_names = to;
            f->block_names[f->about.n_block_names] = name;
            f->about.n_block_names += c.bad ? 0 : 1;
        } else {
            c.bad = true;
        }
        if (c.bad) {
            *why = "a name in it is out of range";
            return 0;
        }
    }
    return 0;
}

static const char *read_end(struct vt_trace_file *f, struct vt_cursor c)
{
    struct vt_trace_file_totals t;
    t.events = vt_cursor_u64(&c);
    t.instructions = vt_cursor_u64(&c);
    t.blocks = vt_cursor_u64(&c);
    t.accesses = vt_cursor_u64(&c);
    t.cuts = vt_cursor_u64(&c);
    t.lost_words = vt_cursor_u64(&c);
    t.last_time_ns = vt_cursor_u64(&c);
    if (c.bad || vt_cursor_left(&c) > 0 || t.events != f->about.events) {
        return "its totals are not those of the file";
    }
    f->about.totals = t;
    f->about.ended = true;
    return NULL;
}

/* What is not events is read at once, and kept when something points into it. */
static int take_chunk(struct vt_trace_file *f, const struct vt_trace_file_chunk_at *chunk,
                      const char **why, struct vt_error *err)
{
    if (chunk->kind == VT_TRACE_CHUNK_EVENTS) {
        void *to = grown(f->chunks, f->n_chunks, &f->room_chunks, sizeof *f->chunks);
        if (to == NULL) {
            return vt_trace_file_no_memory(f, err);
        }
        f->chunks = to;
        f->chunks[f->n_chunks++] = *chunk;
        return 0;
    }
    f->kept_bytes += chunk->raw;
    if (f->kept_bytes > KEPT_BYTES_MAX) {
        *why = "the file's blocks and names do not end";
        return 0;
    }
    void *to = grown(f->kept, f->n_kept, &f->room_kept, sizeof *f->kept);
    uint8_t *raw = malloc((size_t)chunk->raw + 1);
    f->kept = to != NULL ? to : f->kept;
    if (to == NULL || raw == NULL) {
        free(raw);
        return vt_trace_file_no_memory(f, err);
    }
    f->kept[f->n_kept++] = raw;
    int rc = vt_trace_file_unpack(f, chunk, raw, why, err);
    if (rc < 0 || *why != NULL) {
        return rc;
    }
    struct vt_cursor c = vt_cursor_of(raw, chunk->raw);
    switch ((enum vt_trace_file_chunk)chunk->kind) {
    case VT_TRACE_CHUNK_INFO:
        *why = read_info(f, c);
        break;
    case VT_TRACE_CHUNK_BLOCKS:
        return read_blocks(f, c, why, err);
    case VT_TRACE_CHUNK_NAMES:
        return read_names(f, c, why, err);
    case VT_TRACE_CHUNK_END:
        *why = read_end(f, c);
        break;
    case VT_TRACE_CHUNK_EVENTS:
        break;
    }
    return 0;
}

static int scan(struct vt_trace_file *f, struct vt_error *err)
{
    uint64_t at = 0;
    while (at < f->size && !f->bad) {
        uint8_t header[VT_TRACE_FILE_HEADER_BYTES];
        struct vt_trace_file_chunk_at chunk = {.at = at};
        if (f->size - at < sizeof header) {
            f->about.cut_bytes = f->size - at;
            break;
        }
        int rc = read_at(f, header, sizeof header, at, err);
        if (rc < 0) {
            return rc;
        }
        const char *why = parse_header(header, &chunk);
        if (why == NULL && chunk.stored > f->size - at - sizeof header) {
            f->about.cut_bytes = f->size - at;
            break;
        }
        if (why == NULL && (at == 0) && chunk.kind != VT_TRACE_CHUNK_INFO) {
            why = "a file begins with information";
        }
        if (why == NULL && (chunk.number != f->about.events || f->about.ended)) {
            why = "it does not follow from what comes before";
        }
        if (why == NULL) {
            rc = take_chunk(f, &chunk, &why, err);
            if (rc < 0) {
                return rc;
            }
        }
        if (why != NULL) {
            vt_trace_file_call_bad(f, at, why);
            break;
        }
        f->about.chunks++;
        f->about.event_chunks += chunk.kind == VT_TRACE_CHUNK_EVENTS;
        f->about.events += chunk.n_events;
        f->about.raw_bytes += chunk.raw;
        at += sizeof header + chunk.stored;
        f->about.bytes = at;
    }
    if (f->about.chunks == 0) {
        return f->bad ? vt_trace_file_bad_error(f, err)
                      : vt_fail(err, VT_E_CORRUPT, "%s: no trace begins in its %llu bytes", f->name,
                                (unsigned long long)f->size);
    }
    return 0;
}

/* ---- the source */

static const struct vt_trace_block *file_block(const struct vt_trace_source *source, uint32_t id)
{
    const struct vt_trace_file *f = vt_trace_file_of(source);
    return id < f->n_blocks ? &f->blocks[id] : NULL;
}

static const struct vt_trace_info *file_info(struct vt_trace_source *source)
{
    return &vt_trace_file_of(source)->info;
}

static void file_close(struct vt_trace_source *source)
{
    struct vt_trace_file *f = vt_trace_file_of(source);
    vt_close(&f->fd);
    for (size_t i = 0; i < f->n_kept; i++) {
        free(f->kept[i]);
    }
    free(f->kept);
    free(f->blocks);
    free(f->roots);
    free(f->block_names);
    free(f->chunks);
    ZSTD_freeDCtx(f->zstd);
    free(f->packed);
    free(f->raw);
    free(f->model);
    free(f->accesses);
    free(f);
}

static const struct vt_trace_source_kind kind = {vt_trace_file_next, file_block, file_info,
                                                 file_close};

const struct vt_trace_file_about *vt_trace_file_about(const struct vt_trace_source *source)
{
    return source->kind == &kind ? &vt_trace_file_of(source)->about : NULL;
}

static int open_plain(const char *path, int *fd, uint64_t *size, struct vt_error *err)
{
    struct stat st;
    int to = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (to < 0) {
        return vt_fail_errno(err, vt_code_of_errno(errno), errno, "cannot open %s", path);
    }
    if (fstat(to, &st) != 0 || !S_ISREG(st.st_mode)) {
        close(to);
        return vt_fail(err, VT_E_INVAL, "%s is no plain file", path);
    }
    *fd = to;
    *size = (uint64_t)st.st_size;
    return 0;
}

int vt_trace_open_file(const char *path, struct vt_trace_source **source, struct vt_error *err)
{
    struct vt_trace_file *f = calloc(1, sizeof *f);
    if (f == NULL) {
        return vt_fail(err, VT_E_NOMEM, "no memory to read a trace with");
    }
    f->source.kind = &kind;
    f->fd = -1;
    const char *slash = strrchr(path, '/');
    snprintf(f->name, sizeof f->name, "%s", slash != NULL ? slash + 1 : path);
    f->zstd = ZSTD_createDCtx();
    int rc = f->zstd == NULL ? vt_trace_file_no_memory(f, err) : 0;
    rc = rc < 0 ? rc : open_plain(path, &f->fd, &f->size, err);
    rc = rc < 0 ? rc : scan(f, err);
    if (rc < 0) {
        file_close(&f->source);
        return rc;
    }
    f->info.n_blocks = f->n_blocks;
    *source = &f->source;
    return 0;
}
