/* venus/say.h - what generated describers are made of: a sink that has been told to stop, words for
 * enumerants and bits, chains. After the sink says stop nothing is said any more. */
#ifndef VT_VENUS_SAY_H
#define VT_VENUS_SAY_H

#include "venus/wire.h"

struct vn_say {
    struct vt_venus_sink *sink;
    bool going; /**< false: the sink wants no more */
};

/** The names of an enum's values or bits, by value. */
struct vn_words {
    const struct vn_word {
        uint64_t value; /**< as int64_t of enumerants */
        const char *text;
    } *words;
    size_t count;
};

void vn_say_open(struct vn_say *say, const char *name, const char *type, bool array);
void vn_say_shut(struct vn_say *say);
void vn_say_unsigned(struct vn_say *say, const char *name, const char *type, uint64_t value);
void vn_say_signed(struct vn_say *say, const char *name, const char *type, int64_t value);
void vn_say_real(struct vn_say *say, const char *name, const char *type, double value);
void vn_say_bool(struct vn_say *say, const char *name, VkBool32 value);
void vn_say_enum(struct vn_say *say, const char *name, const char *type,
                 const struct vn_words *words, int64_t value);
/** "A|B|0x10"; no bits are "0". */
void vn_say_bits(struct vn_say *say, const char *name, const char *type,
                 const struct vn_words *words, uint64_t value);
/** NULL is said as such; here and below. */
void vn_say_string(struct vn_say *say, const char *name, const char *text);
/** Up to the first null byte or `size`. */
void vn_say_text(struct vn_say *say, const char *name, const char *text, size_t size);
void vn_say_blob(struct vn_say *say, const char *name, const char *type, const void *bytes,
                 size_t size);
void vn_say_handle(struct vn_say *say, const char *name, const char *type, uint64_t id);
void vn_say_null(struct vn_say *say, const char *name, const char *type);
/** Whether there is something to say of what a pointer leads to. */
bool vn_say_there(struct vn_say *say, const char *name, const char *type, const void *pointer);
/** pNext's structures, each as a member "pNext"; nothing where there are none. */
void vn_say_chain(struct vn_say *say, const struct vn_chain *chain, const void *next);
/** A structure that a command returns: the types of its chain. */
void vn_say_returned(struct vn_say *say, const char *name, const char *type,
                     const struct vn_chain *chain, const void *next);
/** "[3]" */
const char *vn_say_index(char text[16], uint64_t index);

#endif
