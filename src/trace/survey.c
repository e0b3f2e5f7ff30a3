/* trace/survey.c - see survey.h. A block is decoded once, when it is first seen; what was executed
 * whole is multiplied at the end.
 */
#include "trace/survey.h"

#include <stdlib.h>
#include <string.h>

#define LINE_SHIFT 6
#define PAGE_SHIFT 12
#define SPAN_NS 1000000u /* the shortest */
#define RECENT 4096u
#define NO_ROOT UINT32_MAX

/* Of 64-bit keys that are not 0. */
struct set {
    uint64_t *keys; /* a power of two */
    uint32_t room, n;
    uint64_t recent[RECENT]; /* most are among the last ones */
};

struct known {
    uint64_t whole;   /* executions to the end */
    uint8_t *classes; /* of its instructions; NULL: not seen yet */
    uint16_t n;
};

struct lane {
    uint64_t paused_ns; /* 0: it runs */
    uint64_t root;
    uint32_t root_at; /* in roots, or NO_ROOT */
};

struct vt_trace_survey {
    struct vt_trace_survey_sums sums;
    struct vt_trace_survey_vcpu vcpus[VT_TRACE_SURVEY_VCPUS];
    struct lane lanes[VT_TRACE_SURVEY_VCPUS];
    struct vt_trace_survey_class classes[VT_TRACE_SURVEY_CLASSES];
    struct vt_trace_survey_size sizes[VT_TRACE_SURVEY_SIZES];
    struct vt_trace_survey_root roots[VT_TRACE_SURVEY_ROOTS];
    struct vt_trace_survey_target targets[VT_TRACE_SURVEY_TARGETS];
    uint64_t spans[VT_TRACE_SURVEY_SPANS];
    struct known *known; /* by block */
    uint32_t n_known;
    struct set code_lines, code_pages, data_lines, data_pages;
};

int vt_trace_survey_create(struct vt_trace_survey **survey, struct vt_error *err)
{
    struct vt_trace_survey *s = calloc(1, sizeof *s);
    if (s == NULL) {
        return vt_fail(err, VT_E_NOMEM, "no memory to survey a trace with");
    }
    for (uint32_t i = 0; i < VT_TRACE_SURVEY_VCPUS; i++) {
        s->lanes[i].root_at = NO_ROOT;
    }
    *survey = s;
    return 0;
}

void vt_trace_survey_destroy(struct vt_trace_survey *s)
{
    if (s != NULL) {
        for (uint32_t i = 0; i < s->n_known; i++) {
            free(s->known[i].classes);
        }
        free(s->known);
        free(s->code_lines.keys);
        free(s->code_pages.keys);
        free(s->data_lines.keys);
        free(s->data_pages.keys);
        free(s);
    }
}

/* ---- sets */

static uint64_t mixed(uint64_t key)
{
    key *= 0x9e3779b97f4a7c15u;
    return key ^ key >> 29;
}

static void put(struct set *set, uint64_t key)
{
    uint32_t i = (uint32_t)mixed(key) & (set->room - 1);
    while (set->keys[i] != 0 && set->keys[i] != key) {
        i = (i + 1) & (set->room - 1);
    }
    set->n += set->keys[i] == 0;
    set->keys[i] = key;
}

static int grow(struct set *set, struct vt_error *err)
{
    struct set old = {.keys = set->keys, .room = set->room};
    uint32_t room = old.room == 0 ? 1024 : old.room * 2;
    uint64_t *keys = calloc(room, sizeof *keys);
    if (keys == NULL) {
        return vt_fail(err, VT_E_NOMEM, "no memory for %u lines of memory", room);
    }
    set->keys = keys;
    set->room = room;
    set->n = 0;
    for (uint32_t i = 0; i < old.room; i++) {
        if (old.keys[i] != 0) {
            put(set, old.keys[i]);
        }
    }
    free(old.keys);
    return 0;
}

static int add_key(struct vt_trace_survey *s, struct set *set, uint64_t key, struct vt_error *err)
{
    key += key == 0;
    uint64_t *recent = &set->recent[mixed(key) >> 32 & (RECENT - 1)];
    if (*recent == key) {
        return 0;
    }
    *recent = key;
    if (set->n >= VT_TRACE_SURVEY_LINES_MAX) {
        s->sums.truncated = true;
        return 0;
    }
    int rc = set->n >= set->room / 2 ? grow(set, err) : 0;
    if (rc == 0) {
        put(set, key);
    }
    return rc;
}

