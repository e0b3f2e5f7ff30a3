/* tests/unit/hybrid/segment_rig.h - a segment for kernels that no QEMU serves: a test writes what
 * its plugin would.
 */
#ifndef VT_TESTS_HYBRID_SEGMENT_RIG_H
#define VT_TESTS_HYBRID_SEGMENT_RIG_H

#include "tests/unit/harness.h"

#include "hybrid/accel.h"
#include "hybrid/service.h"

#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/mman.h>

struct segment_rig {
    void *dir;
    uint8_t *base;
    struct vt_hybrid_header *header;
    struct vt_accel *accel;
};

static inline int segment_setup(void **state)
{
    struct segment_rig *f = calloc(1, sizeof *f);
    struct vt_error err;
    char path[PATH_MAX];
    assert_int_equal(vt_test_dir_setup(&f->dir), 0);
    snprintf(path, sizeof path, "%s/segment", (const char *)f->dir);
    int fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    assert_true(fd >= 0);
    assert_int_equal(vt_hybrid_service.segment(fd, 1, &err), 0);
    assert_int_equal(vt_accel_open_segment(path, false, &f->accel, &err), 0);
    f->base = mmap(NULL, (size_t)lseek(fd, 0, SEEK_END), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    assert_ptr_not_equal(f->base, MAP_FAILED);
    f->header = (struct vt_hybrid_header *)(void *)f->base;
    close(fd);
    *state = f;
    return 0;
}

static inline int segment_teardown(void **state)
{
    struct segment_rig *f = *state;
    munmap(f->base, f->header->segment_bytes);
    vt_accel_close(f->accel);
    int rc = vt_test_dir_teardown(&f->dir);
    free(f);
    return rc;
}

static inline struct vt_hybrid_slot *segment_put(struct segment_rig *f, uint32_t i,
                                                 const char *hash, uint64_t head, uint32_t flags)
{
    struct vt_hybrid_slot *s =
        (struct vt_hybrid_slot *)(void *)(f->base + f->header->slot_offset) + i;
    struct vt_hybrid_kernel *k =
        (struct vt_hybrid_kernel *)(void *)(f->base + f->header->kernel_offset +
                                            i * f->header->kernel_stride);
    snprintf(k->hash, sizeof k->hash, "%s", hash);
    k->head = head;
    k->flags = flags;
    s->wanted = VT_HYBRID_WANT_ACTIVE;
    s->state = VT_HYBRID_INSTALLED;
    return s;
}

#define segment_test(f) cmocka_unit_test_setup_teardown(f, segment_setup, segment_teardown)

#endif
