/* gpu/sequence.c - a recording kept in memory (diff.h): events and their bytes, by queue. */
#include "gpu/diff.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct events {
    struct vt_vgpu_event_seen *v;
    size_t n, room;
};

struct vt_vgpu_sequence {
    char name[64];
    struct events control, other;
    size_t n, bytes;
    enum vt_code code;
};

int vt_vgpu_sequence_create(const char *name, struct vt_vgpu_sequence **sequence,
                            struct vt_error *err)
{
    struct vt_vgpu_sequence *s = calloc(1, sizeof *s);
    if (s == NULL) {
        return vt_fail(err, VT_E_NOMEM, "out of memory");
    }
    snprintf(s->name, sizeof s->name, "%s", name);
    *sequence = s;
    return 0;
}

static void free_events(struct events *events)
{
    for (size_t i = 0; i < events->n; i++) {
        free((void *)events->v[i].request);
    }
    free(events->v);
}

void vt_vgpu_sequence_destroy(struct vt_vgpu_sequence *sequence)
{
    if (sequence != NULL) {
        free_events(&sequence->control);
        free_events(&sequence->other);
        free(sequence);
    }
}

static bool add(struct vt_vgpu_sequence *s, const struct vt_vgpu_event_seen *event)
{
    struct events *events =
        event->queue == VT_VGPU_CONTROL_QUEUE || event->kind == VT_VGPU_SEEN_RESET ? &s->control
                                                                                   : &s->other;
    const size_t bytes = (size_t)event->request_bytes + event->response_bytes;
    if (s->n == VT_VGPU_DIFF_COMMANDS_MAX || bytes > VT_VGPU_DIFF_BYTES_MAX - s->bytes) {
        s->code = VT_E_LIMIT;
        return false;
    }
    if (events->n == events->room) {
        size_t room = events->room > 0 ? 2 * events->room : 256;
        struct vt_vgpu_event_seen *v = reallocarray(events->v, room, sizeof *v);
        if (v == NULL) {
            s->code = VT_E_NOMEM;
            return false;
        }
        events->v = v;
        events->room = room;
    }
    uint8_t *copy = malloc(bytes + 1);
    if (copy == NULL) {
        s->code = VT_E_NOMEM;
        return false;
    }
    struct vt_vgpu_event_seen *e = &events->v[events->n++];
    *e = *event;
    if (event->request_bytes > 0) {
        memcpy(copy, event->request, event->request_bytes);
    }
    if (event->response_bytes > 0) {
        memcpy(copy + event->request_bytes, event->response, event->response_bytes);
    }
    e->request = copy;
    e->response = copy + event->request_bytes;
    s->n++;
    s->bytes += bytes;
    return true;
}

bool vt_vgpu_sequence_add(const struct vt_vgpu_event_seen *event, void *sequence)
{
    struct vt_vgpu_sequence *s = sequence;
    const bool compared = event->kind != VT_VGPU_SEEN_NOTE && event->kind != VT_VGPU_SEEN_VENUS;
    return s->code == VT_OK && (!compared || add(s, event));
}

int vt_vgpu_sequence_check(const struct vt_vgpu_sequence *sequence, struct vt_error *err)
{
    switch (sequence->code) {
    case VT_OK:
        return 0;
    case VT_E_LIMIT:
        return vt_fail(err, VT_E_LIMIT, "%s: more than %zu commands or %zu MiB cannot be compared",
                       sequence->name, VT_VGPU_DIFF_COMMANDS_MAX, VT_VGPU_DIFF_BYTES_MAX >> 20);
    default:
        return vt_fail(err, sequence->code, "%s: out of memory", sequence->name);
    }
}

int vt_vgpu_sequence_read(const char *path, struct vt_vgpu_sequence **sequence,
                          struct vt_vgpu_origin *origin, struct vt_error *err)
{
    struct vt_vgpu_sequence *s = NULL;
    struct vt_vgpu_reader *reader = NULL;
    struct vt_vgpu_event_seen event;
    bool cut = false;
    int rc = vt_vgpu_sequence_create(path, &s, err);
    rc = rc != 0 ? rc : vt_vgpu_reader_open(path, &reader, err);
    while (rc == 0 && (rc = vt_vgpu_reader_next(reader, &event, &cut, err)) > 0) {
        rc = vt_vgpu_sequence_add(&event, s) ? 0 : vt_vgpu_sequence_check(s, err);
    }
    if (rc == 0 && cut) {
        rc = vt_fail(err, VT_E_CORRUPT, "%s ends in the middle of an event", path);
    }
    if (rc == 0) {
        *origin = *vt_vgpu_reader_origin(reader);
    }
    vt_vgpu_reader_close(reader);
    if (rc != 0) {
        vt_vgpu_sequence_destroy(s);
        return rc;
    }
    *sequence = s;
    return 0;
}

size_t vt_vgpu_sequence_count(const struct vt_vgpu_sequence *sequence)
{
    return sequence->n;
}

size_t vt_vgpu_sequence_control(const struct vt_vgpu_sequence *sequence)
{
    return sequence->control.n;
}

const struct vt_vgpu_event_seen *vt_vgpu_sequence_at(const struct vt_vgpu_sequence *sequence,
                                                     size_t i)
{
    return i < sequence->control.n ? &sequence->control.v[i]
                                   : &sequence->other.v[i - sequence->control.n];
}
