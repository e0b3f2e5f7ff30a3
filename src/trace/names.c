/* trace/names.c - names of what executes: texts, blocks, roots; asking for them; writing them into
 * a file, reading those of one. See names.h.
 */
#include "trace/names.h"

#include "base/text.h"
#include "trace/file.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Blocks that begin before an address and may reach it: translation blocks overlap. */
#define BLOCKS_BEFORE 128u
/* While a root is in force whose process is not known. */
#define EVENTS_A_LOOK 1024u

/* ---- tables */

/* Room for one more of `n`; false: there is none, and nothing changed. */
static bool grow(void *array, uint32_t n, uint32_t *room, size_t size)
{
    if (n < *room) {
        return true;
    }
    uint32_t more = *room == 0 ? 256 : *room * 2;
    void **at = array, *to = reallocarray(*at, more, size);
    if (to == NULL) {
        return false;
    }
    *at = to;
    *room = more;
    return true;
}

static uint64_t mix(uint64_t v)
{
    v = (v ^ (v >> 31)) * UINT64_C(0x9e3779b97f4a7c15);
    return v ^ (v >> 29);
}

static uint64_t text_hash(const char *text)
{
    uint64_t h = UINT64_C(14695981039346656037); /* FNV-1a */
    for (; *text != '\0'; text++) {
        h = (h ^ (uint8_t)*text) * UINT64_C(1099511628211);
    }
    return mix(h);
}

/* A table of twice the slots (numbers + 1, 0 is free), for `n` entries; false: no memory. */
static bool more_slots(uint32_t **slots, uint32_t *mask, uint32_t n,
                       uint64_t (*hash)(const struct vt_trace_names *names, uint32_t i),
                       const struct vt_trace_names *names)
{
    if (*slots != NULL && n * 2 <= *mask) {
        return true;
    }
    uint32_t size = *slots == NULL ? 1024 : (*mask + 1) * 2;
    uint32_t *to = calloc(size, sizeof *to);
    if (to == NULL) {
        return false;
    }
    for (uint32_t i = 0; i < n; i++) {
        uint32_t at = (uint32_t)hash(names, i) & (size - 1);
        while (to[at] != 0) {
            at = (at + 1) & (size - 1);
        }
        to[at] = i + 1;
    }
    free(*slots);
    *slots = to;
    *mask = size - 1;
    return true;
}

static uint64_t hash_of_text(const struct vt_trace_names *names, uint32_t i)
{
    return text_hash(names->texts[i]);
}

static uint64_t hash_of_root(const struct vt_trace_names *names, uint32_t i)
{
    return mix(names->roots[i].root);
}

uint32_t vt_names_text(struct vt_trace_names *names, const char *text)
{
    if (text == NULL ||
        !more_slots(&names->text_slots, &names->text_mask, names->n_texts, hash_of_text, names)) {
        return 0;
    }
    uint32_t at = (uint32_t)text_hash(text) & names->text_mask;
    for (; names->text_slots[at] != 0; at = (at + 1) & names->text_mask) {
        if (strcmp(names->texts[names->text_slots[at] - 1], text) == 0) {
            return names->text_slots[at];
        }
    }
    size_t bytes = strlen(text) + 1;
    if (bytes > VT_NAMES_TEXT_BYTES_MAX - names->text_bytes ||
        !grow(&names->texts, names->n_texts, &names->texts_room, sizeof *names->texts)) {
        return 0;
    }
    char *copy = malloc(bytes);
    if (copy == NULL) {
        return 0;
    }
    memcpy(copy, text, bytes);
    names->text_bytes += bytes;
    names->texts[names->n_texts++] = copy;
    return names->text_slots[at] = names->n_texts;
}

const char *vt_names_text_of(const struct vt_trace_names *names, uint32_t text)
{
    return text != 0 ? names->texts[text - 1] : NULL;
}

struct vt_names_root *vt_names_root(struct vt_trace_names *names, uint64_t root, bool add)
{
    if (!more_slots(&names->root_slots, &names->root_mask, names->n_roots, hash_of_root, names)) {
        return NULL;
    }
    uint32_t at = (uint32_t)mix(root) & names->root_mask;
    for (; names->root_slots[at] != 0; at = (at + 1) & names->root_mask) {
        struct vt_names_root *known = &names->roots[names->root_slots[at] - 1];
        if (known->root == root) {
            return known;
        }
    }
    if (!add || names->n_roots == VT_NAMES_ROOTS_MAX ||
        !grow(&names->roots, names->n_roots, &names->roots_room, sizeof *names->roots)) {
        return NULL;
    }
    names->roots[names->n_roots] = (struct vt_names_root){.root = root, .pid = -1};
    names->root_slots[at] = ++names->n_roots;
    return &names->roots[names->n_roots - 1];
}

