/* trace/file_write.c - writes a .vtrace file: what file_encode.c made of events becomes zstd
 * frames, each with a header that says what it holds and what its checksum is. Nothing is written
 * twice: what lies in the file stays readable when the writer dies. trace/file.h has the format.
 *
 * There are two batches: while one is being filled the other is packed and written by a thread of
 * the writer's own. What fails there is told by the next call.
 */
#include "base/io.h"
#include "trace/file_encode.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zstd.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

#define LEVEL 1

struct vt_trace_writer {
    struct vt_trace_encoder encoder;
    struct vt_trace_batch batches[2];
    unsigned filling; /* which of them */
    struct vt_trace_bytes names;
    bool failed; /* as `error` says: nothing more is written */

    /* The thread has these while `packing` is set, else the caller's thread does. */
    int fd;
    ZSTD_CCtx *zstd;
    uint8_t *packed;
    size_t packed_room;
    uint32_t chunks;
    struct vt_error error; /* code 0: none yet */

    pthread_t thread;
    bool has_thread;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    struct vt_trace_batch *packing; /* under the lock, as is the next */
    bool ends;
};

/* ---- chunks */

static int pack_room(struct vt_trace_writer *w, size_t bytes, struct vt_error *err)
{
    if (bytes > w->packed_room) {
        uint8_t *packed = realloc(w->packed, bytes);
        if (packed == NULL) {
            return vt_fail(err, VT_E_NOMEM, "no memory to pack the trace in");
        }
        w->packed = packed;
        w->packed_room = bytes;
    }
    return 0;
}

static int write_chunk(struct vt_trace_writer *w, enum vt_trace_file_chunk kind,
                       const struct vt_trace_bytes *raw, const struct vt_trace_batch *batch,
                       struct vt_error *err)
{
    size_t bound = VT_TRACE_FILE_HEADER_BYTES + ZSTD_compressBound(raw->n);
    int rc = pack_room(w, bound, err);
    if (rc < 0) {
        return rc;
    }
    uint8_t *body = w->packed + VT_TRACE_FILE_HEADER_BYTES;
    size_t stored = ZSTD_compress2(w->zstd, body, bound - VT_TRACE_FILE_HEADER_BYTES,
                                   raw->n > 0 ? raw->at : body, raw->n);
    if (ZSTD_isError(stored)) {
        return vt_fail(err, VT_E_NOMEM, "zstd: %s", ZSTD_getErrorName(stored));
    }
    struct vt_trace_bytes header = {.at = w->packed, .room = VT_TRACE_FILE_HEADER_BYTES};
    vt_trace_put_u32(&header, VT_TRACE_FILE_SKIPPABLE);
    vt_trace_put_u32(&header, VT_TRACE_FILE_HEADER_BYTES - 8);
    vt_trace_put_bytes(&header, VT_TRACE_FILE_MAGIC, 8);
    vt_trace_put_u32(&header, VT_TRACE_FILE_VERSION);
    vt_trace_put_u32(&header, kind);
    vt_trace_put_u32(&header, (uint32_t)raw->n);
    vt_trace_put_u32(&header, (uint32_t)stored);
    vt_trace_put_u64(&header, batch->before);
    vt_trace_put_u32(&header, kind == VT_TRACE_CHUNK_EVENTS ? batch->n_events : 0);
    vt_trace_put_u32(&header, w->chunks);
    vt_trace_put_u64(&header, batch->instructions_before);
    vt_trace_put_u64(&header, kind == VT_TRACE_CHUNK_EVENTS ? batch->time_ns : 0);
    vt_trace_put_u64(&header, XXH3_64bits(body, stored));
    vt_trace_put_u64(&header, XXH3_64bits(header.at, header.n));
    rc = vt_write_all(w->fd, w->packed, VT_TRACE_FILE_HEADER_BYTES + stored, "the trace file", err);
    w->chunks += rc == 0;
    return rc;
}

/* Blocks come before the events that name them. */
static int write_batch(struct vt_trace_writer *w, const struct vt_trace_batch *batch,
                       struct vt_error *err)
{
    int rc = 0;
    if (batch->blocks.n > 0) {
        rc = write_chunk(w, VT_TRACE_CHUNK_BLOCKS, &batch->blocks, batch, err);
    }
    if (rc == 0 && batch->n_events > 0) {
        rc = write_chunk(w, VT_TRACE_CHUNK_EVENTS, &batch->events, batch, err);
    }
    return rc;
}

/* ---- the thread */

static void *pack(void *arg)
{
    struct vt_trace_writer *w = arg;
    pthread_mutex_lock(&w->lock);
    while (w->packing != NULL || !w->ends) {
        if (w->packing == NULL) {
            pthread_cond_wait(&w->changed, &w->lock);
            continue;
        }
        const struct vt_trace_batch *batch = w->packing;
        pthread_mutex_unlock(&w->lock);
        if (w->error.code == 0) {
            (void)write_batch(w, batch, &w->error);
        }
        pthread_mutex_lock(&w->lock);
        w->packing = NULL;
        pthread_cond_broadcast(&w->changed);
    }
    pthread_mutex_unlock(&w->lock);
    return NULL;
}

