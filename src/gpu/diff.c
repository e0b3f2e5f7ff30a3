/* gpu/diff.c - see diff.h.
 *
 * Each side's ids become lifetimes ("things"). Commands are aligned twice: first without ids; then
 * things that met in aligned commands are taken for each other, the most frequent pairs first, and
 * commands are aligned anew with what is known of ids. Between equal commands, those of one type
 * are paired. Whether a pair differs is decided by its values, never by hashes.
 */
#include "gpu/diff.h"

#include "gpu/align.h"
#include "gpu/diff_value.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NONE 0u /* the thing of id 0 */
#define UNBOUND 0u

/* The things of a request, in the order of its fields. */
struct ids {
    uint32_t first, n;
};

/* One side of the comparison. */
struct side {
    const struct vt_vgpu_sequence *sequence;
    uint32_t n;
    uint32_t n_control;
    uint64_t *keys, *types;
    uint32_t *mate;  /* by command: the other side's, or VT_ALIGN_NONE */
    struct ids *ids; /* by command: its things */
    uint32_t *things;
    size_t n_things, room;
    uint32_t *bound;    /* by thing: the other side's, or UNBOUND */
    uint32_t lifetimes; /* things there are; 0 is NONE */
};

struct vt_vgpu_diff {
    struct side a, b;
    const char *const *ignore;
    bool ignore_response;
    struct vt_vgpu_step *steps;
    size_t n_steps;
    struct vt_vgpu_values *va, *vb;
};

static int no_memory(struct vt_error *err)
{
    return vt_fail(err, VT_E_NOMEM, "out of memory");
}

/* ---------------------------------------------------------------- ids to things */

struct life {
    uint64_t id; /* + 1 << 32 of contexts */
    uint32_t thing;
};

/* Open addressing; never more than half full. */
struct lives {
    struct life *slots;
    size_t size, used;
};

static struct life *life_of(struct lives *lives, uint64_t id)
{
    size_t i = (size_t)(vt_vgpu_hash(VT_VGPU_HASH_SEED, &id, sizeof id) & (lives->size - 1));
    while (lives->slots[i].thing != NONE && lives->slots[i].id != id) {
        i = (i + 1) & (lives->size - 1);
    }
    return &lives->slots[i];
}

static int make_room(struct lives *lives)
{
    if (2 * (lives->used + 1) < lives->size) {
        return 0;
    }
    struct lives larger = {.size = lives->size > 0 ? 2 * lives->size : 64, .used = lives->used};
    larger.slots = calloc(larger.size, sizeof *larger.slots);
    if (larger.slots == NULL) {
        return -1;
    }
    for (size_t i = 0; i < lives->size; i++) {
        if (lives->slots[i].thing != NONE) {
            *life_of(&larger, lives->slots[i].id) = lives->slots[i];
        }
    }
    free(lives->slots);
    *lives = larger;
    return 0;
}

static bool begins_life(uint32_t type)
{
    return type == VT_VGPU_CMD_RESOURCE_CREATE_2D || type == VT_VGPU_CMD_RESOURCE_CREATE_3D ||
           type == VT_VGPU_CMD_RESOURCE_CREATE_BLOB || type == VT_VGPU_CMD_CTX_CREATE;
}

static uint32_t type_of(const struct vt_vgpu_event_seen *e)
{
    uint32_t type = 0;
    memcpy(&type, e->request, e->request_bytes < sizeof type ? e->request_bytes : sizeof type);
    return type;
}

static bool has_failed(const struct vt_vgpu_event_seen *e)
{
    uint32_t type = 0;
    if ((e->flags & (VT_VGPU_NO_RESPONSE | VT_VGPU_STALE_RESPONSE)) != 0 ||
        e->response_bytes < sizeof type) {
        return false;
    }
    memcpy(&type, e->response, sizeof type);
    return type >= VT_VGPU_RESP_ERR_UNSPEC;
}

/* One id of a request: a thing that lives, or a new one. Ids that were never created (the recording
 * began later) live from their first use; a command that ends a life is still of it. */