static void add_change(struct vt_trace_names *names, struct vt_names_change change)
{
    if (names->n_changes < VT_NAMES_CHANGES_MAX &&
        grow(&names->changes, names->n_changes, &names->changes_room, sizeof *names->changes)) {
        names->changes[names->n_changes++] = change;
    }
}

static void set_process(struct vt_names_root *root, int64_t pid, uint32_t name)
{
    root->pid = pid;
    root->name = name;
    if (name != 0) {
        root->last_pid = pid;
        root->last_name = name;
    }
}

void vt_names_process(struct vt_trace_names *names, struct vt_names_root *root, uint64_t event,
                      int64_t pid, const char *name)
{
    uint32_t text = vt_names_text(names, name);
    if (root->pid != pid || root->name != text) {
        set_process(root, pid, text);
        add_change(names, (struct vt_names_change){event, root->root, pid, text});
    }
}

/* The entry of a block, a new one with its beginning filled in; NULL: no room. */
static struct vt_names_block *add_block(struct vt_trace_names *names,
                                        const struct vt_trace_block *block)
{
    if (block->id >= VT_NAMES_BLOCKS_MAX) {
        return NULL;
    }
    if (block->id >= names->n_ids) {
        uint32_t n = names->n_ids == 0 ? 4096 : names->n_ids;
        while (n <= block->id) {
            n *= 2;
        }
        uint32_t *to = reallocarray(names->by_id, n, sizeof *to);
        if (to == NULL) {
            return NULL;
        }
        memset(to + names->n_ids, 0, (n - names->n_ids) * sizeof *to);
        names->by_id = to;
        names->n_ids = n;
    }
    uint32_t *slot = &names->by_id[block->id];
    if (*slot == 0) {
        if (!grow(&names->blocks, names->n_blocks, &names->blocks_room, sizeof *names->blocks)) {
            return NULL;
        }
        names->blocks[names->n_blocks++] = (struct vt_names_block){.pc = block->pc,
                                                                   .physical = block->physical,
                                                                   .root = ~(uint64_t)0,
                                                                   .bytes = block->code_bytes,
                                                                   .id = block->id};
        *slot = names->n_blocks;
    }
    return &names->blocks[*slot - 1];
}

/* ---- making them */

static int create(struct vt_trace_names **names, struct vt_error *err)
{
    *names = calloc(1, sizeof **names);
    if (*names == NULL) {
        return vt_fail(err, VT_E_NOMEM, "no memory for names");
    }
    for (size_t i = 0; i < VT_NAMES_VCPUS; i++) {
        (*names)->vcpus[i].root = UINT64_MAX;
    }
    return 0;
}

int vt_trace_names_live(struct vt_target *target, struct vt_trace_names **names,
                        struct vt_error *err)
{
    struct vt_trace_names *n;
    int rc = create(&n, err);
    rc = rc == 0 ? vt_names_live_create(target, &n->live, err) : rc;
    if (rc != 0) {
        vt_trace_names_destroy(n);
        return rc;
    }
    *names = n;
    return 0;
}

static int by_event(const void *a, const void *b)
{
    const struct vt_names_change *x = a, *y = b;
    if (x->event != y->event) {
        return x->event < y->event ? -1 : 1;
    }
    return (x->name != 0) - (y->name != 0); /* nobody, then who was found */
}

/* Of a file: who has which root when event number `event` happens. */
static void apply(struct vt_trace_names *names, uint64_t event)
{
    if (names->n_applied > 0 && names->changes[names->n_applied - 1].event > event) {
        for (uint32_t i = 0; i < names->n_roots; i++) { /* back: from the beginning on */
            set_process(&names->roots[i], -1, 0);
        }
        names->n_applied = 0;
    }
    for (; names->n_applied < names->n_changes && names->changes[names->n_applied].event <= event;
         names->n_applied++) {
        const struct vt_names_change *change = &names->changes[names->n_applied];
        struct vt_names_root *root = vt_names_root(names, change->root, true);
        if (root != NULL) {
            set_process(root, change->pid, change->name);
        }
    }
}

