/* virtio/barrier.h - order between the driver's accesses and the device's.
 *
 * The device is another processor (a thread of the host): memory that both reach is ordered as
 * between processors. An index is stored with release after what it counts and loaded with acquire
 * before it; only "I stored mine, now I look at yours" needs the full barrier, on both sides.
 * Inline assembly and no fence built-in: thread sanitizers refuse those.
 */
#ifndef VT_VIRTIO_BARRIER_H
#define VT_VIRTIO_BARRIER_H

#include <stdint.h>

/** Reads or writes once, whole, in place: for memory that the device reaches, too. */
#define VT_LOAD(lvalue) __atomic_load_n(&(lvalue), __ATOMIC_RELAXED)
#define VT_STORE(lvalue, value) __atomic_store_n(&(lvalue), value, __ATOMIC_RELAXED)

static inline uint16_t vt_virtio_load_acquire(const uint16_t *p)
{
    return __atomic_load_n(p, __ATOMIC_ACQUIRE);
}

static inline void vt_virtio_store_release(uint16_t *p, uint16_t value)
{
    __atomic_store_n(p, value, __ATOMIC_RELEASE);
}

/** Everything before it is seen before anything after it, stores before loads included. */
static inline void vt_virtio_barrier(void)
{
#if defined(__x86_64__)
    __asm__ volatile("mfence" ::: "memory");
#elif defined(__aarch64__)
    __asm__ volatile("dmb ish" ::: "memory");
#elif defined(__riscv) && __riscv_xlen == 64
    __asm__ volatile("fence rw, rw" ::: "memory");
#else
#error "which instruction is the full barrier here?"
#endif
}

/** Loads before it come before everything after it: what was copied, before looking whether it
 * still stood. */
static inline void vt_virtio_barrier_acquire(void)
{
#if defined(__x86_64__)
    __asm__ volatile("" ::: "memory"); /* loads are in order */
#elif defined(__aarch64__)
    __asm__ volatile("dmb ishld" ::: "memory");
#elif defined(__riscv) && __riscv_xlen == 64
    __asm__ volatile("fence r, rw" ::: "memory");
#endif
}

/** Everything before it comes before stores after it. */
static inline void vt_virtio_barrier_release(void)
{
#if defined(__x86_64__)
    __asm__ volatile("" ::: "memory"); /* stores are in order, and after loads */
#elif defined(__aarch64__)
    __asm__ volatile("dmb ish" ::: "memory");
#elif defined(__riscv) && __riscv_xlen == 64
    __asm__ volatile("fence rw, w" ::: "memory");
#endif
}

/** Memory before it is seen before a register is written behind it (a notification), and what a
 *  register read before it said comes before memory read behind it. */
static inline void vt_virtio_barrier_io(void)
{
#if defined(__x86_64__)
    __asm__ volatile("" ::: "memory"); /* uncached accesses are ordered */
#elif defined(__aarch64__)
    __asm__ volatile("dmb osh" ::: "memory");
#elif defined(__riscv) && __riscv_xlen == 64
    __asm__ volatile("fence iorw, iorw" ::: "memory");
#endif
}

#endif
