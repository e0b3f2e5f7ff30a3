/* tests/system/qtest/qtest.h - the devices of a real QEMU, driven from here, without a guest.
 *
 * QEMU runs with `-accel qtest`, has no CPU that does anything, and is told over a socket which
 * registers to read and write; RAM is the file that backs the guest's. Everything here ends the
 * program with a message when it cannot be done.
 */
#ifndef VT_TESTS_QTEST_H
#define VT_TESTS_QTEST_H

#include "vitrine/virtio.h"

/** Where nobody else of a machine without firmware has anything. */
#define QTEST_ARENA_AT (UINT64_C(16) << 20)
#define QTEST_ARENA_BYTES ((size_t)2 << 20)
#define QTEST_NS UINT64_C(1000000000)

extern const struct vt_virtio_bus qtest_bus;
extern const struct vt_virtio_clock qtest_clock;

/** On stderr, behind the program's name; exits with 1. */
_Noreturn void qtest_fail(const char *what);
/** Connects to QEMU's `socket` and maps RAM's arena from its file. */
struct vt_virtio_arena qtest_open(const char *socket, const char *ram);
/** The machine's first device of type `id`, of microvm's slots or on q35's bus. */
void qtest_device(struct vt_virtio_device *device, uint32_t id, bool pci);
void qtest_close(void);

#endif
