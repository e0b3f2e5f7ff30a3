/* gpu/record.c - the file that events are kept in. See record.h.
 *
 * Written and read through stdio, event by event: nothing is seeked in, so a pipe does, and a file
 * that ends in the middle of an event is good up to there.
 */
#include "gpu/record.h"

#include "virtio/gpu/protocol/protocol.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct vt_vgpu_writer {
    FILE *out;
    char *path;
};

struct vt_vgpu_reader {
    FILE *in;
    char *path;
    uint64_t at; /* of the next event */
    struct vt_vgpu_origin origin;
    uint8_t *payload; /* of the last event: request, then response */
    size_t room;
};

const char *vt_vgpu_seen_name(enum vt_vgpu_seen kind)
{
    switch (kind) {
    case VT_VGPU_SEEN_COMMAND:
        return "command";
    case VT_VGPU_SEEN_LOST:
        return "lost";
    case VT_VGPU_SEEN_RESET:
        return "reset";
    case VT_VGPU_SEEN_NOTE:
        return "note";
    case VT_VGPU_SEEN_VENUS:
        return "venus";
    }
    return "?";
}

bool vt_vgpu_venus_place(const struct vt_vgpu_event_seen *e, struct vt_vgpu_venus_memory *place)
{
    if (e->kind != VT_VGPU_SEEN_VENUS || e->request_bytes < sizeof *place) {
        return false;
    }
    memcpy(place, e->request, sizeof *place);
    return true;
}

/* ---------------------------------------------------------------- writing */

static int write_failed(const struct vt_vgpu_writer *w, struct vt_error *err)
{
    return vt_fail_errno(err, VT_E_IO, errno, "%s: cannot write", w->path);
}

int vt_vgpu_writer_create(const char *path, bool replace, const struct vt_vgpu_origin *origin,
                          struct vt_vgpu_writer **writer, struct vt_error *err)
{
    struct vt_vgpu_file_header header = {
        .magic = VT_VGPU_FILE_MAGIC,
        .version = VT_VGPU_FILE_VERSION,
        .header_bytes = sizeof header,
        .features = origin->features,
        .started_unix_ns = origin->started_unix_ns,
    };
    memcpy(header.vm, origin->vm, strnlen(origin->vm, sizeof header.vm));
    memcpy(header.source, origin->source, strnlen(origin->source, sizeof header.source));
    memcpy(header.device, origin->device, strnlen(origin->device, sizeof header.device));

    struct vt_vgpu_writer *w = calloc(1, sizeof *w);
    if (w == NULL || (w->path = strdup(path)) == NULL) {
        free(w);
        return vt_fail(err, VT_E_NOMEM, "%s: out of memory", path);
    }
    int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC | (replace ? O_TRUNC : O_EXCL), 0600);
    int rc = 0;
    if (fd < 0) {
        rc = vt_fail_errno(err, vt_code_of_errno(errno), errno, "%s", path);
    } else if ((w->out = fdopen(fd, "w")) == NULL) {
        rc = vt_fail_errno(err, VT_E_NOMEM, errno, "%s", path);
        close(fd);
    } else if (fwrite(&header, sizeof header, 1, w->out) != 1 || fflush(w->out) != 0) {
        rc = write_failed(w, err);
    }
    if (rc != 0) {
        vt_vgpu_writer_close(w, NULL);
        return rc;
    }
    *writer = w;
    return 0;
}

static uint32_t payload_max(unsigned kind)
{
    return kind == VT_VGPU_SEEN_VENUS ? VT_VGPU_VENUS_MAX : VT_VGPU_PAYLOAD_MAX;
}

int vt_vgpu_writer_put(struct vt_vgpu_writer *w, const struct vt_vgpu_event_seen *e,
                       struct vt_error *err)
{
    if (e->request_bytes > payload_max(e->kind) || e->response_bytes > payload_max(e->kind)) {
        return vt_fail(err, VT_E_INVAL, "%s: an event of %" PRIu32 " and %" PRIu32 " bytes",
                       w->path, e->request_bytes, e->response_bytes);
    }
    struct vt_vgpu_file_event f = {
        .bytes = (uint32_t)sizeof f + e->request_bytes + e->response_bytes,
        .kind = (uint8_t)e->kind,
        .queue = e->queue,
        .slot = e->slot,
        .flags = e->flags,
        .written = e->written,
        .sequence = e->sequence,
        .lost = e->lost,
        .submitted_ns = e->submitted_ns,
        .answered_ns = e->answered_ns,
        .request_bytes = e->request_bytes,
        .response_bytes = e->response_bytes,
    };
    if (fwrite(&f, sizeof f, 1, w->out) != 1 ||
        (e->request_bytes > 0 && fwrite(e->request, e->request_bytes, 1, w->out) != 1) ||
        (e->response_bytes > 0 && fwrite(e->response, e->response_bytes, 1, w->out) != 1)) {
        return write_failed(w, err);
    }
    return 0;
}

int vt_vgpu_writer_flush(struct vt_vgpu_writer *w, struct vt_error *err)
{
    return fflush(w->out) == 0 ? 0 : write_failed(w, err);
}

int vt_vgpu_writer_close(struct vt_vgpu_writer *w, struct vt_error *err)
{
    if (w == NULL) {
        return 0;
    }
    int rc = w->out != NULL && fclose(w->out) != 0 ? write_failed(w, err) : 0;
    free(w->path);
    free(w);
    return rc;
}

