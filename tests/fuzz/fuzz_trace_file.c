/* tests/fuzz/fuzz_trace_file.c - a .vtrace file as somebody else made it: the bytes as they are,
 * and as the contents of chunks whose headers, packing and checksums are right (a checksum keeps a
 * fuzzer out): each chunk its kind, a byte with the number of its events, two of length, contents.
 */
#include "tests/fuzz/fuzz.h"

#include "base/cursor.h"
#include "trace/file.h"

#include <sys/mman.h>
#include <unistd.h>
#include <zstd.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

/* A few bytes can stand for millions of events. */
#define EVENTS_MAX 20000

static void check(const struct vt_trace_source *source, const struct vt_trace_event *e,
                  const struct vt_trace_info *info)
{
    FUZZ_CHECK(e->kind <= VT_TRACE_EV_CUT && e->end <= VT_TRACE_END_UNKNOWN);
    FUZZ_CHECK(info->vcpus == 0 || e->vcpu < info->vcpus);
    FUZZ_CHECK((e->kind == VT_TRACE_EV_BLOCK) == (e->block != NULL));
    FUZZ_CHECK(e->n_registers <= info->n_registers);
    if (e->block == NULL) {
        return;
    }
    FUZZ_CHECK(vt_trace_block(source, e->block->id) == e->block);
    FUZZ_CHECK(e->block->n > 0 && e->executed <= e->block->n);
    for (uint32_t i = 0; i < e->n_accesses; i++) {
        FUZZ_CHECK(e->accesses[i].instruction < e->block->n && e->accesses[i].bytes <= 16);
    }
    struct vt_trace_instruction insn;
    vt_trace_decode(e->block, e->block->n - 1u, &insn);
    FUZZ_CHECK(memchr(insn.text, 0, sizeof insn.text) != NULL);
    static uint8_t sum;
    for (unsigned i = 0; insn.bytes != NULL && i < insn.size; i++) {
        sum = (uint8_t)(sum + insn.bytes[i]);
    }
}

static void read_all(const char *path)
{
    struct vt_trace_source *source = NULL;
    struct vt_error err;
    int rc = vt_trace_open_file(path, &source, &err);
    FUZZ_CHECK(rc == 0 || rc == VT_E_CORRUPT);
    if (rc < 0) {
        return;
    }
    const struct vt_trace_info *info = vt_trace_source_info(source);
    const struct vt_trace_file_about *about = vt_trace_file_about(source);
    for (size_t i = 0; i < about->n_roots; i++) {
        FUZZ_CHECK(about->roots[i].name == NULL ||
                   strlen(about->roots[i].name) <= VT_TRACE_FILE_NAME_MAX);
    }
    for (size_t i = 0; i < about->n_block_names; i++) {
        FUZZ_CHECK(vt_trace_block(source, about->block_names[i].block) != NULL);
    }
    struct vt_trace_event e;
    uint64_t n = 0;
    while (n < EVENTS_MAX && (rc = vt_trace_next(source, 0, &e, &err)) == 1) {
        check(source, &e, info);
        n++;
    }
    FUZZ_CHECK(rc == 1 || rc == 0 || rc == VT_E_CORRUPT);
    FUZZ_CHECK(n <= about->events && (rc != 0 || n == about->events));
    /* Once more from its middle: the same end. */
    if (n < EVENTS_MAX && vt_trace_file_seek(source, n / 2, &err) == 0) {
        uint64_t again = n / 2;
        int then;
        while ((then = vt_trace_next(source, 0, &e, &err)) == 1) {
            again++;
        }
        FUZZ_CHECK(then == rc && again == n);
    }
    vt_trace_close(source);
}

struct out {
    uint8_t bytes[1 << 20];
    size_t n;
    uint64_t events;
};

static void put_chunk(struct out *out, uint8_t kind, uint32_t n_events, const uint8_t *raw,
                      size_t n)
{
    size_t room = ZSTD_compressBound(n) + VT_TRACE_FILE_HEADER_BYTES;
    if (out->n + room > sizeof out->bytes) {
        return;
    }
    uint8_t *at = out->bytes + out->n, *body = at + VT_TRACE_FILE_HEADER_BYTES;
    size_t stored = ZSTD_compress(body, room - VT_TRACE_FILE_HEADER_BYTES, raw, n, 1);
    FUZZ_CHECK(!ZSTD_isError(stored));
    uint32_t head[] = {VT_TRACE_FILE_SKIPPABLE, VT_TRACE_FILE_HEADER_BYTES - 8};
    uint32_t about[] = {VT_TRACE_FILE_VERSION, kind, (uint32_t)n, (uint32_t)stored};
    uint32_t more[] = {n_events, 0};
    uint64_t hash = XXH3_64bits(body, stored), sums[] = {out->events, 0};
    memcpy(at, head, 8);
    memcpy(at + 8, VT_TRACE_FILE_MAGIC, 8);
    memcpy(at + 16, about, 16);
    memcpy(at + 32, &out->events, 8);
    memcpy(at + 40, more, 8);
    memcpy(at + 48, sums, sizeof sums);
    memcpy(at + 64, &hash, 8);
    hash = XXH3_64bits(at, 72);
    memcpy(at + 72, &hash, 8);
    out->n += VT_TRACE_FILE_HEADER_BYTES + stored;
    out->events += n_events;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t count)
{
    static int fd = -1;
    static char path[64];
    static struct out out;
    if (fd < 0) {
        fd = memfd_create("trace", MFD_CLOEXEC);
        snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    }
    FUZZ_CHECK(fd >= 0 && ftruncate(fd, 0) == 0 && pwrite(fd, bytes, count, 0) == (ssize_t)count);
    read_all(path);

    out.n = 0;
    out.events = 0;
    struct vt_cursor c = vt_cursor_of(bytes, count);
    while (vt_cursor_left(&c) > 4) {
        uint8_t kind = vt_cursor_u8(&c), events = vt_cursor_u8(&c);
        size_t n = vt_cursor_u16(&c);
        n = n < vt_cursor_left(&c) ? n : vt_cursor_left(&c);
        put_chunk(&out, (uint8_t)(1 + kind % 5), kind % 5 == 2 ? events : 0, vt_cursor_take(&c, n),
                  n);
    }
    FUZZ_CHECK(ftruncate(fd, 0) == 0 && pwrite(fd, out.bytes, out.n, 0) == (ssize_t)out.n);
    read_all(path);
    return 0;
}