static int add_thing(struct side *side, struct lives *lives, const struct vt_vgpu_event_seen *e,
                     const struct vt_vgpu_value *value)
{
    const uint32_t type = type_of(e);
    const bool of_command =
        value->context == (type == VT_VGPU_CMD_CTX_CREATE || type == VT_VGPU_CMD_CTX_DESTROY);
    uint32_t thing = NONE;
    if (value->number != 0) {
        if (make_room(lives) != 0) {
            return -1;
        }
        uint64_t id = value->number | (value->context ? UINT64_C(1) << 32 : 0);
        struct life *life = life_of(lives, id);
        if (life->thing == NONE) {
            *life = (struct life){id, ++side->lifetimes};
            lives->used++;
        } else if (of_command && begins_life(type) && !has_failed(e)) {
            life->thing = ++side->lifetimes;
        }
        thing = life->thing;
    }
    if (side->n_things == side->room) {
        size_t room = side->room > 0 ? 2 * side->room : 256;
        uint32_t *things = reallocarray(side->things, room, sizeof *things);
        if (things == NULL) {
            return -1;
        }
        side->things = things;
        side->room = room;
    }
    side->things[side->n_things++] = thing;
    return 0;
}

/* The commands of both queues in the order in which they were made available. */
static uint32_t next_in_time(const struct side *side, uint32_t *i, uint32_t *j)
{
    if (*j == side->n) {
        return (*i)++;
    }
    if (*i == side->n_control) {
        return (*j)++;
    }
    return vt_vgpu_sequence_at(side->sequence, *i)->sequence <=
                   vt_vgpu_sequence_at(side->sequence, *j)->sequence
               ? (*i)++
               : (*j)++;
}

static int find_things(struct vt_vgpu_diff *diff, struct side *side)
{
    struct lives lives = {0};
    int rc = 0;
    uint32_t control = 0, other = side->n_control;
    for (uint32_t n = 0; rc == 0 && n < side->n; n++) {
        uint32_t i = next_in_time(side, &control, &other);
        const struct vt_vgpu_event_seen *e = vt_vgpu_sequence_at(side->sequence, i);
        side->ids[i].first = (uint32_t)side->n_things;
        if (e->kind == VT_VGPU_SEEN_RESET) {
            free(lives.slots);
            lives = (struct lives){0};
        }
        if (e->kind != VT_VGPU_SEEN_COMMAND) {
            continue;
        }
        vt_vgpu_values_of_request(diff->va, e->request, e->request_bytes, diff->ignore);
        for (unsigned k = 0; rc == 0 && k < diff->va->n; k++) {
            if (diff->va->v[k].what == VT_VGPU_VALUE_ID) {
                rc = add_thing(side, &lives, e, &diff->va->v[k]);
                side->ids[i].n++;
            }
        }
    }
    free(lives.slots);
    side->bound = rc == 0 ? calloc((size_t)side->lifetimes + 1, sizeof *side->bound) : NULL;
    return side->bound != NULL ? 0 : -1;
}

/* ---------------------------------------------------------------- keys */

/* What an id is known to be: the same for things that are taken for each other. */
static uint64_t name_of_thing(const struct vt_vgpu_diff *diff, const struct side *side,
                              uint32_t thing, bool with_ids)
{
    if (thing == NONE) {
        return 0;
    }
    if (!with_ids) {
        return 1;
    }
    if (side->bound[thing] == UNBOUND) {
        return UINT64_C(2) << 32 | (uint64_t)(side == &diff->b) << 34 | thing;
    }
    return UINT64_C(1) << 32 | (side == &diff->a ? thing : side->bound[thing]);
}

static uint64_t key_of(struct vt_vgpu_diff *diff, const struct side *side, uint32_t i,
                       bool with_ids)
{
    const struct vt_vgpu_event_seen *e = vt_vgpu_sequence_at(side->sequence, i);
    uint64_t key = vt_vgpu_hash(VT_VGPU_HASH_SEED, &e->kind, sizeof e->kind);
    if (e->kind != VT_VGPU_SEEN_COMMAND) {
        return key;
    }
    struct vt_vgpu_values *values = diff->va;
    vt_vgpu_values_of_request(values, e->request, e->request_bytes, diff->ignore);
    uint32_t at = side->ids[i].first;
    for (unsigned k = 0; k < values->n; k++) {
        uint64_t number = values->v[k].number;
        if (values->v[k].what == VT_VGPU_VALUE_ID) {
            /* As many as there are ids: things is not NULL. NOLINTNEXTLINE(*.NullDereference) */
            number = name_of_thing(diff, side, side->things[at++], with_ids);
        }
        key = vt_vgpu_hash(key, &number, sizeof number);
    }
    return key;
}

