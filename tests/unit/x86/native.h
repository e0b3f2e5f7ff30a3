/* tests/unit/x86/native.h - one instruction on the processor that runs the test, with registers,
 * flags and memory of one's choice. One thread. x86-64 only: elsewhere vt_native_setup says no.
 */
#ifndef VT_TESTS_X86_NATIVE_H
#define VT_TESTS_X86_NATIVE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct vt_native {
    uint64_t r[16]; /**< rax rcx rdx rbx rsp rbp rsi rdi r8 … r15: before, then after */
    uint64_t flags;
    uint64_t host_rsp;
    const void *code;
    uint64_t taken;      /**< after: the jump was */
    uint64_t xmm[16][4]; /**< of ymm; what is above 127 only where there is "avx2" */
};
extern struct vt_native vt_native;
extern uint8_t vt_native_wide; /**< after vt_native_setup: ymm registers are there */

#define VT_NATIVE_SCRATCH_BYTES 65536U
/** Where instructions may reach, below 4 GiB; and where the instruction is put. */
extern uint8_t *vt_native_scratch, *vt_native_page;
/** The GS base, with which this process runs from then on. */
#define VT_NATIVE_GS_BASE 0x12340u

bool vt_native_setup(void);
/** The instruction to run. A jump, if it is one, has to lead VT_NATIVE_TAKEN bytes beyond it. */
#define VT_NATIVE_TAKEN 14
void vt_native_place(const uint8_t *bytes, size_t n);
/** False: it faulted in a division. */
bool vt_native_run(void);

/** Whether the processor has "bmi", "bmi2", "lzcnt", "popcnt", "adx", "movbe", "ssse3", "sse4.1",
 * "sse4.2", "pclmul", "avx2" (and the system keeps its registers), "vpclmul"; or "". */
bool vt_native_has(const char *feature);

/** Any number; one at which carries and signs change often. Always the same ones. */
uint64_t vt_any(void);
uint64_t vt_number(void);

#endif
