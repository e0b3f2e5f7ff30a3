/* tests/unit/hybrid/test_worker.c - requests of the mailbox on a GPU that is made up: which are
 * run, which refused, what comes back, and that nobody is left waiting when it ends or is lost.
 */
#include "tests/unit/harness.h"

#include "base/io.h"
#include "hybrid/accel.h"
#include "hybrid/worker.h"
#include "pixel/gpu.h"

#include <fcntl.h>
#include <sched.h>
#include <string.h>

#define RAM_BYTES 65536u

/* ---- what a worker uses ---- */

static struct vt_hybrid_mailbox mail;
static struct vt_vm_info info;
static struct {
    int opens, run; /* what they return */
    uint8_t *ram;
    uint64_t ram_bytes;
    unsigned open, kernels, runs;
    uint64_t count, input, first_page, n_pages;
    int64_t position;
} gpu;
static int device, kernel; /* have addresses */

struct vt_hybrid_mailbox *vt_accel_mailbox(struct vt_accel *accel)
{
    (void)accel;
    return &mail;
}

const struct vt_vm_info *vt_vm_info(const struct vt_vm *vm)
{
    (void)vm;
    return &info;
}

int vt_pixel_gpu_open(const char *name, uint8_t *ram, uint64_t ram_bytes, struct vt_pixel_gpu **out,
                      struct vt_error *err)
{
    if (gpu.opens != 0) {
        return vt_fail(err, gpu.opens, "no GPU %s", name);
    }
    gpu.ram = ram;
    gpu.ram_bytes = ram_bytes;
    gpu.open++;
    *out = (struct vt_pixel_gpu *)&device;
    return 0;
}

void vt_pixel_gpu_close(struct vt_pixel_gpu *g)
{
    gpu.open -= g != NULL;
}

const char *vt_pixel_gpu_name(const struct vt_pixel_gpu *g)
{
    (void)g;
    return "made up";
}

bool vt_pixel_gpu_is_software(const struct vt_pixel_gpu *g)
{
    (void)g;
    return false;
}

int vt_pixel_gpu_compile(struct vt_pixel_gpu *g, const struct vt_pixel_program *p,
                         struct vt_pixel_gpu_kernel **out, struct vt_error *err)
{
    (void)g;
    if (!p->independent) {
        return vt_fail(err, VT_E_UNSUPPORTED, "one after the other");
    }
    gpu.kernels++;
    *out = (struct vt_pixel_gpu_kernel *)&kernel;
    return 0;
}

void vt_pixel_gpu_forget(struct vt_pixel_gpu *g, struct vt_pixel_gpu_kernel *k)
{
    (void)g;
    assert_ptr_equal(k, &kernel);
    gpu.kernels--;
}

/* Doubles carry 0, and writes carry 1's place with what must not come back. */
int vt_pixel_gpu_run(struct vt_pixel_gpu *g, struct vt_pixel_gpu_kernel *k,
                     const struct vt_pixel_gpu_call *call, struct vt_error *err)
{
    (void)g;
    (void)k;
    gpu.runs++;
    gpu.count = call->count;
    gpu.input = call->inputs[0];
    gpu.first_page = call->streams[0].pages[0];
    gpu.n_pages = call->streams[0].n_pages;
    gpu.position = call->streams[0].position;
    if (gpu.run != 0) {
        return vt_fail(err, gpu.run, "as asked for");
    }
    call->carries[0] *= 2;
    call->carries[1] = 99;
    gpu.ram[0]++;
    return 0;
}

/* ---- a plugin ---- */

static struct vt_hybrid_worker *worker;
static const struct vt_pixel_program program = {
    .n_carries = 1, .n_streams = 1, .independent = true};