static void find_keys(struct vt_vgpu_diff *diff, struct side *side, bool with_ids)
{
    for (uint32_t i = 0; i < side->n; i++) {
        const struct vt_vgpu_event_seen *e = vt_vgpu_sequence_at(side->sequence, i);
        side->keys[i] = key_of(diff, side, i, with_ids);
        side->types[i] = (uint64_t)e->kind << 32 | type_of(e);
        side->mate[i] = VT_ALIGN_NONE;
    }
}

/* ---------------------------------------------------------------- who is who */

struct vote {
    uint64_t pair; /* a's thing, b's thing */
    uint32_t count, place;
};

static int by_pair(const void *left, const void *right)
{
    const struct vote *a = left, *b = right;
    if (a->pair != b->pair) {
        return a->pair < b->pair ? -1 : 1;
    }
    return a->place < b->place ? -1 : a->place > b->place;
}

static int by_count(const void *left, const void *right)
{
    const struct vote *a = left, *b = right;
    if (a->count != b->count) {
        return a->count > b->count ? -1 : 1;
    }
    return a->place < b->place ? -1 : a->place > b->place;
}

/* Things of aligned commands are taken for each other: those that meet most often first. */
static int bind(struct vt_vgpu_diff *diff)
{
    struct side *a = &diff->a, *b = &diff->b;
    struct vote *votes = calloc(a->n_things + 1, sizeof *votes);
    if (votes == NULL) {
        return -1;
    }
    size_t n = 0, kept = 0;
    for (uint32_t i = 0; i < a->n; i++) {
        uint32_t j = a->mate[i];
        for (uint32_t k = 0; j != VT_ALIGN_NONE && k < a->ids[i].n && k < b->ids[j].n; k++) {
            uint32_t ta = a->things[a->ids[i].first + k], tb = b->things[b->ids[j].first + k];
            if (ta != NONE && tb != NONE) {
                votes[n] = (struct vote){(uint64_t)ta << 32 | tb, 1, (uint32_t)n};
                n++;
            }
        }
    }
    qsort(votes, n, sizeof *votes, by_pair);
    for (size_t i = 0; i < n; i++) {
        if (kept > 0 && votes[kept - 1].pair == votes[i].pair) {
            votes[kept - 1].count++;
        } else {
            votes[kept++] = votes[i];
        }
    }
    qsort(votes, kept, sizeof *votes, by_count);
    for (size_t i = 0; i < kept; i++) {
        uint32_t ta = (uint32_t)(votes[i].pair >> 32), tb = (uint32_t)votes[i].pair;
        if (a->bound[ta] == UNBOUND && b->bound[tb] == UNBOUND) {
            a->bound[ta] = tb;
            b->bound[tb] = ta;
        }
    }
    free(votes);
    return 0;
}

/* ---------------------------------------------------------------- aligning */

/* Commands [a0, a1) and [b0, b1), both of one queue: equal ones, then between them those of one
 * type. */
static int align_queue(struct vt_vgpu_diff *diff, struct vt_align *align, struct vt_align_box box,
                       struct vt_error *err)
{
    struct side *a = &diff->a, *b = &diff->b;
    int rc = vt_align_box(align, box, a->keys, b->keys, a->mate, b->mate, err);
    uint32_t i = box.a0, j = box.b0;
    while (rc == 0 && (i < box.a1 || j < box.b1)) {
        struct vt_align_box gap = {i, i, j, j};
        while (gap.a1 < box.a1 && a->mate[gap.a1] == VT_ALIGN_NONE) {
            gap.a1++;
        }
        while (gap.b1 < box.b1 && b->mate[gap.b1] == VT_ALIGN_NONE) {
            gap.b1++;
        }
        rc = vt_align_box(align, gap, a->types, b->types, a->mate, b->mate, err);
        i = gap.a1 + 1;
        j = gap.b1 + 1;
    }
    return rc;
}

static int align(struct vt_vgpu_diff *diff, bool with_ids, struct vt_error *err)
{
    struct side *a = &diff->a, *b = &diff->b;
    struct vt_align memory = {0};
    find_keys(diff, a, with_ids);
    find_keys(diff, b, with_ids);
    int rc =
        align_queue(diff, &memory, (struct vt_align_box){0, a->n_control, 0, b->n_control}, err);
    rc = rc != 0 ? rc
                 : align_queue(diff, &memory,
                               (struct vt_align_box){a->n_control, a->n, b->n_control, b->n}, err);
    vt_align_fini(&memory);
    return rc == 0 && bind(diff) != 0 ? no_memory(err) : rc;
}

