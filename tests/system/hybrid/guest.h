/* tests/system/hybrid/guest.h - what the files of hybrid-guest share.
 *
 *   guest.c          cases of memory, signals, processes; the benchmark
 *   guest_events.c guest_modes.S   cases of what looks on or comes between: forks, debuggers, other
 * modes, keys
 */
#ifndef VT_TESTS_HYBRID_GUEST_H
#define VT_TESTS_HYBRID_GUEST_H

#include <setjmp.h>
#include <stddef.h>
#include <stdint.h>

#define PAGE ((size_t)4096)

/* loops.S */
uint64_t xor64(void *to, const void *from, uint64_t n, uint64_t key);
uint64_t fill64(void *to, uint64_t value, uint64_t n);
uint64_t xorv(void *to, const void *from, uint64_t bytes, const void *key);
uint64_t back8(void *to, const void *from, uint64_t n);
uint64_t length(const char *text);
uint64_t sum64(void *to, const void *from, uint64_t n);
extern const uint8_t fill64_head[];
extern uint64_t last_word;
/* guest_modes.S */
uint64_t fill_compat(void *to, uint64_t value, uint64_t n);
uint64_t fill_stepped(void *to, uint64_t value, uint64_t n);

/* guest.c */
void mix(uint64_t v);
void mix_bytes(const void *p, size_t n);
uint64_t next(void);
uint8_t *pages(size_t n);
void random_bytes(uint8_t *p, size_t n);
/** Ends the child, or waits for it and mixes how it ended. */
void finish(int pid);
/** From here on a SIGSEGV leaves registers and address in `fault` and jumps to `back`. */
void catch_faults(void);
extern sigjmp_buf back;
extern uint64_t fault[18];

/* guest_events.c */
void forks_midway(void);
void single_steps(void);
void breakpoints(void);
void other_bits(void);
void keys(void);

#endif
