/* gpu/diff.h - two recorded sequences of virtio-gpu commands held against each other.
 *
 * What differs from run to run without meaning anything is left out: times, sequence numbers and
 * slots; fence ids (that there is a fence is kept); guest-physical addresses and into how many
 * pieces memory fell (how much of it there is, is kept); ids of resources and contexts, which are
 * compared by lifetime: a resource of one side is a resource of the other from the pair of commands
 * that created both until one is destroyed. A command and its response are one step. The two queues
 * run beside each other and are compared apart, the control queue first.
 *
 * Sequences are aligned by the shortest edit script (E. Myers, "An O(ND) Difference Algorithm and
 * Its Variations", 1986) over commands that are equal; between those, by types. Recordings are
 * hostile.
 */
#ifndef VT_GPU_DIFF_H
#define VT_GPU_DIFF_H

#include "gpu/record.h"
#include "virtio/gpu/protocol/protocol.h"

/** Commands and bytes of one recording that are taken. */
#define VT_VGPU_DIFF_COMMANDS_MAX ((size_t)1 << 20)
#define VT_VGPU_DIFF_BYTES_MAX ((size_t)512 << 20)

/** A recording, kept. */
struct vt_vgpu_sequence;
/** `name` is for messages. Events are given with vt_vgpu_sequence_add, a vt_vgpu_seen_fn that
 * copies them; it answers false once something went wrong, which vt_vgpu_sequence_check tells. */
int vt_vgpu_sequence_create(const char *name, struct vt_vgpu_sequence **sequence,
                            struct vt_error *err);
bool vt_vgpu_sequence_add(const struct vt_vgpu_event_seen *event, void *sequence);
/** VT_E_NOMEM, VT_E_LIMIT: some events could not be taken. */
int vt_vgpu_sequence_check(const struct vt_vgpu_sequence *sequence, struct vt_error *err);
/** All of a file, and where it is from; VT_E_CORRUPT also when it ends in the middle of an event.
 */
int vt_vgpu_sequence_read(const char *path, struct vt_vgpu_sequence **sequence,
                          struct vt_vgpu_origin *origin, struct vt_error *err);
void vt_vgpu_sequence_destroy(struct vt_vgpu_sequence *sequence);

/** What there is to compare: commands, and gaps (VT_VGPU_SEEN_LOST, _RESET); notes are not. First
 * those of the control queue. */
size_t vt_vgpu_sequence_count(const struct vt_vgpu_sequence *sequence);
/** How many of them are of the control queue. */
size_t vt_vgpu_sequence_control(const struct vt_vgpu_sequence *sequence);
/** The i-th, i below the count. It is the sequence's. */
const struct vt_vgpu_event_seen *vt_vgpu_sequence_at(const struct vt_vgpu_sequence *sequence,
                                                     size_t i);

enum vt_vgpu_step_kind {
    VT_VGPU_STEP_SAME,
    VT_VGPU_STEP_CHANGED, /**< one type of command, different fields or another response */
    VT_VGPU_STEP_ONLY_A,
    VT_VGPU_STEP_ONLY_B,
};
/** `a` and `b` are places in the sequences; in _ONLY_A `b` is where it would stand, and vice versa.
 */
struct vt_vgpu_step {
    enum vt_vgpu_step_kind kind;
    uint32_t a, b;
};

struct vt_vgpu_diff;
/** Aligns; both sequences are borrowed for the diff's life. Fields named in `ignore` (ended by
 * NULL, or NULL) are not compared: names of the specification, "response" for the response as a
 * whole. */
int vt_vgpu_diff_create(const struct vt_vgpu_sequence *a, const struct vt_vgpu_sequence *b,
                        const char *const *ignore, struct vt_vgpu_diff **diff,
                        struct vt_error *err);
void vt_vgpu_diff_destroy(struct vt_vgpu_diff *diff);
const struct vt_vgpu_step *vt_vgpu_diff_steps(const struct vt_vgpu_diff *diff, size_t *n);

/** A field that differs: `name` is the field's, with "[element]" behind it in a tail and
 * "response." before it in a response; values are text, safe to print. */
typedef void vt_vgpu_diff_field_fn(const char *name, const char *a, const char *b, void *arg);
/** What differs in a step of kind VT_VGPU_STEP_CHANGED; nothing for others. */
void vt_vgpu_diff_fields(const struct vt_vgpu_diff *diff, const struct vt_vgpu_step *step,
                         vt_vgpu_diff_field_fn *fn, void *arg);

#endif
