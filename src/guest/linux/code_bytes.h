/* guest/linux/code_bytes.h - what the first bytes of executable memory look like; needs no guest.
 */
#ifndef VT_GUEST_LINUX_CODE_BYTES_H
#define VT_GUEST_LINUX_CODE_BYTES_H

#include <stddef.h>
#include <stdint.h>

/** One or a few words: "ELF file", "Windows program", "function", "shellcode", "zeros", …; "" when
 *  the bytes say nothing. A guess from how x86-64 code and file formats begin. */
const char *vt_code_bytes_look(const uint8_t *bytes, size_t n);

#endif
