/* guests/card/include/string.h - all that src/virtio takes from a C library; memory.c has it. */
#ifndef CARD_STRING_H
#define CARD_STRING_H

#include <stddef.h>

void *memcpy(void *restrict to, const void *restrict from, size_t n);
void *memmove(void *to, const void *from, size_t n);
void *memset(void *to, int value, size_t n);
int memcmp(const void *a, const void *b, size_t n);

#endif