/* The lines and pages from `at` on; `space` tells apart what has the same addresses. */
static int touch(struct vt_trace_survey *s, struct set *lines, struct set *pages, uint64_t at,
                 uint64_t bytes, uint64_t space, struct vt_error *err)
{
    uint64_t last = at + (bytes > 0 ? bytes - 1 : 0);
    last = last < at ? UINT64_MAX : last;
    int rc = 0;
    for (uint64_t i = 0; rc == 0 && i <= (last >> LINE_SHIFT) - (at >> LINE_SHIFT); i++) {
        rc = add_key(s, lines, ((at >> LINE_SHIFT) + i) ^ space, err);
    }
    for (uint64_t i = 0; rc == 0 && i <= (last >> PAGE_SHIFT) - (at >> PAGE_SHIFT); i++) {
        rc = add_key(s, pages, ((at >> PAGE_SHIFT) + i) ^ space, err);
    }
    return rc;
}

/* ---- blocks */

static int know(struct vt_trace_survey *s, const struct vt_trace_block *block, struct vt_error *err)
{
    if (block->id >= s->n_known) {
        uint32_t n = s->n_known == 0 ? 4096 : s->n_known;
        while (n <= block->id && n < UINT32_MAX / 2) {
            n *= 2;
        }
        struct known *known = reallocarray(s->known, n, sizeof *known);
        if (known == NULL || n <= block->id) {
            s->known = known != NULL ? known : s->known;
            return vt_fail(err, VT_E_NOMEM, "no memory for block %u", block->id);
        }
        memset(known + s->n_known, 0, (n - s->n_known) * sizeof *known);
        s->known = known;
        s->n_known = n;
    }
    struct known *k = &s->known[block->id];
    if (k->classes != NULL) {
        return 0;
    }
    k->classes = malloc(block->n);
    if (k->classes == NULL) {
        return vt_fail(err, VT_E_NOMEM, "no memory for block %u", block->id);
    }
    k->n = block->n;
    for (unsigned i = 0; i < block->n; i++) {
        struct vt_trace_instruction insn;
        vt_trace_decode(block, i, &insn);
        k->classes[i] = (uint8_t)insn.class;
    }
    s->sums.known_blocks++;
    uint64_t at = block->physical != ~(uint64_t)0 ? block->physical : block->pc;
    return touch(s, &s->code_lines, &s->code_pages, at, block->code_bytes, 0, err);
}

static struct vt_trace_survey_root *root_of(struct vt_trace_survey *s, uint32_t vcpu, uint64_t root)
{
    struct lane *lane = &s->lanes[vcpu];
    if (lane->root_at == NO_ROOT || lane->root != root) {
        uint32_t i = 0;
        while (i < s->sums.n_roots && s->roots[i].root != root) {
            i++;
        }
        if (i == VT_TRACE_SURVEY_ROOTS) {
            s->sums.truncated = true;
            return NULL;
        }
        if (i == s->sums.n_roots) {
            s->roots[s->sums.n_roots++] = (struct vt_trace_survey_root){.root = root};
        }
        lane->root = root;
        lane->root_at = i;
    }
    return &s->roots[lane->root_at];
}

static int add_accesses(struct vt_trace_survey *s, const struct vt_trace_event *e,
                        struct vt_error *err)
{
    const struct known *k = &s->known[e->block->id];
    int rc = 0;
    for (uint32_t i = 0; i < e->n_accesses && rc == 0; i++) {
        const struct vt_trace_access *a = &e->accesses[i];
        struct vt_trace_survey_size *size = &s->sizes[(unsigned)__builtin_ctz(a->bytes | 16u)];
        struct vt_trace_survey_class *class =
            &s->classes[a->instruction < k->n ? k->classes[a->instruction] : VT_INSN_UNKNOWN];
        if (a->store) {
            size->stores++;
            class->stores++;
        } else {
            size->loads++;
            class->loads++;
        }
        s->sums.device += a->device;
        uint64_t space = a->address >> 63 != 0 ? 0 : mixed(e->root);
        rc = touch(s, &s->data_lines, &s->data_pages, a->address, a->bytes, space, err);
    }
    return rc;
}

