/* guests/card/gpu.c - finds the GPU, brings the driver up and down, reports answers and events. */
#include "gpu.h"

struct card_gpu gpu;
struct card_settings settings = {
    .log_bytes = 1 << 20, .timeout_ms = 5000, .buffers = 2, .first_id = 1000, .wait = true};

enum { GPU_ID = 16 };

/* ---------------------------------------------------------------- finding it */

static int find_on_mmio(uint64_t *skip)
{
    int rc = VT_VIRTIO_E_NO_DEVICE;

    for (unsigned i = 0; i < machine.n_mmio; i++) {
        int one =
            vt_virtio_mmio_open(&gpu.device, &machine.bus, &card_clock, machine.mmio[i].address);

        if (one == VT_VIRTIO_OK && gpu.device.id == GPU_ID && (*skip)-- == 0) {
            gpu.line = machine.mmio[i].line;
            return VT_VIRTIO_OK;
        }
        if (one == VT_VIRTIO_E_UNSUPPORTED) {
            rc = one;
        }
    }
    return rc;
}

static int find_on_pci(void)
{
    uint16_t function;
    int rc;

    if (!machine.bus.pci_read) {
        return VT_VIRTIO_E_NO_DEVICE;
    }
    rc = vt_pci_find_virtio(&machine.bus, GPU_ID, &function);
    if (rc == VT_VIRTIO_OK && machine.pci.next) {
        rc = vt_pci_assign(&machine.bus, function, &machine.pci.next, machine.pci.end);
    }
    return rc == VT_VIRTIO_OK ? vt_virtio_pci_open(&gpu.device, &machine.bus, &card_clock, function)
                              : rc;
}

static bool find_gpu(void)
{
    uint64_t skip = settings.device;
    int rc = VT_VIRTIO_E_NO_DEVICE, pci;
    bool on_pci = false;

    if (gpu.device.transport) {
        return true;
    }
    if (!settings.pci_only) {
        rc = find_on_mmio(&skip);
    }
    if (rc != VT_VIRTIO_OK) {
        pci = find_on_pci();
        on_pci = pci == VT_VIRTIO_OK;
        rc = pci == VT_VIRTIO_E_NO_DEVICE ? rc : pci;
    }
    if (rc != VT_VIRTIO_OK) {
        gpu.device.transport = NULL;
        return script_fail(rc == VT_VIRTIO_E_UNSUPPORTED
                               ? "legacy virtio-mmio devices only (virtio-mmio.force-legacy=false)"
                               : vt_virtio_code_name(rc));
    }
    report_begin("device");
    report_text("bus", on_pci ? "pci" : "mmio");
    report_address("at", on_pci ? gpu.device.at.pci.function : gpu.device.at.mmio.base);
    report_number("line", gpu.line);
    report_end();
    return true;
}

/* ---------------------------------------------------------------- the driver */

static void text_line(const char *line, void *arg)
{
    (void)arg;
    report_begin("log");
    report_text("text", line);
    report_end();
}

static unsigned changes;

unsigned gpu_changes(void)
{
    return changes;
}

static void on_event(enum vt_vgpu_event event, enum vt_vgpu_state now, void *arg)
{
    (void)arg;
    changes += event == VT_VGPU_EV_DISPLAY_CHANGED;
    report_begin("gpu-event");
    report_text("what", vt_vgpu_event_name(event));
    report_text("state", vt_vgpu_state_name(now));
    if (gpu.driver) {
        report_text("fault", vt_vgpu_driver_fault(gpu.driver));
    }
    report_end();
}

void gpu_need_memory(void)
{
    if (!gpu.arena.base) {
        gpu.arena = (struct vt_virtio_arena){
            .base = (uint8_t *)(uintptr_t)machine.free,
            .device = machine.free,
            .bytes = machine.free_end - machine.free,
        };
    }
}

static bool need_log(void)
{
    static char writer[32] = "gpu-card ";
    unsigned n = 9;
    int rc;

    if (gpu.log || settings.log_bytes == 0) {
        return true;
    }
    for (const char *a = machine.architecture; *a; a++) {
        writer[n++] = *a;
    }
    rc = vt_vgpu_log_create(&gpu.arena, settings.log_bytes, writer, &gpu.log);
    if (rc != VT_VIRTIO_OK) {
        return script_fail(vt_virtio_code_name(rc));
    }
    report_begin("log-ring");
    report_address("address", vt_vgpu_log_address(gpu.log));
    report_number("bytes", settings.log_bytes);
    report_end();
    return true;
}

static size_t arena_mark; /* what the driver and all after it took is behind this */

static void idle(void)
{
    if (gpu.driver) {
        (void)vt_vgpu_poll(gpu.driver);
    }
}

