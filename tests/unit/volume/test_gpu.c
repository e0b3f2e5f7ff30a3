/* A Vulkan device with its validation layers listening: bytes go there and come back, a program
 * computes, and what cannot be is refused in plain words. On the software driver, so that it runs
 * everywhere. */
#include "tests/unit/volume/gpu_harness.h"

#include "tests/unit/volume/gpu_probe.spv.h"
#include "volume/gpu/parts.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

static struct vt_error err;

/* Nothing of a test stays on the device but its staging ring. */
static int teardown(void **state)
{
    uint64_t ours, driver;
    vt_gpu_memory(*state, &ours, &driver);
    bool only_the_ring = ours <= VT_GPU_SLOTS * VT_GPU_SLOT_BYTES + 4096;
    return vt_test_gpu_teardown(state) == 0 && only_the_ring ? 0 : -1;
}

#define on_gpu(f) cmocka_unit_test_setup_teardown(f, vt_test_gpu_setup, teardown)

static struct vt_gpu_buffer *buffer_of(struct vt_gpu *gpu, uint64_t bytes, enum vt_gpu_kind kind)
{
    struct vt_gpu_buffer *b = NULL;
    if (vt_gpu_buffer_create(gpu, bytes, kind, &b, &err) != 0) {
        fail_msg("%s", err.message);
    }
    return b;
}

#define ok(call)                                                                                   \
    do {                                                                                           \
        if ((call) != 0) {                                                                         \
            fail_msg(#call ": %s", err.message);                                                   \
        }                                                                                          \
    } while (0)

static uint8_t *noise(size_t n, unsigned seed)
{
    uint8_t *p = malloc(n);
    assert_non_null(p);
    uint64_t x = seed * UINT64_C(0x9e3779b97f4a7c15) + 1;
    for (size_t i = 0; i < n; i++) {
        x ^= x << 13, x ^= x >> 7, x ^= x << 17;
        p[i] = (uint8_t)x;
    }
    return p;
}

static void all_are_listed(void **state)
{
    (void)state;
    struct vt_gpu_info *list;
    size_t n;
    ok(vt_gpu_list(&list, &n, &err));
    bool software = false;
    for (size_t i = 0; i < n; i++) {
        assert_int_equal(list[i].index, i);
        assert_true(list[i].name[0] != '\0' && list[i].driver[0] != '\0');
        assert_true(list[i].memory_bytes > 0 && list[i].storage_max_bytes > 0);
        software |= list[i].software && strstr(list[i].name, "llvmpipe") != NULL;
    }
    assert_true(software);
    free(list);
}

static void one_is_chosen_by_name_or_index(void **state)
{
    (void)state;
    struct vt_gpu *gpu;
    struct vt_gpu_options options = {.name = "LLVMpipe"};
    ok(vt_gpu_open(&options, &gpu, &err));
    const struct vt_gpu_info info = *vt_gpu_info(gpu);
    assert_non_null(strstr(info.name, "llvmpipe"));
    vt_gpu_close(gpu);

    char index[16];
    snprintf(index, sizeof index, "%u", info.index);
    setenv("VITRINE_GPU", index, 1);
    ok(vt_gpu_open(NULL, &gpu, &err));
    assert_string_equal(vt_gpu_info(gpu)->name, info.name);
    vt_gpu_close(gpu);

    setenv("VITRINE_GPU", "no such device", 1);
    struct vt_gpu *untouched = (struct vt_gpu *)&options;
    gpu = untouched;
    assert_int_equal(vt_gpu_open(NULL, &gpu, &err), VT_E_NOT_FOUND);
    assert_ptr_equal(gpu, untouched);
    assert_non_null(strstr(err.message, "no such device"));
    assert_non_null(strstr(err.message, "llvmpipe"));
    unsetenv("VITRINE_GPU");
    options.name = "4096";
    assert_int_equal(vt_gpu_open(&options, &gpu, &err), VT_E_NOT_FOUND);
}

static void bytes_come_back(void **state)
{
    struct vt_gpu *gpu = *state;
    static const size_t sizes[] = {1, 3, 4095, 4097, 1000003, 3 * VT_GPU_SLOT_BYTES + 5};
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        size_t n = sizes[i];
        struct vt_gpu_buffer *b = buffer_of(gpu, n + 7, VT_GPU_DEVICE);
        assert_true(b->address != 0 && b->address % 256 == 0);
        uint8_t *from = noise(n, (unsigned)i), *back = calloc(1, n);
        assert_non_null(back);
        ok(vt_gpu_upload(gpu, b, 7, from, n, &err));
        ok(vt_gpu_download(gpu, b, 7, back, n, &err));
        assert_memory_equal(from, back, n);
        assert_int_equal(vt_gpu_upload(gpu, b, 8, from, n, &err), VT_E_INVAL);
        assert_int_equal(vt_gpu_upload(gpu, b, UINT64_MAX, from, n, &err), VT_E_INVAL);
        assert_int_equal(vt_gpu_download(gpu, b, n + 8, back, 0, &err), VT_E_INVAL);
        free(from);
        free(back);
        vt_gpu_buffer_destroy(b);
    }
}

