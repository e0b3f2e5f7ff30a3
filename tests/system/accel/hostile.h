/* hostile.h - what the cases of accel-hostile share: loops that get kernels, checksums of what is
 * the same in every run, and complaints about what no run may show.
 */
#ifndef HOSTILE_H
#define HOSTILE_H

#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <ucontext.h>

#define PAGE ((size_t)4096)

/* loops.S: d[i] = s[i] ^ key, n > 0. At the head rdi and rsi are the next elements, rcx is how many
 * are left. */
void hot_xor8(uint64_t *d, const uint64_t *s, uint64_t n, uint64_t key);
extern const char hot_xor8_head[], hot_xor8_end[];

/* loops.c */
void fill1(uint8_t *d, size_t n, uint8_t c);
void copy1(uint8_t *d, const uint8_t *s, size_t n);
void copy8(uint64_t *d, const uint64_t *s, size_t n);
void copy1_back(uint8_t *d, const uint8_t *s, size_t n);
void add4(uint32_t *d, size_t n, uint32_t c);
uint64_t sum8(const uint64_t *s, size_t n);
void map1(uint8_t *d, const uint8_t *s, size_t n, const uint8_t *map);
size_t scan1(const uint8_t *s);
void xor_vectors(uint8_t *d, const uint8_t *s, size_t n, uint8_t key);
void spin(const uint8_t *until);

/* A loop that is made at run time: d[i] = s[i] ^ key, the key a part of its code. */
#define JIT_BYTES 32u
#define JIT_KEY 5u   /* where in its code the key is */
#define JIT_XORED 9u /* from here on the element's key was read */
#define JIT_KEY_A 0x1111u
#define JIT_KEY_B 0x2222u
typedef void (*jit_loop)(uint64_t *d, const uint64_t *s, uint64_t unused, uint64_t n);
void jit_write(uint8_t *code, uint32_t key);
void jit_patch(uint8_t *code, uint32_t key);

/* Of each case: the same in every run, with kernels, without, and on another machine. */
void mix(uint64_t v);
void mix_bytes(const void *p, size_t n);
uint64_t case_sum(void);
/* What no run may show; the case goes on. */
void wrong(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
bool is_wrong(void);
/* The case cannot be had here. */
void unavailable(const char *why) __attribute__((noreturn));

uint64_t next_random(void);
void random_bytes(void *p, size_t n);
/* Anonymous and private, zero; at an address of its own or at this one, which is free. */
uint8_t *pages(size_t n);
uint8_t *pages_at(uintptr_t address, size_t n);
uint8_t *shared_pages(size_t n);
/* Forks; the child's result must be 0. */
void finish_child(pid_t pid, const char *what);

/* An interrupted hot_xor8: of d, s, n, from the beginning, with what the registers say. */
struct xor8 {
    uint64_t *d;
    const uint64_t *s;
    uint64_t n, key, old; /* d held `old` everywhere */
    uint64_t near;        /* so many elements around the next one are looked at; 0: all */
};
struct xor8_registers {
    uint64_t rip, rax, rcx, rdi, rsi, r8;
};
struct xor8_registers registers_of(const ucontext_t *c);
bool in_xor8(uint64_t rip);
/* Complains unless registers and memory are those of one moment between two instructions. Index of
 * the element that is next. */
uint64_t check_xor8(const struct xor8 *x, const struct xor8_registers *r, const char *when);
uint64_t now_ns(void);
/* One SIGALRM at some moment within a time; 0: none any more. A handler that is set stays. */
void on_alarms(void (*handler)(int, siginfo_t *, void *));
void alarm_within(uint64_t ns);

/* Cases; each in a process of its own. */
extern const struct hostile_case {
    const char *name;
    void (*run)(void);
    bool only_guest; /* it would do harm to a host */
} memory_cases[], signal_cases[], debug_cases[], thread_cases[];

#endif