/* Signals are for the caller's threads. */
static int start_thread(struct vt_trace_writer *w, struct vt_error *err)
{
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int failed = pthread_create(&w->thread, NULL, pack, w);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (failed != 0) {
        return vt_fail_errno(err, VT_E_NOMEM, failed, "no thread to write a trace with");
    }
    w->has_thread = true;
    return 0;
}

/* After a failure the file's end is unknown, and nothing more goes there. */
static int told(struct vt_trace_writer *w, struct vt_error *err)
{
    w->failed = w->error.code != 0;
    if (w->failed && err != NULL) {
        *err = w->error;
    }
    return (int)w->error.code;
}

/* Until the thread is done with what it has. */
static int settle(struct vt_trace_writer *w, struct vt_error *err)
{
    pthread_mutex_lock(&w->lock);
    while (w->packing != NULL) {
        pthread_cond_wait(&w->changed, &w->lock);
    }
    pthread_mutex_unlock(&w->lock);
    return told(w, err);
}

static struct vt_trace_batch *filling(struct vt_trace_writer *w)
{
    return &w->batches[w->filling];
}

/* Gives the full batch to the thread, and goes on with the other. */
static int hand_over(struct vt_trace_writer *w, struct vt_error *err)
{
    int rc = settle(w, err);
    if (rc < 0) {
        return rc;
    }
    vt_trace_encoder_end(&w->encoder);
    pthread_mutex_lock(&w->lock);
    w->packing = filling(w);
    pthread_cond_broadcast(&w->changed);
    pthread_mutex_unlock(&w->lock);
    w->filling ^= 1;
    vt_trace_encoder_begin(&w->encoder, filling(w));
    return 0;
}

int vt_trace_writer_flush(struct vt_trace_writer *w, struct vt_error *err)
{
    int rc = settle(w, err);
    if (rc < 0) {
        return rc;
    }
    vt_trace_encoder_end(&w->encoder);
    rc = write_batch(w, filling(w), &w->error);
    if (rc == 0) {
        vt_trace_encoder_begin(&w->encoder, filling(w));
    }
    if (rc == 0 && w->names.n > 0) {
        (void)write_chunk(w, VT_TRACE_CHUNK_NAMES, &w->names, filling(w), &w->error);
        w->names.n = 0;
    }
    return told(w, err);
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
    if (info->vcpus != w->encoder.n_vcpus || info->n_registers != w->encoder.n_registers) {
        return vt_fail(err, VT_E_INVAL, "a trace of %u vCPUs and %u registers", info->vcpus,
                       info->n_registers);
    }
    int rc = vt_trace_writer_flush(w, err);
    if (rc < 0) {
        return rc;
    }
    uint8_t room[1024];
    struct vt_trace_bytes b = {.at = room, .room = sizeof room};
    vt_trace_put_u64(&b, info->started_unix_ns);
    vt_trace_put_u32(&b, info->vcpus);
    vt_trace_put_u32(&b, info->capabilities);
    vt_trace_put_u64(&b, info->instructions);
    vt_trace_put_u64(&b, info->blocks);
    vt_trace_put_u64(&b, info->accesses);
    vt_trace_put_u64(&b, info->dropped);
    vt_trace_put_u64(&b, info->cuts);
    vt_trace_put_text(&b, info->vm, sizeof info->vm - 1);
    vt_trace_put_text(&b, info->arch, sizeof info->arch - 1);
    vt_trace_put_text(&b, info->qemu, sizeof info->qemu - 1);
    vt_trace_put_varint(&b, info->n_registers);
    for (uint32_t i = 0; i < info->n_registers; i++) {
        vt_trace_put_text(&b, info->registers[i], sizeof info->registers[i] - 1);
    }
    (void)write_chunk(w, VT_TRACE_CHUNK_INFO, &b, filling(w), &w->error);
    return told(w, err);
}

static void destroy(struct vt_trace_writer *w)
{
    if (w->has_thread) {
        pthread_mutex_lock(&w->lock);
        w->ends = true;
        pthread_cond_broadcast(&w->changed);
        pthread_mutex_unlock(&w->lock);
        pthread_join(w->thread, NULL);
    }
    pthread_cond_destroy(&w->changed);
    pthread_mutex_destroy(&w->lock);
    vt_close(&w->fd);
    ZSTD_freeCCtx(w->zstd);
    free(w->packed);
    for (size_t i = 0; i < 2; i++) {
        free(w->batches[i].events.at);
        free(w->batches[i].blocks.at);
    }
    free(w->names.at);
    vt_trace_encoder_fini(&w->encoder);
    free(w);
}

