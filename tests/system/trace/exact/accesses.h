/* tests/system/trace/exact/accesses.h - the accesses that the kernel makes with memory=N: what each
 * is follows from a seed, here for the kernel, which makes them, and for ../exact_accesses.c, which
 * knows what memory holds without looking at it.
 */
#ifndef EXACT_ACCESSES_H
#define EXACT_ACCESSES_H

#include <stdint.h>

#define CHECKED_CODE 0x200000u /**< link.ld */
#define CHECKED_BASE ((uint64_t)1 << 39)
#define CHECKED_BYTES (16u * 4096u)
#define CHECKED_SEED UINT64_C(0x9d1f4c2b6a7e5803)

/* One a line of checked.S's table. */
enum checked_kind {
    CHECKED_LOAD_1,
    CHECKED_LOAD_2,
    CHECKED_LOAD_4,
    CHECKED_LOAD_8,
    CHECKED_LOAD_16,
    CHECKED_LOAD_SIGNED, /* 1 byte */
    CHECKED_STORE_1,
    CHECKED_STORE_2,
    CHECKED_STORE_4,
    CHECKED_STORE_8,
    CHECKED_STORE_16,    /* twice the value */
    CHECKED_ALIGNED_16,  /* load, then store */
    CHECKED_ADD,         /* 8 bytes */
    CHECKED_EXCHANGE,    /* 4 bytes */
    CHECKED_XADD,        /* 8 bytes, locked */
    CHECKED_OR,          /* 1 byte, locked */
    CHECKED_PUSH_POP,    /* below the address */
    CHECKED_PUSH_MEMORY, /* what is at b, below the address */
    CHECKED_CALL,        /* and return, below the address */
    CHECKED_MOVE_1,      /* n times, from b */
    CHECKED_MOVE_8,      /* so */
    CHECKED_FILL_4,      /* n times */
    CHECKED_COMPARE_1,   /* while equal, n times at most: b's byte first */
    CHECKED_FIND_1,      /* while not the value's, n times at most */
    CHECKED_LODS_2,      /* n times, from b */
    CHECKED_X87,         /* load 10 bytes and store them 16 further */
    CHECKED_KINDS
};

struct checked {
    enum checked_kind kind;
    uint64_t a, b, value, n;
    int unmap; /* pages that it touches are not there when it begins; bit 0: a's, 1: the next */
};

static inline uint64_t checked_random(uint64_t *state)
{
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    return *state * UINT64_C(0x2545f4914f6cdd1d);
}

static inline struct checked checked_next(uint64_t *state)
{
    uint64_t r = checked_random(state);
    struct checked c = {
        .kind = (enum checked_kind)((r >> 8) % CHECKED_KINDS),
        .a = CHECKED_BASE + 512 + (r >> 20) % (CHECKED_BYTES - 1536),
        .value = checked_random(state),
    };
    r = checked_random(state);
    c.b = CHECKED_BASE + 512 + (r >> 20) % (CHECKED_BYTES - 1536);
    c.n = (r >> 8) % 40;
    if (c.kind == CHECKED_ALIGNED_16) {
        c.a &= ~UINT64_C(15);
    }
    if (c.kind == CHECKED_COMPARE_1) { /* equal for a while */
        c.b = c.a;
        c.b += r >> 60 != 0 ? 0 : 1;
    }
    /* An access that is begun anew after a fault is not made twice if it is the first. */
    int single = c.kind <= CHECKED_STORE_16 || c.kind == CHECKED_FILL_4;
    c.unmap = single && (r & 15) == 0 ? (int)(r >> 4 & 3) : 0;
    return c;
}

/** What memory holds in the beginning. */
static inline void checked_fill(uint64_t *words)
{
    uint64_t state = CHECKED_SEED ^ 1;
    for (uint32_t i = 0; i < CHECKED_BYTES / 8; i++) {
        words[i] = checked_random(&state);
    }
}

#endif