/* ---------------------------------------------------------------- reading */

static int corrupt(const struct vt_vgpu_reader *r, const char *why, struct vt_error *err)
{
    vt_fail(err, VT_E_CORRUPT, "%s: %s at byte %" PRIu64, r->path, why, r->at);
    if (err != NULL) {
        err->addr = r->at;
    }
    return VT_E_CORRUPT;
}

static int read_header(struct vt_vgpu_reader *r, struct vt_error *err)
{
    struct vt_vgpu_file_header h;
    const char magic[sizeof h.magic] = VT_VGPU_FILE_MAGIC;
    size_t n = fread(&h, 1, sizeof h, r->in);
    if (ferror(r->in)) {
        return vt_fail_errno(err, VT_E_IO, errno, "%s: cannot read", r->path);
    }
    if (n < sizeof h || memcmp(h.magic, magic, sizeof magic) != 0) {
        return corrupt(r, "not a recording of GPU commands", err);
    }
    if (h.version != VT_VGPU_FILE_VERSION) {
        return vt_fail(err, VT_E_UNSUPPORTED, "%s: a recording of version %" PRIu32 ", not %u",
                       r->path, h.version, VT_VGPU_FILE_VERSION);
    }
    if (h.header_bytes != sizeof h) {
        return corrupt(r, "its header has another size", err);
    }
    r->at = sizeof h;
    r->origin.features = h.features;
    r->origin.started_unix_ns = h.started_unix_ns;
    memcpy(r->origin.vm, h.vm, sizeof h.vm - 1);
    memcpy(r->origin.source, h.source, sizeof h.source - 1);
    memcpy(r->origin.device, h.device, sizeof h.device - 1);
    return 0;
}

int vt_vgpu_reader_open(const char *path, struct vt_vgpu_reader **reader, struct vt_error *err)
{
    struct vt_vgpu_reader *r = calloc(1, sizeof *r);
    if (r == NULL || (r->path = strdup(path)) == NULL) {
        free(r);
        return vt_fail(err, VT_E_NOMEM, "%s: out of memory", path);
    }
    int rc;
    if ((r->in = fopen(path, "re")) == NULL) {
        rc = vt_fail_errno(err, vt_code_of_errno(errno), errno, "%s", path);
    } else {
        rc = read_header(r, err);
    }
    if (rc != 0) {
        vt_vgpu_reader_close(r);
        return rc;
    }
    *reader = r;
    return 0;
}

const struct vt_vgpu_origin *vt_vgpu_reader_origin(const struct vt_vgpu_reader *r)
{
    return &r->origin;
}

/* What is wrong with an event's numbers, or NULL. */
static const char *fault_of(const struct vt_vgpu_file_event *f)
{
    if (f->kind > VT_VGPU_SEEN_VENUS ||
        (f->kind == VT_VGPU_SEEN_VENUS && f->slot >= VT_VGPU_VENUS_KINDS)) {
        return "an unknown kind of event";
    }
    if (f->queue > VT_VGPU_CURSOR_QUEUE) {
        return "an event of an unknown queue";
    }
    if ((f->flags & ~(uint32_t)VT_VGPU_SEEN_FLAGS) != 0) {
        return "an event with unknown flags";
    }
    if (f->request_bytes > payload_max(f->kind) || f->response_bytes > payload_max(f->kind) ||
        f->bytes != sizeof *f + f->request_bytes + f->response_bytes) {
        return "an event of an impossible size";
    }
    return NULL;
}

int vt_vgpu_reader_next(struct vt_vgpu_reader *r, struct vt_vgpu_event_seen *event, bool *cut,
                        struct vt_error *err)
{
    struct vt_vgpu_file_event f;
    size_t n = fread(&f, 1, sizeof f, r->in);
    if (n == sizeof f) {
        const char *fault = fault_of(&f);
        if (fault != NULL) {
            return corrupt(r, fault, err);
        }
        size_t payload = f.bytes - sizeof f;
        if (payload > r->room) {
            uint8_t *bytes = realloc(r->payload, payload);
            if (bytes == NULL) {
                return vt_fail(err, VT_E_NOMEM, "%s: out of memory", r->path);
            }
            r->payload = bytes;
            r->room = payload;
        }
        if (payload > 0) {
            n += fread(r->payload, 1, payload, r->in);
        }
    }
    if (ferror(r->in)) {
        return vt_fail_errno(err, VT_E_IO, errno, "%s: cannot read", r->path);
    }
    if (n < sizeof f || n < f.bytes) {
        *cut = n > 0;
        return 0;
    }
    r->at += f.bytes;
    *event = (struct vt_vgpu_event_seen){
        .kind = (enum vt_vgpu_seen)f.kind,
        .flags = f.flags,
        .sequence = f.sequence,
        .lost = f.lost,
        .submitted_ns = f.submitted_ns,
        .answered_ns = f.answered_ns,
        .queue = f.queue,
        .slot = f.slot,
        .written = f.written,
        .request = f.request_bytes > 0 ? r->payload : NULL,
        .response = f.response_bytes > 0 ? r->payload + f.request_bytes : NULL,
        .request_bytes = f.request_bytes,
        .response_bytes = f.response_bytes,
    };
    return 1;
}

void vt_vgpu_reader_close(struct vt_vgpu_reader *r)
{
    if (r == NULL) {
        return;
    }
    if (r->in != NULL) {
        fclose(r->in);
    }
    free(r->payload);
    free(r->path);
    free(r);
}