static bool start(uint16_t in_flight)
{
    const struct vt_vgpu_driver_config config = {
        .device = &gpu.device,
        .arena = &gpu.arena,
        .clock = &card_clock,
        .log = gpu.log,
        .features_off = settings.features_off,
        .queue_size = (uint16_t)settings.queue,
        .in_flight = in_flight,
        .timeout_ns = settings.timeout_ms * 1000000,
        .retries = (unsigned)settings.retries,
        .on_event = on_event,
    };
    int rc;

    arena_mark = gpu.arena.used;
    rc = vt_vgpu_driver_create(&config, &gpu.driver);
    if (rc != VT_VIRTIO_OK) {
        gpu.driver = NULL;
        return script_fail(vt_virtio_code_name(rc));
    }
    script_idle = idle;
    rc = vt_vgpu_driver_start(gpu.driver);
    report_begin("gpu");
    report_text("state", vt_vgpu_state_name(vt_vgpu_driver_state(gpu.driver)));
    report_address("offered", gpu.device.offered);
    report_address("features", vt_vgpu_driver_features(gpu.driver));
    report_number("scanouts", vt_vgpu_driver_scanouts(gpu.driver));
    report_number("capsets", vt_vgpu_driver_capsets(gpu.driver));
    report_text("fault", vt_vgpu_driver_fault(gpu.driver));
    report_end();
    return rc == VT_VIRTIO_OK || script_fail(vt_virtio_code_name(rc));
}

bool gpu_need(void)
{
    if (gpu.driver) {
        return true;
    }
    gpu_need_memory();
    if (!find_gpu() || !need_log()) {
        return false;
    }
    if (gpu.line && !arch_line_on(gpu.line)) {
        gpu.line = 0;
    }
    if (gpu.log) {
        vt_vgpu_log_text(gpu.log, settings.log_text ? text_line : NULL, NULL);
    }
    return start((uint16_t)settings.in_flight);
}

void gpu_down(void)
{
    int left;

    if (!gpu.driver) {
        return;
    }
    displays_close();
    left = vt_vgpu_driver_stop(gpu.driver); /* may report by itself */
    report_begin("gpu-down");
    report_number("resources_left", left > 0 ? (uint64_t)left : 0);
    report_end();
    gpu.driver = NULL;
    pictures_forget();
    gpu.arena.used = arena_mark;
    gpu.device = (struct vt_virtio_device){0}; /* another may be wanted next */
}

bool gpu_again(uint16_t in_flight)
{
    struct vt_virtio_device device;

    if (!gpu_need()) {
        return false;
    }
    device = gpu.device;
    gpu_down();
    gpu.device = device;
    return start(in_flight);
}

/* ---------------------------------------------------------------- who asked what */

static struct ask {
    const char *name;
    unsigned statement;
    bool busy;
} asks[64];

static bool any_busy(void)
{
    for (unsigned i = 0; i < sizeof(asks) / sizeof(asks[0]); i++) {
        if (asks[i].busy) {
            return true;
        }
    }
    return false;
}

static bool poll_well(void)
{
    return vt_vgpu_poll(gpu.driver) >= 0 && vt_vgpu_driver_state(gpu.driver) == VT_VGPU_READY;
}

void gpu_rest(void)
{
    const uint64_t nap = 10000000; /* timeouts are seen to as often */

    if (!settings.sleep || !gpu.line || !gpu.driver) {
        arch_relax();
        return;
    }
    if (!vt_vgpu_interrupts(gpu.driver, true)) {
        arch_sleep_until(now_ns() + nap);
    }
    vt_vgpu_interrupt(gpu.driver);
    arch_line_done(gpu.line);
}

void gpu_wait(void)
{
    while (any_busy() && poll_well()) {
        gpu_rest();
    }
}

void *gpu_ask(const char *name)
{
    for (;;) {
        for (unsigned i = 0; i < sizeof(asks) / sizeof(asks[0]); i++) {
            if (!asks[i].busy) {
                asks[i] = (struct ask){name, script_statement(), true};
                return &asks[i];
            }
        }
        if (!poll_well()) {
            card_panic("the driver forgot its answers");
        }
    }
}

void gpu_answered(const struct vt_vgpu_answer *answer, void *arg)
{
    struct ask *ask = arg;
    const char *type = vt_vgpu_type_name(answer->type);
    char text[256];

    ask->busy = false;
    report_begin("answer");
    report_number("statement", ask->statement);
    report_text("name", ask->name);
    report_text("outcome", vt_virtio_code_name(answer->code));
    if (answer->response_bytes > 0) {
        const struct vt_vgpu_message *message = vt_vgpu_message_of(answer->type);

        report_address("type", answer->type);
        if (type) {
            report_text("response", type);
        }
        report_number("bytes", answer->response_bytes);
        if (message) {
            (void)vt_vgpu_describe(message, answer->response, answer->response_bytes, text,
                                   sizeof(text));
            report_text("text", text);
        }
    }
    report_number("latency_ns", answer->latency_ns);
    report_end();
}

bool gpu_sent(int rc, void *arg)
{
    struct ask *ask = arg;

    if (rc != VT_VIRTIO_OK) {
        ask->busy = false;
        report_begin("refused");
        report_number("statement", ask->statement);
        report_text("name", ask->name);
        report_text("why", vt_virtio_code_name(rc));
        report_text("state", vt_vgpu_state_name(vt_vgpu_driver_state(gpu.driver)));
        report_end();
        return true;
    }
    vt_vgpu_kick(gpu.driver);
    if (settings.wait) {
        gpu_wait();
    }
    return true;
}

void gpu_ask_displays(void)
{
    void *ask = gpu_ask("displays");
    bool wait = settings.wait;

    settings.wait = true;
    (void)gpu_sent(vt_vgpu_get_displays(gpu.driver, gpu_answered, ask), ask);
    settings.wait = wait;
}
