/* Random programs as shaders do what the interpreter does, on memory whose pages lie anywhere in
 * RAM, imported and copied; spirv-val has nothing against the shaders.
 */
#include "tests/unit/pixel/generate.h"

#include "tests/unit/harness.h"

#include "pixel/gpu.h"

#include <string.h>
#include <sys/mman.h>

#define PAGE 4096u
#define RAM_PAGES 4096u

static uint8_t *ram;
static uint64_t order[RAM_PAGES]; /* offsets in RAM of consecutive pages of a call's memory */

static int map_ram(void **state)
{
    (void)state;
    ram = mmap(NULL, (size_t)RAM_PAGES * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS,
               -1, 0);
    return ram == MAP_FAILED ? -1 : 0;
}

static int unmap_ram(void **state)
{
    (void)state;
    return munmap(ram, (size_t)RAM_PAGES * PAGE);
}

static void shuffle(struct vt_generator *g)
{
    for (uint32_t i = 0; i < RAM_PAGES; i++) {
        uint32_t k = vt_generator_below(g, i + 1);
        order[i] = order[k];
        order[k] = (uint64_t)i * PAGE;
    }
}

static void move_pages(struct vt_generated_call *c, bool to_ram)
{
    for (size_t at = 0, i = 0; at < c->bytes; at += PAGE, i++) {
        size_t n = c->bytes - at < PAGE ? c->bytes - at : PAGE;
        memcpy(to_ram ? ram + order[i] : c->memory + at, to_ram ? c->memory + at : ram + order[i],
               n);
    }
}

static void run_one(struct vt_generator *g, struct vt_pixel_gpu *gpu,
                    struct vt_pixel_gpu_kernel *kernel, const struct vt_pixel_program *p)
{
    struct vt_generated_call a = {0}, b = {0};
    struct vt_pixel_gpu_stream streams[VT_PIXEL_STREAMS_MAX];
    struct vt_error err;
    char why[160] = "";
    assert_true(vt_generate_call(g, p, 500, &a));
    assert_true(vt_generated_copy(p, &a, &b));
    uint64_t n = vt_pixel_interpret(p, &a.call);
    assert_int_equal(n, a.call.count);
    if (n > 0) { /* of none there is nothing to run */
        shuffle(g);
        assert_true(b.bytes <= (size_t)RAM_PAGES * PAGE);
        move_pages(&b, true);
        for (uint32_t s = 0; s < p->n_streams; s++) {
            streams[s] = (struct vt_pixel_gpu_stream){
                .pages = order,
                .n_pages = (uint32_t)((b.bytes + PAGE - 1) / PAGE),
                .position = b.streams[s] - b.memory,
            };
        }
        struct vt_pixel_gpu_call call = {
            .count = n, .inputs = b.inputs, .carries = b.carries, .streams = streams};
        if (vt_pixel_gpu_run(gpu, kernel, &call, &err) != 0) {
            fail_msg("%s", err.message);
        }
        move_pages(&b, false);
    }
    if (n > 0 && !vt_generated_equal(p, &a, &b, why, sizeof why)) {
        fail_msg("%llu iterations: %s", (unsigned long long)n, why);
    }
    vt_generated_fini(&a);
    vt_generated_fini(&b);
}

static struct vt_pixel_gpu *open_gpu(void)
{
    struct vt_pixel_gpu *gpu = NULL;
    struct vt_error err;
    int rc = vt_pixel_gpu_open(getenv("VITRINE_GPU"), ram, (uint64_t)RAM_PAGES * PAGE, &gpu, &err);
    if (rc == VT_E_UNSUPPORTED) {
        print_message("%s\n", err.message);
        skip();
    }
    assert_int_equal(rc, 0);
    return gpu;
}

static void run_programs(struct vt_pixel_gpu *gpu, uint64_t seed, unsigned programs)
{
    struct vt_generator g;
    struct vt_error err;
    vt_generator_init(&g, seed);
    g.independent = true;
    for (unsigned k = 0; k < programs; k++) {
        struct vt_pixel_program p;
        struct vt_pixel_gpu_kernel *kernel;
        vt_pixel_init(&p);
        g.fixed_op = VT_PIXEL_ADD + k % (VT_PIXEL_PASHR - VT_PIXEL_ADD + 1);
        assert_true(vt_generate(&g, &p));
        int rc = vt_pixel_gpu_compile(gpu, &p, &kernel, &err);
        if (rc != 0 && err.code != VT_E_LIMIT) {
            fail_msg("%s", err.message);
        }
        for (unsigned i = 0; rc == 0 && i < 4; i++) {
            run_one(&g, gpu, kernel, &p);
        }
        if (rc == 0) {
            vt_pixel_gpu_forget(gpu, kernel);
        }
        vt_pixel_fini(&p);
    }
}

static void test_in_place(void **state)
{
    (void)state;
    struct vt_pixel_gpu *gpu = open_gpu();
    print_message("%s, %s\n", vt_pixel_gpu_name(gpu),
                  vt_pixel_gpu_in_place(gpu) ? "in place" : "copied");
    run_programs(gpu, 11, VT_PIXEL_PASHR - VT_PIXEL_ADD + 1);
    vt_pixel_gpu_close(gpu);
}

static void test_copied(void **state)
{
    (void)state;
    struct vt_pixel_gpu *gpu = open_gpu();
    vt_pixel_gpu_copy(gpu);
    assert_false(vt_pixel_gpu_in_place(gpu));
    run_programs(gpu, 12, 12);
    vt_pixel_gpu_close(gpu);
}

static void test_validator(void **state)
{
    struct vt_generator g;
    struct vt_error err;
    char path[4096], command[8192];
    if (system("command -v spirv-val >/dev/null") != 0) {
        skip();
    }
    snprintf(path, sizeof path, "%s/shader", (char *)*state);
    snprintf(command, sizeof command, "spirv-val --target-env vulkan1.2 %s", path);
    vt_generator_init(&g, 13);
    g.independent = true;
    for (unsigned k = 0; k < 20; k++) {
        struct vt_pixel_program p;
        uint32_t *words;
        size_t n;
        vt_pixel_init(&p);
        assert_true(vt_generate(&g, &p));
        if (vt_pixel_spirv(&p, &words, &n, &err) == 0) {
            FILE *to = fopen(path, "wb");
            assert_non_null(to);
            assert_int_equal(fwrite(words, sizeof *words, n, to), n);
            assert_int_equal(fclose(to), 0);
            assert_int_equal(system(command), 0);
            free(words);
        } else {
            assert_int_equal(err.code, VT_E_LIMIT);
        }
        vt_pixel_fini(&p);
    }
}

static void test_refused(void **state)
{
    (void)state;
    struct vt_generator g;
    struct vt_error err;
    unsigned refused = 0;
    vt_generator_init(&g, 14);
    for (unsigned k = 0; k < 50; k++) {
        struct vt_pixel_program p;
        uint32_t *words;
        size_t n;
        vt_pixel_init(&p);
        assert_true(vt_generate(&g, &p));
        if (!p.independent) {
            assert_int_equal(vt_pixel_spirv(&p, &words, &n, &err), VT_E_UNSUPPORTED);
            refused++;
        }
        vt_pixel_fini(&p);
    }
    assert_true(refused > 10);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_in_place, map_ram, unmap_ram),
        cmocka_unit_test_setup_teardown(test_copied, map_ram, unmap_ram),
        vt_test_in_dir(test_validator), cmocka_unit_test(test_refused)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