int vt_trace_names_file(const struct vt_trace_source *source, struct vt_trace_names **names,
                        struct vt_error *err)
{
    const struct vt_trace_file_about *about = vt_trace_file_about(source);
    struct vt_trace_names *n;
    if (about == NULL || about->n_roots + about->n_block_names == 0) {
        *names = NULL;
        return 0;
    }
    int rc = create(&n, err);
    if (rc != 0) {
        return rc;
    }
    n->file = source;
    for (size_t i = 0; i < about->n_roots; i++) {
        const struct vt_trace_file_root_name *root = &about->roots[i];
        add_change(n, (struct vt_names_change){root->event, root->root, root->pid,
                                               vt_names_text(n, root->name)});
    }
    if (n->n_changes > 0) {
        qsort(n->changes, n->n_changes, sizeof *n->changes, by_event);
        apply(n, UINT64_MAX); /* for those that ask without reading */
        vt_trace_names_settle(n);
    }
    for (size_t i = 0; i < about->n_block_names; i++) {
        const struct vt_trace_file_block_name *name = &about->block_names[i];
        const struct vt_trace_block *block = vt_trace_block(source, name->block);
        struct vt_names_block *known = block != NULL ? add_block(n, block) : NULL;
        if (known != NULL) {
            known->offset = name->offset;
            known->object = vt_names_text(n, name->object);
            known->function = vt_names_text(n, name->function);
        }
    }
    *names = n;
    return 0;
}

void vt_trace_names_destroy(struct vt_trace_names *names)
{
    if (names == NULL) {
        return;
    }
    for (uint32_t i = 0; i < names->n_texts; i++) {
        free(names->texts[i]);
    }
    vt_names_live_destroy(names->live);
    free(names->texts);
    free(names->text_slots);
    free(names->blocks);
    free(names->by_id);
    free(names->by_pc);
    free(names->roots);
    free(names->root_slots);
    free(names->changes);
    free(names);
}

static void see_block(struct vt_trace_names *names, const struct vt_trace_event *event)
{
    uint64_t *last = &names->vcpus[event->vcpu % VT_NAMES_VCPUS].root;
    enum vt_names_sure *sure = &names->vcpus[event->vcpu % VT_NAMES_VCPUS].process;
    bool entered = event->root != *last;
    if (entered || (*sure == VT_NAMES_UNKNOWN && names->events % EVENTS_A_LOOK == 0)) {
        *last = event->root;
        *sure = vt_names_live_switch(names, event->root, entered);
    }
    const struct vt_trace_block *block = event->block;
    if (*sure == VT_NAMES_EARLY && block->pc >> 63 == 0) {
        vt_names_live_user_mode(names, event->root);
        *sure = VT_NAMES_SURE;
    }
    if (block->id < names->n_ids && names->by_id[block->id] != 0) {
        return;
    }
    struct vt_names_block *added = add_block(names, block);
    if (added != NULL) {
        added->root = event->root;
        vt_names_live_block(names, added);
    }
}

void vt_trace_names_see(struct vt_trace_names *names, const struct vt_trace_event *event)
{
    if (names != NULL && names->file != NULL && names->n_changes > 0) {
        apply(names, vt_trace_file_tell(names->file) - 1);
    }
    if (names == NULL || names->live == NULL) {
        return;
    }
    if (event->kind == VT_TRACE_EV_BLOCK) {
        see_block(names, event);
    }
    names->events++;
}
void vt_trace_names_settle(struct vt_trace_names *names)
{
    for (uint32_t i = 0; names != NULL && i < names->n_roots; i++) {
        struct vt_names_root *root = &names->roots[i];
        if (root->last_name != 0) {
            set_process(root, root->last_pid, root->last_name);
        }
    }
}

/* ---- asking */

static int by_address(const void *a, const void *b)
{
    const struct vt_names_at *x = a, *y = b;
    return x->pc != y->pc ? (x->pc < y->pc ? -1 : 1)
                          : (x->block < y->block ? -1 : x->block > y->block);
}

static bool sort(struct vt_trace_names *names)
{
    if (names->n_sorted == names->n_blocks) {
        return names->n_blocks > 0;
    }
    struct vt_names_at *to = reallocarray(names->by_pc, names->n_blocks, sizeof *to);
    if (to == NULL) {
        return false;
    }
    for (uint32_t i = 0; i < names->n_blocks; i++) {
        to[i] = (struct vt_names_at){names->blocks[i].pc, i};
    }
    qsort(to, names->n_blocks, sizeof *to, by_address);
    names->by_pc = to;
    names->n_sorted = names->n_blocks;
    return true;
}

static bool has(const struct vt_names_block *block, uint64_t pc)
{
    return pc - block->pc < block->bytes || pc == block->pc;
}

