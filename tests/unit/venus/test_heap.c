/* Pieces of shared memory: what they are, which are used again, and what their devices see. */
#include "tests/unit/harness.h"
#include "venus/heap.h"

#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>

#define MIB ((uint64_t)1 << 20)

static unsigned freed;
static void VKAPI_CALL free_memory(VkDevice device, VkDeviceMemory memory,
                                   const VkAllocationCallbacks *callbacks)
{
    assert_non_null(device);
    assert_true(memory != VK_NULL_HANDLE);
    assert_null(callbacks);
    freed++;
}

static struct vt_venus_import import_of(uintptr_t device, uint32_t type)
{
    return (struct vt_venus_import){
        .device = (VkDevice)device, .memory = (VkDeviceMemory)7, .free = free_memory, .type = type};
}

static struct vt_venus_heap *heap_of(uint64_t kept)
{
    struct vt_error err;
    struct vt_venus_heap *heap = NULL;
    assert_int_equal(vt_venus_heap_create(kept, &heap, &err), 0);
    freed = 0;
    return heap;
}

static void pieces_are_shared_sealed_and_zero(void **state)
{
    (void)state;
    struct vt_error err;
    struct vt_venus_heap *heap = heap_of(0);
    static const uint64_t sizes[] = {1, 4096, 4097, 65537, MIB, 3 * MIB + 5};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        struct vt_venus_piece piece;
        assert_int_equal(vt_venus_heap_take(heap, sizes[i], NULL, &piece, &err), 0);
        assert_true(piece.size >= sizes[i]);
        assert_false(piece.touched);
        assert_int_equal(vt_venus_heap_touch(heap, &piece, &err), 0);
        assert_true(piece.touched);
        assert_true(piece.size - sizes[i] < 4096 + sizes[i] / 8);
        assert_int_equal(piece.size % (size_t)sysconf(_SC_PAGESIZE), 0);
        struct stat st;
        assert_int_equal(fstat(piece.fd, &st), 0);
        assert_int_equal(st.st_size, piece.size);
        assert_int_not_equal(ftruncate(piece.fd, 0), 0);
        assert_int_not_equal(ftruncate(piece.fd, (off_t)piece.size * 2), 0);
        for (size_t at = 0; at < piece.size; at += 512) {
            assert_int_equal(piece.at[at], 0);
        }
        uint8_t *other = mmap(NULL, piece.size, PROT_READ | PROT_WRITE, MAP_SHARED, piece.fd, 0);
        assert_ptr_not_equal(other, MAP_FAILED);
        other[piece.size - 1] = 0x5a;
        assert_int_equal(piece.at[piece.size - 1], 0x5a);
        munmap(other, piece.size);
        vt_venus_heap_give(heap, &piece, true);
        assert_int_equal(piece.fd, -1);
    }
    vt_venus_heap_destroy(heap);
    vt_venus_heap_destroy(NULL);
}

static void sizes_that_no_host_has_are_refused(void **state)
{
    (void)state;
    struct vt_venus_heap *heap = heap_of(MIB);
    static const uint64_t sizes[] = {0, UINT64_MAX, UINT64_MAX - 4095, (uint64_t)1 << 63,
                                     ((uint64_t)1 << 46) + 1};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        struct vt_error err = {0};
        struct vt_venus_piece piece = {.fd = 99};
        assert_int_equal(vt_venus_heap_take(heap, sizes[i], NULL, &piece, &err), VT_E_LIMIT);
        assert_int_equal(piece.fd, 99);
        assert_true(err.message[0] != 0);
    }
    vt_venus_heap_destroy(heap);
}

