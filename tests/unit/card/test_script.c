/* The script of the bare-metal guest: its statements on a model of a GPU, and what it reports. Here
 * the machine is this program: serial port, clock and RAM are the model's.
 */
#include "tests/unit/harness.h"

#include <jansson.h>
#include <string.h>

#include "gpu.h"
#include "tests/unit/virtio/gpu_model.h"

static char serial[1 << 20];
static size_t serial_used;
static struct vt_vgpu_model *model;

static struct vt_model *device(void)
{
    return vt_vgpu_model_device(model);
}

/* ---- what guests/card/<architecture> and main.c have */

struct card_machine machine;

void arch_put(char c)
{
    assert_true(serial_used < sizeof serial - 1);
    serial[serial_used++] = c;
    serial[serial_used] = '\0';
}

uint64_t now_ns(void)
{
    const struct vt_virtio_clock *clock = vt_model_clock(device());
    return clock->now_ns(clock->arg);
}

void arch_relax(void)
{
    const struct vt_virtio_clock *clock = vt_model_clock(device());
    clock->relax(clock->arg);
}

static bool answers_sleepers;

void arch_sleep_until(uint64_t ns)
{
    if (answers_sleepers && vt_vgpu_model_release(model, VT_VGPU_CONTROL_QUEUE, 0)) {
        return;
    }
    if (ns > now_ns()) {
        vt_model_pass(device(), ns - now_ns());
    }
}

/* The one line there is: what has been asked for has come when the script wakes up. */
bool arch_line_on(uint32_t line)
{
    return line == 33;
}

void arch_line_done(uint32_t line)
{
    assert_int_equal(line, 33);
}

static uint64_t clock_now(void *arg)
{
    (void)arg;
    return now_ns();
}

static void clock_relax(void *arg)
{
    (void)arg;
    arch_relax();
}

const struct vt_virtio_clock card_clock = {.now_ns = clock_now, .relax = clock_relax};

void arch_fw_cfg(uint64_t descriptor)
{
    (void)descriptor;
    fail_msg("there is no fw_cfg");
}

bool arch_crash(const char *how)
{
    (void)how;
    return false;
}

_Noreturn void arch_power_off(void)
{
    abort();
}

_Noreturn void card_panic(const char *why)
{
    fprintf(stderr, "panic: %s\n", why);
    abort();
}

/* ---- a run: its reports as an array of objects */

static const struct card_settings as_begun = {
    .log_bytes = 1 << 17, .timeout_ms = 5000, .buffers = 2, .first_id = 1000, .wait = true};

static int setup(void **state)
{
    const struct vt_vgpu_model_config config = {
        .features = VT_VIRTIO_F_INDIRECT_DESC | VT_VIRTIO_F_EVENT_IDX,
        .scanouts = 2,
        .ram_bytes = 32 << 20,
    };
    (void)state;
    model = vt_vgpu_model_create(&config);
    settings = as_begun;
    memset(&gpu, 0, sizeof gpu);
    gpu.arena = vt_model_arena(device());
    memset(&machine, 0, sizeof machine);
    machine.architecture = "model";
    machine.bus = *vt_model_bus(device());
    machine.mmio[machine.n_mmio].address = VT_MODEL_MMIO;
    machine.mmio[machine.n_mmio++].line = 33;
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    gpu_down();
    serial_used = 0;
    assert_null(vt_model_complaint(device()));
    vt_vgpu_model_destroy(model);
    return 0;
}

static json_t *reports(void)
{
    json_t *all = json_array();
    for (char *line = strtok(serial, "\n"); line != NULL; line = strtok(NULL, "\n")) {
        json_error_t error;
        json_t *one = json_loads(line, JSON_REJECT_DUPLICATES, &error);
        if (one == NULL) {
            fail_msg("%s: %s", line, error.text);
        }
        assert_non_null(json_object_get(one, "event"));
        json_array_append_new(all, one);
    }
    serial_used = 0;
    return all;
}

static json_t *run(const char *script, bool well)
{
    bool failed = false;
    assert_true(strlen(script) < sizeof machine.command_line);
    strcpy(machine.command_line, script);
    serial[0] = '\0';
    (void)script_run(&failed);
    if (failed == well) {
        fail_msg("'%s' %s:\n%s", script, well ? "failed" : "did not fail", serial);
    }
    return reports();
}