static int add_block(struct vt_trace_survey *s, const struct vt_trace_event *e,
                     struct vt_error *err)
{
    const struct vt_trace_block *block = e->block;
    int rc =
        block->id < s->n_known && s->known[block->id].classes != NULL ? 0 : know(s, block, err);
    rc = rc == 0 && e->n_accesses > 0 ? add_accesses(s, e, err) : rc;
    if (rc != 0) {
        return rc;
    }
    struct known *k = &s->known[block->id];
    bool kernel = block->pc >> 63 != 0;
    s->sums.blocks++;
    s->sums.instructions += e->executed;
    s->sums.kernel += kernel ? e->executed : 0;
    s->vcpus[e->vcpu].blocks++;
    s->vcpus[e->vcpu].instructions += e->executed;
    s->vcpus[e->vcpu].accesses += e->n_accesses;
    if (e->executed >= k->n) {
        k->whole++;
    } else {
        for (unsigned i = 0; i < e->executed; i++) {
            s->classes[k->classes[i]].instructions++;
        }
    }
    struct vt_trace_survey_root *root = root_of(s, e->vcpu, e->root);
    if (root != NULL) {
        root->kernel += kernel ? e->executed : 0;
        root->user += kernel ? 0 : e->executed;
        root->accesses += e->n_accesses;
    }
    return 0;
}

/* ---- what else happens */

static void add_end(struct vt_trace_survey *s, const struct vt_trace_event *e)
{
    struct vt_trace_survey_vcpu *v = &s->vcpus[e->vcpu];
    switch (e->end) {
    case VT_TRACE_END_WHOLE:
        s->sums.whole_blocks++;
        return;
    case VT_TRACE_END_RESTART:
        s->sums.restarts++;
        return;
    case VT_TRACE_END_UNKNOWN:
        s->sums.unknown_ends++;
        return;
    case VT_TRACE_END_INTERRUPT:
        s->sums.interrupts++;
        v->interrupts++;
        break;
    case VT_TRACE_END_EXCEPTION:
        s->sums.exceptions++;
        v->exceptions++;
        break;
    case VT_TRACE_END_HOST:
        s->sums.host_calls++;
        break;
    }
    uint32_t i = 0;
    while (i < s->sums.n_targets && (s->targets[i].to != e->to || s->targets[i].end != e->end)) {
        i++;
    }
    if (i == VT_TRACE_SURVEY_TARGETS) {
        s->sums.truncated = true;
        return;
    }
    if (i == s->sums.n_targets) {
        s->targets[s->sums.n_targets++] =
            (struct vt_trace_survey_target){.end = e->end, .to = e->to};
    }
    s->targets[i].count++;
}

/* Spans become longer as the trace does. */
static void add_time(struct vt_trace_survey *s, const struct vt_trace_event *e)
{
    struct vt_trace_survey_sums *sums = &s->sums;
    struct vt_trace_survey_vcpu *v = &s->vcpus[e->vcpu];
    if (e->time_ns == 0) {
        return;
    }
    v->first_ns = v->first_ns == 0 ? e->time_ns : v->first_ns;
    v->last_ns = e->time_ns > v->last_ns ? e->time_ns : v->last_ns;
    if (sums->first_ns == 0) {
        sums->first_ns = e->time_ns;
        sums->span_ns = SPAN_NS;
    }
    sums->last_ns = e->time_ns > sums->last_ns ? e->time_ns : sums->last_ns;
    uint64_t since = e->time_ns > sums->first_ns ? e->time_ns - sums->first_ns : 0;
    while (since / sums->span_ns >= VT_TRACE_SURVEY_SPANS) {
        for (uint32_t i = 0; i < VT_TRACE_SURVEY_SPANS; i++) {
            uint32_t two = i * 2;
            s->spans[i] = two < VT_TRACE_SURVEY_SPANS ? s->spans[two] + s->spans[two + 1] : 0;
        }
        sums->n_spans = (sums->n_spans + 1) / 2;
        sums->span_ns *= 2;
    }
    uint32_t span = (uint32_t)(since / sums->span_ns);
    sums->n_spans = span + 1 > sums->n_spans ? span + 1 : sums->n_spans;
    s->spans[span] += e->kind == VT_TRACE_EV_BLOCK ? e->executed : 0;
}