static int setup(void **state)
{
    assert_int_equal(vt_test_dir_setup(state), 0);
    memset(&mail, 0, sizeof mail);
    memset(&gpu, 0, sizeof gpu);
    snprintf(info.ram_path, sizeof info.ram_path, "%s/ram", (const char *)*state);
    int fd = open(info.ram_path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    assert_true(fd >= 0 && ftruncate(fd, RAM_BYTES) == 0);
    close(fd);
    return 0;
}

static int start(struct vt_error *err)
{
    const struct vt_target target = {0};
    worker = NULL;
    return vt_hybrid_worker_start(NULL, &target, "any", &worker, err);
}

/* Until a word is another; the value it has then. */
static uint32_t wait_while(const uint32_t *word, uint32_t value)
{
    for (uint64_t end = vt_deadline_ms(60000); vt_now_ns() < end;) {
        uint32_t now = __atomic_load_n(word, __ATOMIC_ACQUIRE);
        if (now != value) {
            return now;
        }
        sched_yield();
    }
    fail_msg("still %u after a minute", value);
    return value;
}

static void prepare(uint32_t slot)
{
    mail.slot = slot;
    mail.count = 10;
    mail.inputs[0] = 7;
    mail.carries[0] = 21;
    mail.carries[1] = 5;
    mail.streams[0].first = 1;
    mail.streams[0].n = 2;
    mail.streams[0].position = 24;
    mail.pages[1] = 0x3000;
}

static void ask(void)
{
    __atomic_store_n(&mail.state, VT_HYBRID_MAIL_ASKED, __ATOMIC_RELEASE);
}

/* DONE or REFUSED. */
static uint32_t answer(void)
{
    ask();
    uint32_t state = wait_while(&mail.state, VT_HYBRID_MAIL_ASKED);
    return state != VT_HYBRID_MAIL_TAKEN ? state : wait_while(&mail.state, VT_HYBRID_MAIL_TAKEN);
}

static uint32_t answer_to(uint32_t slot)
{
    prepare(slot);
    return answer();
}

static void serves(void)
{
    struct vt_error err;
    assert_int_equal(start(&err), 0);
    assert_int_equal(wait_while(&mail.worker, 0), getpid());
    assert_int_equal(vt_hybrid_worker_serve(worker, 5, &program, &err), 0);
}

static void stops(void)
{
    vt_hybrid_worker_stop(worker);
    assert_int_equal(mail.worker, 0);
    assert_int_equal(gpu.kernels, 0);
    assert_int_equal(gpu.open, 0);
}

static void a_request_is_run_on_ram(void **state)
{
    serves();
    assert_string_equal(vt_hybrid_worker_gpu(worker), "made up");
    assert_int_equal(gpu.ram_bytes, RAM_BYTES);
    for (uint32_t i = 1; i <= 3; i++) {
        assert_int_equal(answer_to(5), VT_HYBRID_MAIL_DONE);
        assert_int_equal(gpu.runs, i);
        assert_int_equal(mail.carries[0], 42);
        assert_int_equal(mail.carries[1], 5); /* the program has one carry */
        assert_int_equal(gpu.count, 10);
        assert_int_equal(gpu.input, 7);
        assert_int_equal(gpu.n_pages, 2);
        assert_int_equal(gpu.first_page, 0x3000);
        assert_int_equal(gpu.position, 24);
    }
    assert_false(vt_hybrid_worker_lost(worker));
    stops();
    uint8_t first = 0;
    int fd = open(info.ram_path, O_RDONLY | O_CLOEXEC);
    assert_int_equal(pread(fd, &first, 1, 0), 1);
    assert_int_equal(first, 3); /* it was the VM's RAM */
    close(fd);
    (void)state;
}

static void what_is_not_served_is_refused(void **state)
{
    (void)state;
    struct vt_error err;
    const struct vt_pixel_program in_order = {.n_carries = 1, .n_streams = 1};
    serves();
    assert_int_equal(vt_hybrid_worker_serve(worker, 6, &in_order, &err), VT_E_UNSUPPORTED);
    static const uint32_t slots[] = {0, 6, VT_HYBRID_SLOTS, UINT32_MAX};
    for (size_t i = 0; i < sizeof slots / sizeof *slots; i++) {
        assert_int_equal(answer_to(slots[i]), VT_HYBRID_MAIL_REFUSED);
    }
    vt_hybrid_worker_forget(worker, 5);
    assert_int_equal(answer_to(5), VT_HYBRID_MAIL_REFUSED);
    assert_int_equal(gpu.runs, 0);
    assert_int_equal(mail.carries[0], 21);
    vt_hybrid_worker_forget(worker, 5); /* nothing */
    stops();
}

static void pages_beyond_the_mailbox_are_refused(void **state)
{
    (void)state;
    serves();
    static const uint32_t ranges[][2] = {
        {VT_HYBRID_MAIL_PAGES + 1, 0},
        {VT_HYBRID_MAIL_PAGES, 1},
        {1, VT_HYBRID_MAIL_PAGES},
        {UINT32_MAX, 1},
        {1, UINT32_MAX},
    };
    for (size_t i = 0; i < sizeof ranges / sizeof *ranges; i++) {
        prepare(5);
        mail.streams[0].first = ranges[i][0];
        mail.streams[0].n = ranges[i][1];
        assert_int_equal(answer(), VT_HYBRID_MAIL_REFUSED);
    }
    assert_int_equal(gpu.runs, 0);
    stops();
}

static void a_run_that_fails_is_refused(void **state)
{
    (void)state;
    serves();
    gpu.run = VT_E_INVAL;
    assert_int_equal(answer_to(5), VT_HYBRID_MAIL_REFUSED);
    assert_int_equal(mail.carries[0], 21);
    gpu.run = 0;
    assert_int_equal(answer_to(5), VT_HYBRID_MAIL_DONE);
    assert_false(vt_hybrid_worker_lost(worker));
    stops();
}

/* What it wrote is not known: no answer, and nobody serves, which the plugin sees. */
static void a_lost_device_does_not_answer(void **state)
{
    (void)state;
    serves();
    gpu.run = VT_E_GONE;
    prepare(5);
    ask();
    assert_int_equal(wait_while(&mail.worker, (uint32_t)getpid()), 0);
    assert_int_equal(__atomic_load_n(&mail.state, __ATOMIC_ACQUIRE), VT_HYBRID_MAIL_TAKEN);
    assert_true(vt_hybrid_worker_lost(worker));
    assert_int_equal(mail.carries[0], 21);
    stops();
}

/* Asked when nobody looks any more. */
static void an_end_leaves_nobody_waiting(void **state)
{
    (void)state;
    serves();
    gpu.run = VT_E_INVAL;
    for (unsigned i = 0; i < 50; i++) {
        assert_int_equal(answer_to(5), VT_HYBRID_MAIL_REFUSED);
    }
    prepare(5);
    ask();
    stops();
    assert_int_equal(mail.state, VT_HYBRID_MAIL_REFUSED);
    vt_hybrid_worker_stop(NULL);
}

static void what_is_not_there_is_told(void **state)
{
    (void)state;
    struct vt_error err;
    gpu.opens = VT_E_UNSUPPORTED;
    assert_int_equal(start(&err), VT_E_UNSUPPORTED);
    assert_null(worker);
    gpu.opens = 0;
    assert_int_equal(unlink(info.ram_path), 0);
    assert_int_equal(start(&err), VT_E_NOT_FOUND);
    assert_non_null(strstr(err.message, info.ram_path));
    assert_int_equal(symlink("/dev/zero", info.ram_path), 0); /* not where it is said to be */
    assert_int_not_equal(start(&err), 0);
    assert_null(worker);
    assert_int_equal(gpu.open, 0);
    assert_int_equal(mail.worker, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_request_is_run_on_ram, setup, vt_test_dir_teardown),
        cmocka_unit_test_setup_teardown(what_is_not_served_is_refused, setup, vt_test_dir_teardown),
        cmocka_unit_test_setup_teardown(pages_beyond_the_mailbox_are_refused, setup,
                                        vt_test_dir_teardown),
        cmocka_unit_test_setup_teardown(a_run_that_fails_is_refused, setup, vt_test_dir_teardown),
        cmocka_unit_test_setup_teardown(a_lost_device_does_not_answer, setup, vt_test_dir_teardown),
        cmocka_unit_test_setup_teardown(an_end_leaves_nobody_waiting, setup, vt_test_dir_teardown),
        cmocka_unit_test_setup_teardown(what_is_not_there_is_told, setup, vt_test_dir_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