/* Pages here and there of two buffers, more of them than slots hold, some of them again. */
static void the_last_of_many_uploads_wins(void **state)
{
    struct vt_gpu *gpu = *state;
    enum { PAGE = 4096, PAGES = 2048, TIMES = 9000 };
    struct vt_gpu_buffer *b[2] = {buffer_of(gpu, PAGES * PAGE, VT_GPU_DEVICE),
                                  buffer_of(gpu, PAGES * PAGE, VT_GPU_DEVICE)};
    uint8_t *now[2] = {noise(PAGES * PAGE, 1), noise(PAGES * PAGE, 2)};
    uint8_t *back = malloc(PAGES * PAGE);
    assert_non_null(back);
    for (unsigned i = 0; i < 2; i++) {
        ok(vt_gpu_upload(gpu, b[i], 0, now[i], PAGES * PAGE, &err));
    }
    uint32_t x = 12345;
    for (unsigned i = 0; i < TIMES; i++) {
        x = x * 1664525u + 1013904223u;
        unsigned which = x >> 31, n = 1 + (x >> 8) % PAGE;
        size_t at = (x >> 4) % (PAGES * PAGE - PAGE);
        memset(now[which] + at, (int)i, n);
        ok(vt_gpu_upload(gpu, b[which], at, now[which] + at, n, &err));
    }
    for (unsigned i = 0; i < 2; i++) {
        ok(vt_gpu_download(gpu, b[i], 0, back, PAGES * PAGE, &err));
        assert_memory_equal(back, now[i], PAGES * PAGE);
        free(now[i]);
    }
    free(back);
    /* What was not sent yet leads nowhere when its buffer goes. */
    ok(vt_gpu_upload(gpu, b[0], 0, "x", 1, &err));
    vt_gpu_buffer_destroy(b[0]);
    vt_gpu_buffer_destroy(b[1]);
    ok(vt_gpu_flush(gpu, &err));
}

struct probe {
    uint64_t from, to, parameters;
    uint32_t plus;
};

static struct vt_gpu_program *probe_program(struct vt_gpu *gpu, uint32_t step)
{
    struct vt_gpu_program *program = NULL;
    ok(vt_gpu_program_create(gpu, vt_spirv_gpu_probe, sizeof vt_spirv_gpu_probe, 28, &step, 1,
                             &program, &err));
    return program;
}

