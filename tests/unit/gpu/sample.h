/* tests/unit/gpu/sample.h - events that hold one of everything: for the tests of exports. */
#ifndef VT_TESTS_GPU_SAMPLE_H
#define VT_TESTS_GPU_SAMPLE_H

#include "gpu/record.h"

extern const struct vt_vgpu_origin vt_sample_origin;

/** Puts, in order: a note; every command with every field set to a number of its own and its own
 *  response, 1 ms apart and each answered 2.5 ms later, so that they overlap; one with an error,
 * one that is unknown, short, stale and without an answer each; what was lost; a reset. */
void vt_sample_put(vt_vgpu_seen_fn *fn, void *arg);

#endif