/* ---------------------------------------------------------------- one pair */

struct telling {
    vt_vgpu_diff_field_fn *fn; /* or NULL: only whether anything differs */
    void *arg;
    const char *prefix;
    bool differs;
};

static void tell(struct telling *t, const struct vt_vgpu_value *a, const struct vt_vgpu_value *b)
{
    char name[96], text_a[VT_VGPU_VALUE_TEXT] = "-", text_b[VT_VGPU_VALUE_TEXT] = "-";
    const struct vt_vgpu_value *v = a != NULL ? a : b;
    t->differs = true;
    if (t->fn == NULL) {
        return;
    }
    if (v->element >= 0) {
        snprintf(name, sizeof name, "%s%s[%lld]", t->prefix, v->field->name, (long long)v->element);
    } else {
        snprintf(name, sizeof name, "%s%s", t->prefix, v->field->name);
    }
    if (a != NULL) {
        vt_vgpu_value_text(a, text_a);
    }
    if (b != NULL) {
        vt_vgpu_value_text(b, text_b);
    }
    t->fn(name, text_a, text_b, t->arg);
}

static bool is_equal(const struct vt_vgpu_value *a, const struct vt_vgpu_value *b)
{
    if (a->what == VT_VGPU_VALUE_BYTES && a->at != NULL && b->at != NULL) {
        return a->n == b->n && memcmp(a->at, b->at, a->n) == 0;
    }
    return a->number == b->number;
}

/* Both lists, side by side. `i` and `j` are the commands when the values are of requests. */
static void compare_values(const struct vt_vgpu_diff *diff, uint32_t i, uint32_t j,
                           struct telling *t)
{
    const struct vt_vgpu_values *va = diff->va, *vb = diff->vb;
    const struct side *a = &diff->a, *b = &diff->b;
    uint32_t id_a = a->ids[i].first, id_b = b->ids[j].first;
    for (unsigned k = 0; k < va->n || k < vb->n; k++) {
        const struct vt_vgpu_value *x = k < va->n ? &va->v[k] : NULL;
        const struct vt_vgpu_value *y = k < vb->n ? &vb->v[k] : NULL;
        uint32_t ta = x != NULL && x->what == VT_VGPU_VALUE_ID ? a->things[id_a++] : NONE;
        uint32_t tb = y != NULL && y->what == VT_VGPU_VALUE_ID ? b->things[id_b++] : NONE;
        if (x != NULL && y != NULL &&
            (x->field != y->field || x->element != y->element || x->what != y->what)) {
            tell(t, x, NULL);
            tell(t, NULL, y);
        } else if (x == NULL || y == NULL ||
                   (x->what == VT_VGPU_VALUE_ID
                        ? (ta == NONE || tb == NONE ? ta != tb : a->bound[ta] != tb)
                        : !is_equal(x, y))) {
            tell(t, x, y);
        }
    }
}

/* One that was read late may have a whole header and, behind it, what its memory was used for next.
 */
static bool has_response(const struct vt_vgpu_event_seen *e)
{
    return (e->flags & (VT_VGPU_NO_RESPONSE | VT_VGPU_STALE_RESPONSE | VT_VGPU_LATE)) == 0;
}

static bool compare_pair(const struct vt_vgpu_diff *diff, uint32_t i, uint32_t j,
                         vt_vgpu_diff_field_fn *fn, void *arg)
{
    const struct vt_vgpu_event_seen *a = vt_vgpu_sequence_at(diff->a.sequence, i);
    const struct vt_vgpu_event_seen *b = vt_vgpu_sequence_at(diff->b.sequence, j);
    struct telling t = {fn, arg, "", false};
    if (a->kind != VT_VGPU_SEEN_COMMAND) {
        return false;
    }
    vt_vgpu_values_of_request(diff->va, a->request, a->request_bytes, diff->ignore);
    vt_vgpu_values_of_request(diff->vb, b->request, b->request_bytes, diff->ignore);
    compare_values(diff, i, j, &t);
    if (has_response(a) && has_response(b) && !diff->ignore_response) {
        t.prefix = "response.";
        vt_vgpu_values_of_response(diff->va, a->request, a->request_bytes, a->response,
                                   a->response_bytes, diff->ignore);
        vt_vgpu_values_of_response(diff->vb, b->request, b->request_bytes, b->response,
                                   b->response_bytes, diff->ignore);
        compare_values(diff, i, j, &t);
    }
    return t.differs;
}