/* The `i`-th report of that kind; NULL: there are fewer. */
static const json_t *report(const json_t *all, const char *event, unsigned i)
{
    size_t at;
    const json_t *one;
    json_array_foreach(all, at, one)
    {
        if (strcmp(json_string_value(json_object_get(one, "event")), event) == 0 && i-- == 0) {
            return one;
        }
    }
    return NULL;
}

static const char *text(const json_t *one, const char *key)
{
    const char *value = json_string_value(json_object_get(one, key));
    assert_non_null(value);
    return value;
}

static json_int_t count(const json_t *one, const char *key)
{
    assert_true(json_is_integer(json_object_get(one, key)));
    return json_integer_value(json_object_get(one, key));
}

/* ---- tests */

static void fails_with(const char *script, const char *statement, const char *why)
{
    json_t *all = run(script, false);
    const json_t *error = report(all, "error", 0);
    assert_non_null(error);
    assert_string_equal(text(error, "statement"), statement);
    assert_string_equal(text(error, "why"), why);
    assert_ptr_equal(error, json_array_get(all, json_array_size(all) - 1));
    json_decref(all);
}

static void test_statements_are_read_or_refused(void **state)
{
    (void)state;
    json_decref(run("", true));
    json_decref(run(" ;; \n ; ", true));
    json_t *all = run("say a\"b\\c\x01; virtio_mmio.device=512@0xfeb00e00:12 say ä… ;say", true);
    assert_string_equal(text(report(all, "say", 0), "text"), "a\"b\\c\x01");
    assert_string_equal(text(report(all, "say", 1), "text"), "ä…");
    assert_string_equal(text(report(all, "say", 2), "text"), "");
    json_decref(all);
    fails_with("say a; sya b; say c", "sya", "no such statement");
    fails_with("wait", "wait", "how long?");
    fails_with("wait 99999999999999999999", "wait", "how long?");
    fails_with("wait 12z", "wait", "how long?");
    fails_with("crash softly", "crash", "no such crash");
    fails_with("set colour red", "set", "not understood");
    fails_with("set scanout 16", "set", "not understood");
    fails_with("card 640", "card", "of which size?");
    fails_with("card 4294967296x1", "card", "of which size?");
    fails_with("animate 5", "animate", "a card comes first");
    fails_with("dump", "dump", "nothing is shown");
    fails_with("show 0 1 1,2,3", "show", "not understood");
    fails_with("back 7", "back", "no such resource was created here");
    fails_with("raw SET_SCANOUTS", "raw", "no such command");
    fails_with("raw SET_SCANOUT rect=1,2,3x", "raw", "rect");
    fails_with("bytes control 24 0x", "bytes", "not understood");
    fails_with("set display ramfb; card 64x64; hide", "card", "the display did not show it");
    json_decref(run("hide", true));
}

static void test_words_are_counted(void **state)
{
    (void)state;
    char script[4096] = "say";
    for (unsigned i = 0; i < 80; i++) {
        strcat(script, " word");
    }
    json_decref(run(script, false));
}

static void test_a_card_is_what_the_device_shows(void **state)
{
    (void)state;
    json_t *all = run("card 320x200 hello; animate 9; dump; hide; gpu state; gpu down", true);
    const json_t *framebuffer = report(all, "framebuffer", 0);
    assert_int_equal(count(framebuffer, "width"), 320);
    assert_int_equal(count(framebuffer, "height"), 200);
    assert_int_equal(count(framebuffer, "stride_bytes"), 4 * 320);
    assert_int_equal(count(report(all, "animation", 0), "frames"), 9);
    assert_int_equal(count(report(all, "state", 0), "failed"), 0);
    assert_int_equal(count(report(all, "state", 0), "resources"), 0);
    assert_int_equal(count(report(all, "gpu-down", 0), "resources_left"), 0);
    json_decref(all);

    /* The same card drawn here. */
    static uint32_t pixels[320 * 200];
    struct vt_surface expected = {pixels, 320, 200, 320};
    vt_surface_test_card(&expected, "hello");
    all = run("set log serial; card 320x200 hello; animate 9; gpu down; set log ram", true);
    assert_non_null(strstr(text(report(all, "log", 2), "text"), "RESOURCE_CREATE_2D"));
    json_decref(all);
    json_decref(run("card 320x200 hello; animate 9", true));
    const struct vt_vgpu_model_scanout *shown = vt_vgpu_model_scanout(model, 0);
    const struct vt_vgpu_model_resource *r = vt_vgpu_model_resource(model, shown->resource);
    assert_non_null(r);
    assert_memory_equal(r->pixels, pixels, sizeof pixels);
}