static int prepare(struct vt_trace_writer *w, const struct vt_trace_info *info,
                   struct vt_error *err)
{
    int rc = vt_trace_encoder_init(
        &w->encoder, info->vcpus <= VT_TRACE_FILE_VCPUS_MAX ? info->vcpus : 0,
        info->n_registers <= VT_TRACE_FILE_REGISTERS_MAX ? info->n_registers : 0, err);
    for (size_t i = 0; i < 2 && rc == 0; i++) {
        rc = vt_trace_bytes_reserve(&w->batches[i].events, VT_TRACE_FILE_RAW_MAX, err);
    }
    if (rc < 0) {
        return rc;
    }
    w->zstd = ZSTD_createCCtx();
    if (w->zstd == NULL) {
        return vt_fail(err, VT_E_NOMEM, "no memory to write a trace with");
    }
    ZSTD_CCtx_setParameter(w->zstd, ZSTD_c_compressionLevel, LEVEL);
    vt_trace_encoder_begin(&w->encoder, filling(w));
    return start_thread(w, err);
}

int vt_trace_writer_create(const char *path, bool replace, const struct vt_trace_info *info,
                           struct vt_trace_writer **to, struct vt_error *err)
{
    struct vt_trace_writer *w = calloc(1, sizeof *w);
    if (w == NULL) {
        return vt_fail(err, VT_E_NOMEM, "no memory to write a trace with");
    }
    w->fd = -1;
    pthread_mutex_init(&w->lock, NULL);
    pthread_cond_init(&w->changed, NULL);
    int rc = prepare(w, info, err);
    rc = rc < 0 ? rc : open_new(path, replace, &w->fd, err);
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
        struct vt_trace_bytes b = {.at = room, .room = sizeof room};
        const struct vt_trace_file_totals *t = &w->encoder.totals;
        vt_trace_put_u64(&b, t->events);
        vt_trace_put_u64(&b, t->instructions);
        vt_trace_put_u64(&b, t->blocks);
        vt_trace_put_u64(&b, t->accesses);
        vt_trace_put_u64(&b, t->cuts);
        vt_trace_put_u64(&b, t->lost_words);
        vt_trace_put_u64(&b, t->last_time_ns);
        rc = write_chunk(w, VT_TRACE_CHUNK_END, &b, filling(w), err);
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

int vt_trace_writer_put(struct vt_trace_writer *w, const struct vt_trace_event *event,
                        struct vt_error *err)
{
    const struct vt_trace_batch *b = filling(w);
    if (w->failed) {
        return told(w, err);
    }
    if (b->events.n >= VT_TRACE_FILE_CHUNK_BYTES || b->blocks.n >= VT_TRACE_FILE_CHUNK_BYTES ||
        b->n_events >= VT_TRACE_FILE_CHUNK_EVENTS) {
        int rc = hand_over(w, err);
        if (rc < 0) {
            return rc;
        }
    }
    return vt_trace_encoder_put(&w->encoder, event, err);
}

/* ---- names */

static int room_for_names(struct vt_trace_writer *w, struct vt_error *err)
{
    int rc = w->names.n >= VT_TRACE_FILE_CHUNK_BYTES ? vt_trace_writer_flush(w, err) : 0;
    return rc < 0 ? rc : vt_trace_bytes_reserve(&w->names, 64 + 2 * VT_TRACE_FILE_NAME_MAX, err);
}

int vt_trace_writer_name_root(struct vt_trace_writer *w, uint64_t event, uint64_t root, int64_t pid,
                              const char *name, struct vt_error *err)
{
    int rc = room_for_names(w, err);
    if (rc < 0) {
        return rc;
    }
    vt_trace_put_u8(&w->names, VT_TRACE_NAME_ROOT);
    vt_trace_put_varint(&w->names, event);
    vt_trace_put_u64(&w->names, root);
    vt_trace_put_u64(&w->names, (uint64_t)pid);
    vt_trace_put_text(&w->names, name, VT_TRACE_FILE_NAME_MAX);
    return 0;
}

int vt_trace_writer_name_block(struct vt_trace_writer *w, uint32_t block, const char *object,
                               const char *function, uint64_t offset, struct vt_error *err)
{
    uint32_t id = vt_trace_encoder_block(&w->encoder, block);
    if (id == VT_TRACE_MODEL_NONE) {
        return vt_fail(err, VT_E_NOT_FOUND, "block %u is not in the file", block);
    }
    int rc = room_for_names(w, err);
    if (rc < 0) {
        return rc;
    }
    vt_trace_put_u8(&w->names, VT_TRACE_NAME_BLOCK);
    vt_trace_put_varint(&w->names, id);
    vt_trace_put_u64(&w->names, offset);
    vt_trace_put_text(&w->names, object, VT_TRACE_FILE_NAME_MAX);
    vt_trace_put_text(&w->names, function, VT_TRACE_FILE_NAME_MAX);
    return 0;
}