int vt_trace_survey_add(struct vt_trace_survey *s, const struct vt_trace_event *e,
                        struct vt_error *err)
{
    if (e->vcpu >= VT_TRACE_SURVEY_VCPUS) {
        return vt_fail(err, VT_E_INVAL, "an event of vCPU %u", e->vcpu);
    }
    struct vt_trace_survey_vcpu *v = &s->vcpus[e->vcpu];
    struct lane *lane = &s->lanes[e->vcpu];
    if (e->kind == VT_TRACE_EV_BLOCK) {
        int rc = add_block(s, e, err);
        if (rc != 0) {
            return rc;
        }
    }
    s->sums.events++;
    v->events++;
    add_time(s, e);
    switch (e->kind) {
    case VT_TRACE_EV_BLOCK:
    case VT_TRACE_EV_CUT:
        add_end(s, e);
        break;
    case VT_TRACE_EV_LOST:
        s->sums.losses++;
        s->sums.lost_words += e->lost_words;
        v->lost_words += e->lost_words;
        lane->paused_ns = 0; /* who knows whether it went on */
        break;
    case VT_TRACE_EV_PAUSE:
        lane->paused_ns = e->time_ns;
        break;
    case VT_TRACE_EV_RESUME:
        v->idle_ns +=
            lane->paused_ns != 0 && e->time_ns > lane->paused_ns ? e->time_ns - lane->paused_ns : 0;
        lane->paused_ns = 0;
        break;
    case VT_TRACE_EV_REGISTERS:
    case VT_TRACE_EV_MODE:
        break;
    }
    return 0;
}

/* ---- the end */

static int more_instructions(const void *a, const void *b)
{
    const struct vt_trace_survey_root *x = a, *y = b;
    uint64_t of_x = x->kernel + x->user, of_y = y->kernel + y->user;
    return of_x < of_y ? 1 : of_x > of_y ? -1 : x->root < y->root ? -1 : x->root > y->root;
}

static int more_often(const void *a, const void *b)
{
    const struct vt_trace_survey_target *x = a, *y = b;
    return x->count < y->count ? 1 : x->count > y->count ? -1 : x->to < y->to ? -1 : x->to > y->to;
}

const struct vt_trace_survey_sums *vt_trace_survey_end(struct vt_trace_survey *s)
{
    struct vt_trace_survey_sums *sums = &s->sums;
    for (uint32_t i = 0; i < s->n_known; i++) {
        for (unsigned k = 0; k < s->known[i].n && s->known[i].whole > 0; k++) {
            s->classes[s->known[i].classes[k]].instructions += s->known[i].whole;
        }
        s->known[i].whole = 0;
    }
    for (uint32_t i = 0; i < VT_TRACE_SURVEY_VCPUS; i++) {
        uint64_t paused_ns = s->lanes[i].paused_ns;
        s->vcpus[i].idle_ns += paused_ns != 0 ? sums->last_ns - paused_ns : 0;
        s->lanes[i].paused_ns = 0;
        sums->idle_ns += s->vcpus[i].idle_ns;
    }
    for (uint32_t i = 0; i < VT_TRACE_SURVEY_SIZES; i++) {
        sums->loads += s->sizes[i].loads;
        sums->stores += s->sizes[i].stores;
    }
    sums->code_lines = s->code_lines.n;
    sums->code_pages = s->code_pages.n;
    sums->data_lines = s->data_lines.n;
    sums->data_pages = s->data_pages.n;
    qsort(s->roots, sums->n_roots, sizeof *s->roots, more_instructions);
    qsort(s->targets, sums->n_targets, sizeof *s->targets, more_often);
    return sums;
}

const struct vt_trace_survey_vcpu *vt_trace_survey_vcpus(const struct vt_trace_survey *s)
{
    return s->vcpus;
}

const struct vt_trace_survey_class *vt_trace_survey_classes(const struct vt_trace_survey *s)
{
    return s->classes;
}

const struct vt_trace_survey_size *vt_trace_survey_sizes(const struct vt_trace_survey *s)
{
    return s->sizes;
}

const struct vt_trace_survey_root *vt_trace_survey_roots(const struct vt_trace_survey *s)
{
    return s->roots;
}

const struct vt_trace_survey_target *vt_trace_survey_targets(const struct vt_trace_survey *s)
{
    return s->targets;
}

const uint64_t *vt_trace_survey_spans(const struct vt_trace_survey *s)
{
    return s->spans;
}
