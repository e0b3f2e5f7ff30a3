/* synth/file.h - a kernel as JSON (docs/synth.md, "Files").
 */
#ifndef VT_SYNTH_FILE_H
#define VT_SYNTH_FILE_H

#include "base/json_writer.h"
#include "vitrine/synth.h"

#include <jansson.h>

#define VT_SYNTH_FILE_VERSION 1u

/** Members of the open object: all that a kernel is, and nothing that only tells of it. Kernels
 * that are the same give the same text. */
void vt_synth_json_content(const struct vt_synth_kernel *k, struct vt_json_writer *w);
/** "proof": what was proven, by whom, how long it took. */
void vt_synth_json_proof(const struct vt_synth_kernel *k, struct vt_json_writer *w);
/** Reads both; obligations are what the file claims. VT_E_CORRUPT. */
int vt_synth_json_read(const json_t *object, struct vt_synth_kernel *k, struct vt_error *err);

/** XXH3-128 of the content. VT_E_NOMEM. */
int vt_synth_content_hash(const struct vt_synth_kernel *k, char hash[33], struct vt_error *err);

/** "rax" … "r15", "fs", "gs"; "place.00" and so on from VT_LINEAR_PLACE on; or NULL. */
const char *vt_linear_register(uint32_t reg);

#endif
