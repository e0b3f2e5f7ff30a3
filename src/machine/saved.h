/* machine/saved.h - a saved VM: one file with how to start it again and QEMU's state.
 *
 * Format, little-endian: "vitrine\x1a", u32 version (1), u32 bytes of JSON, u64 FNV-1a of the JSON,
 * u64 offset and u64 length of QEMU's stream, the JSON, zeros up to the offset (a multiple of
 * 4096), the stream. The JSON holds "name", "running" and "config" as in vm.json.
 */
#ifndef VT_MACHINE_SAVED_H
#define VT_MACHINE_SAVED_H

#include "vitrine/base.h"

#include <jansson.h>

#define VT_SAVED_HEADER_BYTES ((size_t)40)
#define VT_SAVED_JSON_MAX ((size_t)256 << 10)

/** Writes header and JSON at the beginning of `fd` and leaves it positioned at the stream's place.
 *  The stream's length stays 0 until vt_saved_finish. `path` names the file in errors. */
int vt_saved_begin(int fd, const char *path, const json_t *about, struct vt_error *err);
/** Records the stream's length: what follows the offset. */
int vt_saved_finish(int fd, const char *path, struct vt_error *err);
/** Reads and checks it all as hostile: *about is a new reference, `fd` is positioned at the stream.
 *  VT_E_CORRUPT says what is wrong. */
int vt_saved_read(int fd, const char *path, json_t **about, struct vt_error *err);
/** The part that looks at bytes: the header of a file of `file_bytes`. */
int vt_saved_check_header(const uint8_t header[VT_SAVED_HEADER_BYTES], uint64_t file_bytes,
                          const char *path, uint32_t *json_bytes, uint64_t *hash,
                          uint64_t *stream_at, struct vt_error *err);

#endif
