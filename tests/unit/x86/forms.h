/* tests/unit/x86/forms.h - forms of instructions, and random ones of each as bytes.
 *
 * A form's operands are letters: r a general register and m memory, both of the size that is asked
 * for; i a byte, I as many as there can be, 1 one; c cl; registers b w d q of 8, 16, 32, 64 bits
 * and memory B W D Q of such; x an xmm register and X memory of 16 bytes; y a ymm register and Y
 * memory of 32; j a jump that leads VT_NATIVE_TAKEN bytes on.
 */
#ifndef VT_TESTS_X86_FORMS_H
#define VT_TESTS_X86_FORMS_H

#include "tests/unit/x86/native.h"

#include <Zydis/Zydis.h>

struct vt_form {
    ZydisMnemonic mnemonic;
    const char *operands; /**< several, with a space between */
    const char *sizes;    /**< of r, m and I: digits, bytes each */
    const char *feature;  /**< vt_native_has */
};

/** Integer instructions; the last one has no sizes. */
extern const struct vt_form vt_forms[];

struct vt_form_ways {
    bool high;     /**< ah and its like where there are bytes */
    bool segments; /**< memory is sometimes reached through GS, or with addresses of 32 bits */
};

struct vt_instruction {
    uint8_t code[ZYDIS_MAX_INSTRUCTION_LENGTH];
    ZyanUSize bytes;
};
/** One with these operands (`n` letters). False: no such one came out, others may. */
bool vt_form_make(const struct vt_form *form, const char *operands, size_t n, unsigned bytes,
                  struct vt_form_ways ways, struct vt_instruction *to);

#endif