void vt_vgpu_diff_fields(const struct vt_vgpu_diff *diff, const struct vt_vgpu_step *step,
                         vt_vgpu_diff_field_fn *fn, void *arg)
{
    if (step->kind == VT_VGPU_STEP_CHANGED) {
        compare_pair(diff, step->a, step->b, fn, arg);
    }
}

/* ---------------------------------------------------------------- all of it */

static void make_steps(struct vt_vgpu_diff *diff)
{
    const struct side *a = &diff->a, *b = &diff->b;
    uint32_t i = 0, j = 0;
    while (i < a->n || j < b->n) {
        /* The control queue's come first on both sides. */
        bool a_waits = i >= a->n_control && j < b->n_control;
        struct vt_vgpu_step *step = &diff->steps[diff->n_steps++];
        if (!a_waits && i < a->n && a->mate[i] == VT_ALIGN_NONE) {
            *step = (struct vt_vgpu_step){VT_VGPU_STEP_ONLY_A, i++, j};
        } else if (j < b->n && b->mate[j] == VT_ALIGN_NONE) {
            *step = (struct vt_vgpu_step){VT_VGPU_STEP_ONLY_B, i, j++};
        } else {
            bool differs = compare_pair(diff, i, j, NULL, NULL);
            *step =
                (struct vt_vgpu_step){differs ? VT_VGPU_STEP_CHANGED : VT_VGPU_STEP_SAME, i++, j++};
        }
    }
}

static int side_init(struct side *side, const struct vt_vgpu_sequence *sequence)
{
    side->sequence = sequence;
    side->n = (uint32_t)vt_vgpu_sequence_count(sequence);
    side->n_control = (uint32_t)vt_vgpu_sequence_control(sequence);
    const size_t n = (size_t)side->n + 1;
    side->keys = calloc(n, sizeof *side->keys);
    side->types = calloc(n, sizeof *side->types);
    side->mate = calloc(n, sizeof *side->mate);
    side->ids = calloc(n, sizeof *side->ids);
    return side->keys != NULL && side->types != NULL && side->mate != NULL && side->ids != NULL
               ? 0
               : -1;
}

static void side_fini(struct side *side)
{
    free(side->keys);
    free(side->types);
    free(side->mate);
    free(side->ids);
    free(side->things);
    free(side->bound);
}

void vt_vgpu_diff_destroy(struct vt_vgpu_diff *diff)
{
    if (diff != NULL) {
        side_fini(&diff->a);
        side_fini(&diff->b);
        free(diff->steps);
        free(diff->va);
        free(diff->vb);
        free(diff);
    }
}

int vt_vgpu_diff_create(const struct vt_vgpu_sequence *a, const struct vt_vgpu_sequence *b,
                        const char *const *ignore, struct vt_vgpu_diff **diff, struct vt_error *err)
{
    struct vt_vgpu_diff *d = calloc(1, sizeof *d);
    if (d == NULL) {
        return no_memory(err);
    }
    d->ignore = ignore;
    d->ignore_response = vt_vgpu_is_ignored(ignore, "response");
    d->va = calloc(1, sizeof *d->va);
    d->vb = calloc(1, sizeof *d->vb);
    d->steps = calloc(vt_vgpu_sequence_count(a) + vt_vgpu_sequence_count(b) + 1, sizeof *d->steps);
    int rc = 0;
    if (d->va == NULL || d->vb == NULL || d->steps == NULL || side_init(&d->a, a) != 0 ||
        side_init(&d->b, b) != 0 || find_things(d, &d->a) != 0 || find_things(d, &d->b) != 0) {
        rc = no_memory(err);
    }
    rc = rc != 0 ? rc : align(d, false, err);
    rc = rc != 0 ? rc : align(d, true, err);
    if (rc != 0) {
        vt_vgpu_diff_destroy(d);
        return rc;
    }
    make_steps(d);
    *diff = d;
    return 0;
}

const struct vt_vgpu_step *vt_vgpu_diff_steps(const struct vt_vgpu_diff *diff, size_t *n)
{
    *n = diff->n_steps;
    return diff->steps;
}
