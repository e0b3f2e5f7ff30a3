/* trace/stack_tree.c - the tree of call stacks: processes and functions, each once, and which of
 * them are under which. See stack_parts.h.
 */
#include "base/text.h"
#include "trace/stack_parts.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#define XXH_INLINE_ALL
#include <xxhash.h>

#define FRAMES_MAX ((uint32_t)1 << 21)

static char *copy_of(const char *text)
{
    return text != NULL ? strdup(text) : NULL;
}

/* The frame that has this key, or a new one. Names are copied. */
static int intern(struct vt_stack_tree *t, uint64_t a, uint64_t b,
                  const struct vt_trace_frame *wanted, uint32_t *out, struct vt_error *err)
{
    *out = vt_learn_index_find(&t->by_frame, a, b);
    if (*out != VT_LEARN_NONE) {
        return 0;
    }
    if (t->n_frames >= FRAMES_MAX) {
        t->truncated = true;
        *out = t->unknown;
        return 0;
    }
    struct vt_trace_frame made = *wanted;
    int rc =
        vt_learn_room((void **)&t->frames, t->n_frames, &t->frames_room, sizeof *t->frames, err);
    if (rc != 0) {
        return rc;
    }
    made.object = copy_of(wanted->object);
    made.name = copy_of(wanted->name);
    rc = (wanted->object != NULL && made.object == NULL) ||
                 (wanted->name != NULL && made.name == NULL)
             ? vt_fail(err, VT_E_NOMEM, "no memory for a function's name")
             : vt_learn_index_put(&t->by_frame, a, b, t->n_frames, err);
    if (rc != 0) {
        free((char *)made.object);
        free((char *)made.name);
        return rc;
    }
    *out = t->n_frames;
    t->frames[t->n_frames++] = made;
    return 0;
}

/* By its contents: 128 bits of hashes stand for them. */
static int intern_named(struct vt_stack_tree *t, const struct vt_trace_frame *wanted, uint32_t *out,
                        struct vt_error *err)
{
    const uint64_t numbers[] = {wanted->kind, wanted->kernel, wanted->by_address, wanted->address,
                                wanted->root};
    const char *object = wanted->object != NULL ? wanted->object : "";
    const char *name = wanted->name != NULL ? wanted->name : "";
    uint64_t key[2];
    for (unsigned i = 0; i < 2; i++) {
        key[i] = XXH3_64bits_withSeed(numbers, sizeof numbers, i);
        key[i] = XXH3_64bits_withSeed(object, strlen(object), key[i]);
        key[i] = XXH3_64bits_withSeed(name, strlen(name), key[i]);
    }
    return intern(t, key[0], key[1], wanted, out, err);
}

/* "f.cold" and "f.part.0" are parts of f. */
static size_t name_length(const char *name)
{
    const char *cold = strstr(name, ".cold");
    const char *part = strstr(name, ".part.");
    const char *end = cold != NULL && (part == NULL || cold < part) ? cold : part;
    return end != NULL && end > name ? (size_t)(end - name) : strlen(name);
}

int vt_stack_frame_of_block(struct vt_stack_tree *t, const struct vt_trace_block *block,
                            uint64_t pc, uint64_t root, uint32_t *function, uint32_t *object,
                            struct vt_error *err)
{
    struct vt_trace_place place;
    struct vt_trace_frame wanted = {.kind = VT_FRAME_FUNCTION,
                                    .kernel = (pc & VT_STACK_KERNEL_HALF) != 0,
                                    .root = VT_STACK_NO_ROOT};
    int rc = 0;
    *function = *object = VT_TRACE_NONE;
    vt_trace_place(t->names, root, block, pc, &place);
    wanted.object = place.object;
    if (place.object != NULL) {
        rc = intern_named(t, &wanted, object, err);
    }
    if (rc == 0 && place.function != NULL) {
        char *name = strndup(place.function, name_length(place.function));
        if (name == NULL) {
            return vt_fail(err, VT_E_NOMEM, "no memory for a function's name");
        }
        wanted.name = name;
        rc = intern_named(t, &wanted, function, err);
        free(name);
    }
    return rc;
}

int vt_stack_frame_of_address(struct vt_stack_tree *t, const struct vt_trace_block *block,
                              uint64_t pc, uint64_t root, uint32_t *out, struct vt_error *err)
{
    struct vt_trace_place place;
    bool kernel = (pc & VT_STACK_KERNEL_HALF) != 0;
    vt_trace_place(t->names, root, block, pc, &place);
    struct vt_trace_frame wanted = {.kind = VT_FRAME_FUNCTION,
                                    .kernel = kernel,
                                    .object = place.object,
                                    .address = place.object != NULL ? place.offset : pc,
                                    .root =
                                        kernel || place.object != NULL ? VT_STACK_NO_ROOT : root,
                                    .by_address = true};
    return intern_named(t, &wanted, out, err);
}