/* A block that has `pc`, one seen under `root` if there is any. */
static struct vt_names_block *find_at(struct vt_trace_names *names, uint64_t root, uint64_t pc)
{
    struct vt_names_block *found = NULL;
    if (!sort(names)) {
        return NULL;
    }
    uint32_t low = 0, high = names->n_sorted; /* the first that begins after pc */
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (names->by_pc[middle].pc <= pc) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    for (uint32_t i = 0; i < BLOCKS_BEFORE && i < low; i++) {
        struct vt_names_block *block = &names->blocks[names->by_pc[low - 1 - i].block];
        if (has(block, pc) && (found == NULL || block->root == root)) {
            found = block;
            if (block->root == root) {
                break;
            }
        }
    }
    return found;
}

bool vt_trace_place(struct vt_trace_names *names, uint64_t root, const struct vt_trace_block *block,
                    uint64_t pc, struct vt_trace_place *place)
{
    *place = (struct vt_trace_place){.pid = -1};
    if (names == NULL) {
        return false;
    }
    const struct vt_names_root *process = vt_names_root(names, root, false);
    if (process != NULL) {
        place->process = vt_names_text_of(names, process->name);
        place->pid = process->pid;
    }
    if (names->live != NULL && pc >> 63 != 0 && vt_names_live_kernel(names, pc, place)) {
        return true;
    }
    struct vt_names_block *known = NULL;
    if (block != NULL && block->id < names->n_ids && names->by_id[block->id] != 0) {
        known = &names->blocks[names->by_id[block->id] - 1];
    }
    if (known == NULL || !has(known, pc)) {
        known = find_at(names, root, pc);
    }
    if (known == NULL) {
        return false;
    }
    if (names->live != NULL && known->object == 0) {
        vt_names_live_block(names, known);
    }
    if (known->image != 0) {
        vt_names_live_symbol(names, known);
    }
    place->object = vt_names_text_of(names, known->object);
    place->function = vt_names_text_of(names, known->function);
    place->offset = known->object != 0 ? known->offset + (pc - known->pc) : 0;
    return place->object != NULL || place->function != NULL;
}

/* ---- for people */

#define TEXT_BYTES 512u

static const char *printable(char text[TEXT_BYTES], const char *raw)
{
    vt_text_printable(text, TEXT_BYTES, raw, strlen(raw));
    return text;
}

void vt_trace_place_text(const struct vt_trace_place *place, uint64_t pc, char *text, size_t bytes)
{
    char object[TEXT_BYTES] = "", function[TEXT_BYTES] = "", distance[24] = "";
    if (place->object == NULL && place->function == NULL) {
        snprintf(text, bytes, "0x%" PRIx64, pc);
        return;
    }
    if (place->object != NULL && strcmp(place->object, "vmlinux") != 0) {
        const char *last = strrchr(place->object, '/');
        printable(object, last != NULL ? last + 1 : place->object);
    }
    if (place->function != NULL) {
        printable(function, place->function);
    }
    if (place->function == NULL || place->offset != 0) {
        snprintf(distance, sizeof distance, "%s0x%" PRIx64, place->function != NULL ? "+" : "",
                 place->offset);
    }
    snprintf(text, bytes, "%s%s%s%s", object, object[0] != '\0' ? ":" : "", function, distance);
}

/* ---- into a file */

static int write_block(struct vt_trace_names *names, struct vt_names_block *block,
                       struct vt_trace_writer *w, struct vt_error *err)
{
    struct vt_trace_place place;
    struct vt_trace_block of = {.id = block->id, .pc = block->pc};
    if (!vt_trace_place(names, block->root, &of, block->pc, &place)) {
        return 0;
    }
    int rc =
        vt_trace_writer_name_block(w, block->id, place.object, place.function, place.offset, err);
    return rc == VT_E_NOT_FOUND ? 0 : rc; /* seen, but not put into it */
}

int vt_trace_names_write(struct vt_trace_names *names, struct vt_trace_writer *w,
                         struct vt_error *err)
{
    int rc = 0;
    if (names == NULL) {
        return 0;
    }
    vt_names_live_finish(names);
    for (uint32_t i = 0; i < names->n_changes && rc == 0; i++) {
        const struct vt_names_change *change = &names->changes[i];
        rc = vt_trace_writer_name_root(w, change->event, change->root, change->pid,
                                       vt_names_text_of(names, change->name), err);
    }
    for (uint32_t i = 0; i < names->n_blocks && rc == 0; i++) {
        rc = write_block(names, &names->blocks[i], w, err);
    }
    return rc;
}
