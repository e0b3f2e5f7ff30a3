/* venus/say.c - values with their names, said to a sink.
 */
#include "venus/say.h"

#include <stdio.h>

void vn_say_open(struct vn_say *say, const char *name, const char *type, bool array)
{
    say->going = say->going && say->sink->open(say->sink, name, type, array);
}

void vn_say_shut(struct vn_say *say)
{
    say->going = say->going && say->sink->shut(say->sink);
}

void vn_say_unsigned(struct vn_say *say, const char *name, const char *type, uint64_t value)
{
    say->going = say->going && say->sink->number(say->sink, name, type, value, false);
}

void vn_say_signed(struct vn_say *say, const char *name, const char *type, int64_t value)
{
    say->going = say->going && say->sink->number(say->sink, name, type, (uint64_t)value, true);
}

void vn_say_real(struct vn_say *say, const char *name, const char *type, double value)
{
    say->going = say->going && say->sink->real(say->sink, name, type, value);
}

static void say_word(struct vn_say *say, const char *name, const char *type, const char *text,
                     uint64_t value)
{
    say->going = say->going && say->sink->word(say->sink, name, type, text, value);
}

void vn_say_bool(struct vn_say *say, const char *name, VkBool32 value)
{
    if (value > 1) {
        vn_say_unsigned(say, name, "VkBool32", value);
    } else {
        say_word(say, name, "VkBool32", value != 0 ? "VK_TRUE" : "VK_FALSE", value);
    }
}

void vn_say_enum(struct vn_say *say, const char *name, const char *type,
                 const struct vn_words *words, int64_t value)
{
    size_t low = 0;
    size_t high = words->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        int64_t there = (int64_t)words->words[middle].value;
        if (there == value) {
            say_word(say, name, type, words->words[middle].text, (uint64_t)value);
            return;
        }
        if (there < value) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    vn_say_signed(say, name, type, value);
}

void vn_say_bits(struct vn_say *say, const char *name, const char *type,
                 const struct vn_words *words, uint64_t value)
{
    char text[1024];
    size_t used = 0;
    uint64_t left = value;
    text[0] = 0;
    for (size_t i = 0; i < words->count; i++) {
        const struct vn_word *word = &words->words[i];
        size_t length = strlen(word->text);
        /* Values of more than one bit are names for a set: its bits have their own. */
        if (word->value != 0 && (word->value & (word->value - 1)) == 0 &&
            (value & word->value) != 0 && used + length + 24 < sizeof(text)) {
            used += (size_t)snprintf(text + used, sizeof(text) - used, "%s%s", used > 0 ? "|" : "",
                                     word->text);
            left &= ~word->value;
        }
    }
    if (left != 0 || used == 0) {
        (void)snprintf(text + used, sizeof(text) - used, left != 0 ? "%s0x%llx" : "%s0",
                       used > 0 ? "|" : "", (unsigned long long)left);
    }
    say_word(say, name, type, text, value);
}

void vn_say_null(struct vn_say *say, const char *name, const char *type)
{
    say->going = say->going && say->sink->null(say->sink, name, type);
}

bool vn_say_there(struct vn_say *say, const char *name, const char *type, const void *pointer)
{
    if (pointer == NULL) {
        vn_say_null(say, name, type);
    }
    return say->going && pointer != NULL;
}

void vn_say_text(struct vn_say *say, const char *name, const char *text, size_t size)
{
    say->going = say->going && say->sink->text(say->sink, name, text, strnlen(text, size));
}

void vn_say_string(struct vn_say *say, const char *name, const char *text)
{
    if (vn_say_there(say, name, "char", text)) {
        vn_say_text(say, name, text, SIZE_MAX);
    }
}

void vn_say_blob(struct vn_say *say, const char *name, const char *type, const void *bytes,
                 size_t size)
{
    if (vn_say_there(say, name, type, bytes)) {
        say->going = say->sink->blob(say->sink, name, bytes, size);
    }
}

void vn_say_handle(struct vn_say *say, const char *name, const char *type, uint64_t id)
{
    say->going = say->going && say->sink->handle(say->sink, name, type, id);
}

static const struct vn_struct *struct_of(const struct vn_chain *chain, VkStructureType type)
{
    for (size_t i = 0; i < chain->count; i++) {
        if (chain->structs[i]->type == type) {
            return chain->structs[i];
        }
    }
    return NULL;
}

void vn_say_chain(struct vn_say *say, const struct vn_chain *chain, const void *next)
{
    for (const VkBaseInStructure *link = next; link != NULL && say->going; link = link->pNext) {
        const struct vn_struct *kind = struct_of(chain, link->sType);
        if (kind != NULL) {
            vn_say_open(say, "pNext", kind->name, false);
            if (kind->say != NULL) {
                kind->say(say, link);
            }
            vn_say_shut(say);
        }
    }
}

void vn_say_returned(struct vn_say *say, const char *name, const char *type,
                     const struct vn_chain *chain, const void *next)
{
    vn_say_open(say, name, type, false);
    for (const VkBaseInStructure *link = next; link != NULL && say->going; link = link->pNext) {
        const struct vn_struct *kind = struct_of(chain, link->sType);
        if (kind != NULL) {
            vn_say_open(say, "pNext", kind->name, false);
            vn_say_shut(say);
        }
    }
    vn_say_shut(say);
}

const char *vn_say_index(char text[16], uint64_t index)
{
    (void)snprintf(text, 16, "[%u]", (unsigned)index);
    return text;
}