int vt_stack_frame_of_process(struct vt_stack_tree *t, const struct vt_trace_block *block,
                              uint64_t root, uint32_t *out, struct vt_error *err)
{
    struct vt_trace_place place;
    struct vt_trace_frame wanted = {
        .kind = VT_FRAME_PROCESS, .kernel = root == VT_STACK_NO_ROOT, .root = root};
    *out = vt_learn_index_find(&t->by_root, root, 0);
    if (*out != VT_LEARN_NONE) {
        return 0;
    }
    if (root < VT_STACK_SOME_ROOT) {
        vt_trace_place(t->names, root, block, block->pc, &place);
        wanted.name = place.process;
        wanted.pid = place.process != NULL ? place.pid : 0;
    }
    int rc = intern_named(t, &wanted, out, err);
    return rc == 0 ? vt_learn_index_put(&t->by_root, root, 0, *out, err) : rc;
}

/* What a frame is under a node; the node itself when the tree is full. */
int vt_stack_child(struct vt_stack_tree *t, uint32_t parent, uint32_t frame, uint32_t *out,
                   struct vt_error *err)
{
    uint32_t at = vt_learn_index_find(&t->by_child, parent, frame);
    if (at == VT_LEARN_NONE && t->n_nodes >= t->nodes_max) {
        t->truncated = true;
        at = parent;
    } else if (at == VT_LEARN_NONE) {
        int rc =
            vt_learn_room((void **)&t->nodes, t->n_nodes, &t->nodes_room, sizeof *t->nodes, err);
        rc = rc == 0 ? vt_learn_index_put(&t->by_child, parent, frame, t->n_nodes, err) : rc;
        if (rc != 0) {
            return rc;
        }
        at = t->n_nodes++;
        t->nodes[at] = (struct vt_trace_stack_node){
            .parent = parent, .frame = frame, .depth = t->nodes[parent].depth + 1};
    }
    *out = at;
    return 0;
}

int vt_stack_tree_init(struct vt_stack_tree *t, struct vt_trace_names *names, uint32_t nodes_max,
                       struct vt_error *err)
{
    const struct vt_trace_frame unknown = {.kind = VT_FRAME_UNKNOWN, .root = VT_STACK_NO_ROOT};
    *t = (struct vt_stack_tree){.names = names, .nodes_max = nodes_max};
    int rc = vt_learn_room((void **)&t->nodes, 0, &t->nodes_room, sizeof *t->nodes, err);
    if (rc == 0) {
        t->nodes[t->n_nodes++] = (struct vt_trace_stack_node){.frame = VT_TRACE_NONE};
        rc = intern_named(t, &unknown, &t->unknown, err);
    }
    return rc;
}

void vt_stack_tree_fini(struct vt_stack_tree *t)
{
    for (uint32_t i = 0; i < t->n_frames; i++) {
        free((char *)t->frames[i].object);
        free((char *)t->frames[i].name);
    }
    free(t->frames);
    free(t->nodes);
    vt_learn_index_fini(&t->by_child);
    vt_learn_index_fini(&t->by_frame);
    vt_learn_index_fini(&t->by_root);
}

const char *vt_trace_frame_text(const struct vt_trace_frame *frame, char out[VT_TRACE_FRAME_TEXT])
{
    char name[VT_TRACE_FRAME_TEXT - 32];
    const char *text = frame->name != NULL ? frame->name : frame->object;
    const char *slash = frame->name == NULL && text != NULL ? strrchr(text, '/') : NULL;
    text = slash != NULL ? slash + 1 : text;
    vt_text_printable(name, sizeof name, text != NULL ? text : "", text != NULL ? strlen(text) : 0);
    if (frame->kind == VT_FRAME_UNKNOWN) {
        snprintf(out, VT_TRACE_FRAME_TEXT, "?");
    } else if (frame->kind == VT_FRAME_PROCESS && frame->kernel) {
        snprintf(out, VT_TRACE_FRAME_TEXT, "kernel");
    } else if (frame->kind == VT_FRAME_PROCESS && frame->root == VT_STACK_SOME_ROOT) {
        snprintf(out, VT_TRACE_FRAME_TEXT, "user");
    } else if (frame->kind == VT_FRAME_PROCESS && frame->name != NULL && frame->pid > 0) {
        snprintf(out, VT_TRACE_FRAME_TEXT, "%s (%" PRId64 ")", name, frame->pid);
    } else if (frame->kind == VT_FRAME_PROCESS && frame->name == NULL) {
        snprintf(out, VT_TRACE_FRAME_TEXT, "root 0x%" PRIx64, frame->root);
    } else if (frame->name != NULL) {
        snprintf(out, VT_TRACE_FRAME_TEXT, "%s", name);
    } else if (frame->object != NULL && frame->by_address) {
        snprintf(out, VT_TRACE_FRAME_TEXT, "%s:0x%" PRIx64, name, frame->address);
    } else if (frame->object != NULL) {
        snprintf(out, VT_TRACE_FRAME_TEXT, "[%s]", name);
    } else {
        snprintf(out, VT_TRACE_FRAME_TEXT, "0x%" PRIx64, frame->address);
    }
    return out;
}