static void what_is_given_back_is_used_again(void **state)
{
    (void)state;
    struct vt_error err;
    struct vt_venus_heap *heap = heap_of(8 * MIB);
    struct vt_venus_import like = import_of(16, 2);
    struct vt_venus_piece piece;
    assert_int_equal(vt_venus_heap_take(heap, MIB, &like, &piece, &err), 0);
    assert_null(piece.import.device);
    piece.import = like;
    uint8_t *at = piece.at;
    vt_venus_heap_give(heap, &piece, true);
    struct vt_venus_heap_kept kept;
    vt_venus_heap_kept(heap, &kept);
    assert_int_equal(kept.bytes, MIB);

    /* Nearly the same size, the same device and type: import and all. */
    assert_int_equal(vt_venus_heap_take(heap, MIB - 100, &like, &piece, &err), 0);
    assert_ptr_equal(piece.at, at);
    assert_ptr_equal(piece.import.device, like.device);
    assert_int_equal(freed, 0);
    vt_venus_heap_give(heap, &piece, true);

    /* Another type: the memory, without the import. */
    struct vt_venus_import other = import_of(16, 3);
    assert_int_equal(vt_venus_heap_take(heap, MIB, &other, &piece, &err), 0);
    assert_ptr_equal(piece.at, at);
    assert_null(piece.import.device);
    assert_int_equal(freed, 1);

    /* What others can see is not used again. */
    piece.import = other;
    vt_venus_heap_give(heap, &piece, false);
    assert_int_equal(freed, 2);
    vt_venus_heap_kept(heap, &kept);
    assert_int_equal(kept.bytes, 0);
    vt_venus_heap_destroy(heap);
}

static void what_is_kept_is_bounded(void **state)
{
    (void)state;
    struct vt_error err;
    struct vt_venus_heap *heap = heap_of(4 * MIB);
    struct vt_venus_piece pieces[300];
    for (size_t i = 0; i < 300; i++) {
        assert_int_equal(vt_venus_heap_take(heap, i < 8 ? MIB : 4096, NULL, &pieces[i], &err), 0);
        pieces[i].import = import_of(16, 2);
    }
    struct vt_venus_heap_kept kept;
    for (size_t i = 0; i < 300; i++) {
        vt_venus_heap_give(heap, &pieces[i], true);
        vt_venus_heap_kept(heap, &kept);
        assert_true(kept.bytes <= 4 * MIB);
        assert_true(kept.pieces <= 128);
    }
    assert_int_equal(kept.pieces, 128);
    assert_int_equal(freed, 300 - 128);
    vt_venus_heap_forget(heap, (VkDevice)(uintptr_t)24, false);
    assert_int_equal(freed, 300 - 128);
    vt_venus_heap_forget(heap, (VkDevice)(uintptr_t)16, false);
    assert_int_equal(freed, 300);
    vt_venus_heap_kept(heap, &kept);
    assert_int_equal(kept.pieces, 128);
    vt_venus_heap_destroy(heap);
    assert_int_equal(freed, 300);
}

static void a_hung_device_keeps_what_it_may_write(void **state)
{
    (void)state;
    struct vt_error err;
    struct vt_venus_heap *heap = heap_of(4 * MIB);
    struct vt_venus_piece piece;
    assert_int_equal(vt_venus_heap_take(heap, 4096, NULL, &piece, &err), 0);
    piece.import = import_of(16, 2);
    volatile uint8_t *at = piece.at;
    size_t size = piece.size;
    vt_venus_heap_give(heap, &piece, true);
    vt_venus_heap_forget(heap, (VkDevice)(uintptr_t)16, true);
    struct vt_venus_heap_kept kept;
    vt_venus_heap_kept(heap, &kept);
    assert_int_equal(kept.pieces, 0);
    vt_venus_heap_destroy(heap);
    assert_int_equal(freed, 0);
    at[0] = 1;
    munmap((void *)(uintptr_t)at, size);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pieces_are_shared_sealed_and_zero),
        cmocka_unit_test(sizes_that_no_host_has_are_refused),
        cmocka_unit_test(what_is_given_back_is_used_again),
        cmocka_unit_test(what_is_kept_is_bounded),
        cmocka_unit_test(a_hung_device_keeps_what_it_may_write),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