static void test_raw_commands_have_any_fields(void **state)
{
    (void)state;
    json_t *all =
        run("create 1 64x64; back 1 3; paint 1 0x123456; memory 16K;"
            "raw SET_SCANOUT scanout_id=1 resource_id=1 rect=8,8,32x16 flags=FENCE fence_id=77;"
            "raw SET_SCANOUT scanout_id=1 resource_id=5 rect=0,0,1x1;"
            "raw RESOURCE_CREATE_2D resource_id=2 format=B8G8R8X8_UNORM width=32 height=32;"
            "raw RESOURCE_ATTACH_BACKING resource_id=2 entries=mem:1024,mem+8192:0xc00;"
            "raw 0x1ff; raw GET_DISPLAY_INFO; raw RESOURCE_UNREF resource_id=2",
            true);
    const json_t *one = report(all, "answer", 2);
    assert_string_equal(text(one, "name"), "SET_SCANOUT");
    assert_string_equal(text(one, "response"), "OK_NODATA");
    assert_non_null(strstr(text(one, "text"), "77"));
    assert_string_equal(text(report(all, "answer", 3), "response"), "ERR_INVALID_RESOURCE_ID");
    assert_string_equal(text(report(all, "answer", 5), "response"), "OK_NODATA");
    assert_string_equal(text(report(all, "answer", 6), "response"), "ERR_UNSPEC");
    assert_string_equal(text(report(all, "answer", 7), "response"), "OK_DISPLAY_INFO");
    json_decref(all);
    const struct vt_vgpu_model_scanout *shown = vt_vgpu_model_scanout(model, 1);
    assert_int_equal(shown->resource, 1);
    assert_int_equal(shown->rect.x, 8);
    assert_int_equal(shown->rect.height, 16);
    assert_int_equal(vt_vgpu_model_resource(model, 1)->n_entries, 3);

    /* As the device got it. */
    json_decref(run(
        "raw RESOURCE_ATTACH_BACKING resource_id=1 entries=4096:1,0x2000:3 nr_entries=9", true));
    uint32_t bytes;
    const uint8_t *sent = vt_vgpu_model_last(model, &bytes);
    static const uint8_t expected[] = {1, 0, 0, 0, 9, 0, 0, 0, 0, 0x10, 0, 0,    0, 0,
                                       0, 0, 1, 0, 0, 0, 0, 0, 0, 0,    0, 0x20, 0, 0,
                                       0, 0, 0, 0, 3, 0, 0, 0, 0, 0,    0, 0};
    assert_int_equal(bytes, 24 + sizeof expected);
    assert_memory_equal(sent + 24, expected, sizeof expected);
}

static void test_refusals_and_errors_are_reports(void **state)
{
    (void)state;
    json_t *all =
        run("create 1 64x64; create 1 64x64; transfer 1 0,0,8x8; set wait no; back 1;"
            "transfer 1 0,0,64x64 5; flush 1 0,0,64x64 6; gpu drain; set wait yes; gpu state",
            true);
    assert_string_equal(text(report(all, "refused", 0), "name"), "create");
    assert_string_equal(text(report(all, "refused", 1), "name"), "transfer");
    assert_null(report(all, "refused", 2));
    assert_int_equal(count(report(all, "answer", 3), "statement"), 7);
    json_decref(all);

    vt_vgpu_model_rule(model, VT_VGPU_CMD_RESOURCE_FLUSH, 0, 1, VT_VGPU_MODEL_TYPE, 0x1101);
    all = run("flush 1 0,0,8x8; flush 1 0,0,8x8; gpu state; gpu start; gpu state; create 2 8x8",
              true);
    assert_string_equal(text(report(all, "gpu-event", 0), "state"), "BROKEN_ANSWER");
    assert_string_equal(text(report(all, "refused", 0), "state"), "BROKEN_ANSWER");
    assert_string_equal(text(report(all, "state", 0), "state"), "BROKEN_ANSWER");
    assert_string_equal(text(report(all, "start", 0), "state"), "READY");
    assert_string_equal(text(report(all, "state", 1), "state"), "READY");
    json_decref(all);
}