/* Doubles `n` bytes of `from` on the device, plus 3 times 5. */
static void check_probe(struct vt_gpu *gpu, const struct vt_gpu_buffer *from, const uint8_t *bytes,
                        uint32_t n)
{
    struct vt_gpu_program *program = probe_program(gpu, 3);
    struct vt_gpu_buffer *to = buffer_of(gpu, (n + 1) * 4, VT_GPU_DEVICE),
                         *parameters = buffer_of(gpu, 4, VT_GPU_UPLOAD),
                         *back = buffer_of(gpu, (n + 1) * 4, VT_GPU_READBACK);
    memcpy(parameters->mapped, &n, sizeof n);
    const struct probe push = {from->address, to->address, parameters->address, 5};
    struct vt_gpu_times times = {0};
    ok(vt_gpu_begin(gpu, &err));
    vt_gpu_fill(gpu, to, 0, to->bytes, 0xabababab);
    vt_gpu_barrier(gpu);
    vt_gpu_span(gpu, "double");
    vt_gpu_dispatch(gpu, program, &push, (n + 63) / 64, 1, 1);
    vt_gpu_barrier(gpu);
    vt_gpu_span(gpu, "copy");
    vt_gpu_copy(gpu, to, 0, back, 0, to->bytes);
    ok(vt_gpu_end_and_wait(gpu, &times, &err));
    const uint32_t *words = (const uint32_t *)(const void *)back->mapped;
    for (uint32_t i = 0; i < n; i++) {
        assert_int_equal(words[i], 2 * bytes[i] + 15);
    }
    assert_int_equal(words[n], 0xabababab);
    assert_int_equal(times.n, 2);
    assert_string_equal(times.span[0].name, "double");
    assert_string_equal(times.span[1].name, "copy");
    if (vt_gpu_info(gpu)->timestamps) {
        assert_true(times.gpu_ns > 0);
        assert_true(times.span[0].ns + times.span[1].ns <= times.gpu_ns + 2);
    }
    vt_gpu_program_destroy(program);
    vt_gpu_buffer_destroy(to);
    vt_gpu_buffer_destroy(parameters);
    vt_gpu_buffer_destroy(back);
}

static void a_program_computes(void **state)
{
    struct vt_gpu *gpu = *state;
    enum { N = 100003 };
    uint8_t *bytes = noise(N, 3);
    struct vt_gpu_buffer *b = buffer_of(gpu, N, VT_GPU_DEVICE);
    ok(vt_gpu_upload(gpu, b, 0, bytes, N, &err));
    check_probe(gpu, b, bytes, N);
    vt_gpu_buffer_destroy(b);
    free(bytes);
}

/* As a VM's RAM comes: a file mapped for reading only, and what another mapping writes there. */
static void host_memory_is_read_in_place(void **state)
{
    struct vt_gpu *gpu = *state;
    if (!vt_gpu_info(gpu)->imports) {
        skip();
    }
    enum { N = 16 * 4096 };
    int fd = memfd_create("ram", MFD_CLOEXEC);
    assert_true(fd >= 0 && ftruncate(fd, N) == 0);
    uint8_t *writer = mmap(NULL, N, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    const uint8_t *ram = mmap(NULL, N, PROT_READ, MAP_SHARED, fd, 0);
    assert_true(writer != MAP_FAILED && ram != MAP_FAILED);
    uint8_t *bytes = noise(N, 4);
    memcpy(writer, bytes, N);
    struct vt_gpu_buffer *b = NULL;
    assert_int_equal(vt_gpu_buffer_import(gpu, ram + 1, 4096, &b, &err), VT_E_INVAL);
    assert_int_equal(vt_gpu_buffer_import(gpu, ram, 4095, &b, &err), VT_E_INVAL);
    assert_null(b);
    ok(vt_gpu_buffer_import(gpu, ram, N, &b, &err));
    assert_null(b->mapped);
    check_probe(gpu, b, ram, N);
    memset(writer + 4096, 77, 4096);
    check_probe(gpu, b, ram, N);
    vt_gpu_buffer_destroy(b);
    free(bytes);
    munmap(writer, N);
    munmap((void *)(uintptr_t)ram, N);
    close(fd);
}

static void what_does_not_fit_is_refused(void **state)
{
    struct vt_gpu *gpu = *state;
    struct vt_gpu_buffer *b = NULL;
    uint64_t all = vt_gpu_info(gpu)->memory_bytes, most = vt_gpu_buffer_max(gpu);
    assert_int_equal(vt_gpu_buffer_create(gpu, all + 1, VT_GPU_DEVICE, &b, &err), VT_E_NOMEM);
    assert_non_null(strstr(err.message, "do not fit"));
    if (most < all) {
        assert_int_equal(vt_gpu_buffer_create(gpu, most + 1, VT_GPU_DEVICE, &b, &err), VT_E_LIMIT);
    }
    assert_int_equal(vt_gpu_buffer_create(gpu, 0, VT_GPU_DEVICE, &b, &err), VT_E_INVAL);
    assert_null(b);
}

static void memory_is_counted(void **state)
{
    struct vt_gpu *gpu = *state;
    uint64_t before, after, driver;
    vt_gpu_memory(gpu, &before, &driver);
    struct vt_gpu_buffer *b = buffer_of(gpu, 5 << 20, VT_GPU_DEVICE);
    vt_gpu_memory(gpu, &after, &driver);
    assert_true(after - before >= 5 << 20 && after - before < 6 << 20);
    vt_gpu_buffer_destroy(b);
    vt_gpu_memory(gpu, &after, &driver);
    assert_int_equal(after, before);
}

static void mistakes_are_told_at_the_end(void **state)
{
    struct vt_gpu *gpu = *state;
    struct vt_gpu_buffer *b = buffer_of(gpu, 64, VT_GPU_DEVICE);
    struct vt_gpu_program *program = probe_program(gpu, 1);
    const struct probe push = {0};
    uint8_t word[4];
    assert_int_equal(vt_gpu_end_and_wait(gpu, NULL, &err), VT_E_INVAL);

    ok(vt_gpu_begin(gpu, &err));
    assert_int_equal(vt_gpu_begin(gpu, &err), VT_E_BUSY);
    assert_int_equal(vt_gpu_upload(gpu, b, 0, word, 4, &err), VT_E_BUSY);
    assert_int_equal(vt_gpu_download(gpu, b, 0, word, 4, &err), VT_E_BUSY);
    vt_gpu_dispatch(gpu, program, &push, 65536, 1, 1);
    vt_gpu_fill(gpu, b, 0, 65, 0);
    assert_int_equal(vt_gpu_end_and_wait(gpu, NULL, &err), VT_E_LIMIT);

    ok(vt_gpu_begin(gpu, &err));
    vt_gpu_fill(gpu, b, 1, 4, 0);
    assert_int_equal(vt_gpu_end_and_wait(gpu, NULL, &err), VT_E_INVAL);
    ok(vt_gpu_begin(gpu, &err));
    vt_gpu_copy(gpu, b, 0, b, 16, 32);
    assert_int_equal(vt_gpu_end_and_wait(gpu, NULL, &err), VT_E_INVAL);
    ok(vt_gpu_begin(gpu, &err));
    vt_gpu_copy(gpu, b, 0, b, 33, 32);
    assert_int_equal(vt_gpu_end_and_wait(gpu, NULL, &err), VT_E_INVAL);

    ok(vt_gpu_begin(gpu, &err));
    vt_gpu_abandon(gpu);
    ok(vt_gpu_begin(gpu, &err));
    vt_gpu_copy(gpu, b, 0, b, 32, 32);
    for (unsigned i = 0; i < VT_GPU_SPANS + 3; i++) {
        vt_gpu_span(gpu, "one of many");
    }
    struct vt_gpu_times times;
    ok(vt_gpu_end_and_wait(gpu, &times, &err));
    assert_int_equal(times.n, VT_GPU_SPANS);
    vt_gpu_program_destroy(program);
    vt_gpu_buffer_destroy(b);
}

/* A device that takes longer than it may, and one that is lost. */
static void a_device_that_is_gone_stays_gone(void **state)
{
    struct vt_gpu *gpu = *state;
    struct vt_gpu_buffer *b = buffer_of(gpu, 64 << 20, VT_GPU_DEVICE), *more = NULL;
    uint8_t word[4];
    uint64_t allowed = gpu->wait_ns;
    gpu->wait_ns = 1;
    ok(vt_gpu_begin(gpu, &err));
    vt_gpu_fill(gpu, b, 0, b->bytes, 1);
    assert_int_equal(vt_gpu_end_and_wait(gpu, NULL, &err), VT_E_TIMEOUT);
    gpu->wait_ns = allowed;
    assert_int_equal(vt_gpu_begin(gpu, &err), VT_E_GONE);
    assert_int_equal(vt_gpu_upload(gpu, b, 0, word, 4, &err), VT_E_GONE);
    assert_int_equal(vt_gpu_flush(gpu, &err), VT_E_GONE);
    assert_int_equal(vt_gpu_download(gpu, b, 0, word, 4, &err), VT_E_GONE);
    assert_int_equal(vt_gpu_buffer_create(gpu, 4, VT_GPU_DEVICE, &more, &err), VT_E_GONE);
    assert_null(more);
    vt_gpu_buffer_destroy(b);

    gpu->gone = false;
    assert_int_equal(vt_gpu_fail(gpu, VK_ERROR_DEVICE_LOST, "cannot draw", &err), VT_E_GONE);
    assert_non_null(strstr(err.message, "cannot draw: the device was lost"));
    assert_int_equal(vt_gpu_begin(gpu, &err), VT_E_GONE);
}

static void results_are_said_in_words(void **state)
{
    (void)state;
    assert_int_equal(vt_gpu_fail(NULL, VK_ERROR_OUT_OF_DEVICE_MEMORY, "x", &err), VT_E_NOMEM);
    assert_int_equal(vt_gpu_fail(NULL, VK_ERROR_OUT_OF_HOST_MEMORY, "x", &err), VT_E_NOMEM);
    assert_int_equal(vt_gpu_fail(NULL, VK_ERROR_FEATURE_NOT_PRESENT, "x", &err), VT_E_UNSUPPORTED);
    assert_int_equal(vt_gpu_fail(NULL, VK_ERROR_UNKNOWN, "cannot x", &err), VT_E_IO);
    assert_string_equal(err.message, "Vulkan: cannot x: the driver answers -13");
}

/* The layers are heard at all: a buffer must be of some use. */
static void complaints_are_counted(void **state)
{
    (void)state;
    struct vt_gpu *gpu = vt_test_gpu_open();
    assert_null(vt_gpu_complaint(gpu));
    VkBuffer none;
    const VkBufferCreateInfo wrong = {.sType = VK_STRUCTURE_TYPE_BUFFER_CREATE_INFO, .size = 16};
    if (vkCreateBuffer(gpu->device, &wrong, NULL, &none) == VK_SUCCESS) {
        vkDestroyBuffer(gpu->device, none, NULL);
    }
    assert_non_null(vt_gpu_complaint(gpu));
    assert_true(vt_gpu_close(gpu) > 0);
}

static void without_a_driver_it_says_so(void **state)
{
    (void)state;
    struct vt_gpu_info *list = NULL;
    struct vt_gpu *gpu = NULL;
    size_t n = 7;
    setenv("VK_DRIVER_FILES", "/dev/null", 1);
    setenv("VK_ICD_FILENAMES", "/dev/null", 1);
    assert_int_equal(vt_gpu_list(&list, &n, &err), VT_E_UNSUPPORTED);
    assert_non_null(strstr(err.message, "no Vulkan driver"));
    assert_int_equal(vt_gpu_open(NULL, &gpu, &err), VT_E_UNSUPPORTED);
    assert_non_null(strstr(err.message, "mesa-vulkan-drivers"));
    assert_true(list == NULL && gpu == NULL && n == 7);
    unsetenv("VK_DRIVER_FILES");
    unsetenv("VK_ICD_FILENAMES");
}

int main(void)
{
    unsetenv("VITRINE_GPU");
    unsetenv("VITRINE_GPU_VALIDATE");
    vt_gpu_close(vt_test_gpu_open());
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(all_are_listed),
        cmocka_unit_test(one_is_chosen_by_name_or_index),
        on_gpu(bytes_come_back),
        on_gpu(the_last_of_many_uploads_wins),
        on_gpu(a_program_computes),
        on_gpu(host_memory_is_read_in_place),
        on_gpu(what_does_not_fit_is_refused),
        on_gpu(memory_is_counted),
        on_gpu(mistakes_are_told_at_the_end),
        on_gpu(a_device_that_is_gone_stays_gone),
        cmocka_unit_test(results_are_said_in_words),
        cmocka_unit_test(complaints_are_counted),
        cmocka_unit_test(without_a_driver_it_says_so),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