static void test_silence_ends(void **state)
{
    (void)state;
    vt_vgpu_model_rule(model, VT_VGPU_CMD_RESOURCE_CREATE_2D, 0, 1, VT_VGPU_MODEL_HOLDS, 0);
    json_t *all = run("set timeout_ms 50; create 1 64x64; gpu state", true);
    assert_string_equal(text(report(all, "gpu-event", 0), "state"), "TIMED_OUT");
    assert_string_equal(text(report(all, "state", 0), "state"), "TIMED_OUT");
    json_decref(all);
    vt_vgpu_model_behave(model);
}

static void test_both_ways_are_measured(void **state)
{
    (void)state;
    json_t *all = run("bench async 300; bench blocking 20 8", true);
    const json_t *async = report(all, "bench", 0), *blocking = report(all, "bench", 1);
    assert_int_equal(count(async, "flushes"), 300);
    assert_int_equal(count(async, "failed"), 0);
    assert_in_range(count(async, "most_in_flight"), 2, 256);
    assert_int_equal(count(blocking, "most_in_flight"), 1);
    assert_int_equal(count(blocking, "side"), 8);
    json_decref(all);
    fails_with("bench async 0", "bench", "not understood");
    fails_with("bench blocking 1 769", "bench", "not understood");
}

static void test_an_interrupt_ends_a_sleep(void **state)
{
    (void)state;
    json_t *all = run("set sleep yes; create 1 8x8; back 1", true);
    assert_int_equal(count(report(all, "device", 0), "line"), 33);
    json_decref(all);
    vt_vgpu_model_rule(model, VT_VGPU_CMD_RESOURCE_FLUSH, 0, 3, VT_VGPU_MODEL_HOLDS, 0);
    answers_sleepers = true;
    all = run("flush 1 0,0,8x8; flush 1 0,0,8x8; flush 1 0,0,8x8; gpu state", true);
    answers_sleepers = false;
    assert_string_equal(text(report(all, "answer", 2), "response"), "OK_NODATA");
    assert_int_equal(count(report(all, "state", 0), "interrupts"), 3);
    json_decref(all);
    vt_vgpu_model_behave(model);
}

static void test_a_display_of_another_size_is_followed(void **state)
{
    (void)state;
    vt_vgpu_model_resize(model, 0, true, 300, 200);
    json_t *all = run("follow 100", true);
    assert_int_equal(count(report(all, "card", 0), "width"), 300);
    assert_null(report(all, "card", 1));
    json_decref(all);
    vt_vgpu_model_resize(model, 0, true, 200, 100);
    all = run("follow 100", true);
    assert_int_equal(count(report(all, "card", 0), "width"), 200);
    json_decref(all);
}

/* What it comes to was worked out by a program of another language. */
static void test_computing_comes_to_the_same(void **state)
{
    (void)state;
    json_t *all = run("compute 3; compute 3", true);
    for (unsigned i = 0; i < 2; i++) {
        assert_int_equal(count(report(all, "compute", i), "rounds"), 3);
        assert_string_equal(text(report(all, "compute", i), "result"), "0xcb5d9a1b2f65e3a");
    }
    json_decref(all);
    fails_with("compute", "compute", "not understood");
    fails_with("compute 0", "compute", "not understood");
}

int main(void)
{
#define test(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
    const struct CMUnitTest tests[] = {
        test(test_statements_are_read_or_refused),
        test(test_words_are_counted),
        test(test_a_card_is_what_the_device_shows),
        test(test_raw_commands_have_any_fields),
        test(test_refusals_and_errors_are_reports),
        test(test_silence_ends),
        test(test_both_ways_are_measured),
        test(test_an_interrupt_ends_a_sleep),
        test(test_a_display_of_another_size_is_followed),
        test(test_computing_comes_to_the_same),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
