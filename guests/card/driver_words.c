/* guests/card/driver_words.c - statements that are the driver's own functions, and its settings.
 *
 * set       what the driver and displays are made with
 * gpu …     up, down, start (again), state, displays
 * create …  a command each, judged by the driver's state machines before it is sent
 */
#include <string.h>

#include "gpu.h"

bool parse_rect(const char *text, struct vt_vgpu_rect *rect)
{
    char part[2][12];
    uint64_t x, y;

    for (unsigned i = 0; i < 2; i++) {
        unsigned n = 0;

        while (*text && *text != ',' && n < sizeof(part[i]) - 1) {
            part[i][n++] = *text++;
        }
        part[i][n] = 0;
        if (*text++ != ',') {
            return false;
        }
    }
    if (!parse_number(part[0], UINT32_MAX, &x) || !parse_number(part[1], UINT32_MAX, &y) ||
        !parse_size(text, &rect->width, &rect->height)) {
        return false;
    }
    rect->x = (uint32_t)x;
    rect->y = (uint32_t)y;
    return true;
}

static bool number(const struct card_words *w, unsigned i, uint32_t *value)
{
    uint64_t v;

    if (i >= w->n || !parse_number(w->word[i], UINT32_MAX, &v)) {
        return false;
    }
    *value = (uint32_t)v;
    return true;
}

static bool misread(void)
{
    return script_fail("not understood");
}

/* ---------------------------------------------------------------- settings */

static const struct {
    const char *name;
    uint64_t *value;
    uint64_t most;
} numbers[] = {
    {"buffers", &settings.buffers, 2},
    {"device", &settings.device, 63},
    {"features_off", &settings.features_off, UINT64_MAX},
    {"first_id", &settings.first_id, UINT32_MAX - 64},
    {"in_flight", &settings.in_flight, 65535},
    {"log_bytes", &settings.log_bytes, 1u << 30},
    {"queue", &settings.queue, 32768},
    {"retries", &settings.retries, 1000},
    {"scanout", &settings.scanout, VT_VGPU_SCANOUTS_MAX - 1},
    {"timeout_ms", &settings.timeout_ms, 3600000},
};
static const struct {
    const char *name, *value;
    bool *set, to;
} choices[] = {
    {"bus", "any", &settings.pci_only, false},   {"bus", "pci", &settings.pci_only, true},
    {"display", "ramfb", &settings.ramfb, true}, {"display", "virtio-gpu", &settings.ramfb, false},
    {"log", "ram", &settings.log_text, false},   {"log", "serial", &settings.log_text, true},
    {"sleep", "no", &settings.sleep, false},     {"sleep", "yes", &settings.sleep, true},
    {"wait", "no", &settings.wait, false},       {"wait", "yes", &settings.wait, true},
};

static bool word_set(const struct card_words *w)
{
    if (w->n != 2) {
        return misread();
    }
    for (unsigned i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++) {
        if (same_text(w->word[0], numbers[i].name)) {
            return parse_number(w->word[1], numbers[i].most, numbers[i].value) || misread();
        }
    }
    for (unsigned i = 0; i < sizeof(choices) / sizeof(choices[0]); i++) {
        if (same_text(w->word[0], choices[i].name) && same_text(w->word[1], choices[i].value)) {
            *choices[i].set = choices[i].to;
            return true;
        }
    }
    return misread();
}

/* ---------------------------------------------------------------- the driver as a whole */

static bool report_state(void)
{
    const struct vt_vgpu_stats *s = vt_vgpu_driver_stats(gpu.driver);

    report_begin("state");
    report_text("state", vt_vgpu_state_name(vt_vgpu_driver_state(gpu.driver)));
    report_text("fault", vt_vgpu_driver_fault(gpu.driver));
    report_number("submitted", s->submitted);
    report_number("answered", s->answered);
    report_number("failed", s->failed);
    report_number("timed_out", s->timed_out);
    report_number("retried", s->retried);
    report_number("refused", s->refused);
    report_number("notifications", s->notifications);
    report_number("interrupts", s->interrupts);
    report_number("resets", s->resets);
    report_number("in_flight", s->in_flight);
    report_number("most_in_flight", s->most_in_flight);
    report_number("resources", s->resources);
    report_end();
    return true;
}

static void report_displays(void)
{
    for (uint32_t i = 0; i < vt_vgpu_driver_scanouts(gpu.driver); i++) {
        const struct vt_vgpu_display_info *info = vt_vgpu_display_info(gpu.driver, i);

        if (!info) {
            continue;
        }
        report_begin("display");
        report_number("scanout", i);
        report_truth("enabled", info->enabled);
        report_number("x", info->rect.x);
        report_number("y", info->rect.y);
        report_number("width", info->rect.width);
        report_number("height", info->rect.height);
        report_text("monitor", info->name);
        report_number("modes", info->n_modes);
        for (uint32_t m = 0; m < info->n_modes; m++) {
            if (info->modes[m].preferred) {
                report_number("preferred_width", info->modes[m].width);
                report_number("preferred_height", info->modes[m].height);
                break;
            }
        }
        report_end();
    }
}

static bool word_gpu(const struct card_words *w)
{
    const char *what = w->n > 0 ? w->word[0] : "up";

    if (w->n > 1) {
        return misread();
    }
    if (same_text(what, "down")) {
        gpu_down();
        return true;
    }
    if (!gpu_need()) {
        return false;
    }
    if (same_text(what, "up")) {
        return true;
    }
    if (same_text(what, "state")) {
        return report_state();
    }
    if (same_text(what, "start")) {
        int rc = vt_vgpu_driver_start(gpu.driver);

        report_begin("start");
        report_text("outcome", vt_virtio_code_name(rc));
        report_text("state", vt_vgpu_state_name(vt_vgpu_driver_state(gpu.driver)));
        report_end();
        return true;
    }
    if (same_text(what, "drain")) {
        gpu_wait();
        return true;
    }
    if (same_text(what, "displays")) {
        gpu_ask_displays();
        report_displays();
        return true;
    }
    return misread();
}

/* ---------------------------------------------------------------- resources and their memory */

struct card_memory scratch;

static struct picture {
    uint32_t id;
    struct vt_surface surface;
    uint64_t address;
} pictures[16];

void pictures_forget(void)
{
    memset(pictures, 0, sizeof(pictures));
    scratch = (struct card_memory){0};
}

static struct picture *picture(uint32_t id)
{
    for (unsigned i = 0; i < sizeof(pictures) / sizeof(pictures[0]); i++) {
        if (pictures[i].id == id) {
            return &pictures[i];
        }
    }
    return NULL;
}

static bool word_memory(const struct card_words *w)
{
    uint64_t bytes, address = 0;
    uint8_t *taken;

    if (w->n != 1 || !parse_number(w->word[0], UINT32_MAX, &bytes)) {
        return misread();
    }
    if (!gpu_need()) {
        return false;
    }
    taken = vt_virtio_arena_take(&gpu.arena, bytes, 4096, &address);
    if (!taken) {
        return script_fail("not enough RAM");
    }
    scratch = (struct card_memory){taken, address, bytes};
    report_begin("memory");
    report_address("address", address);
    report_number("bytes", bytes);
    report_end();
    return true;
}

static bool word_create(const struct card_words *w)
{
    uint32_t id, width, height, format = 2;
    struct picture *p;
    void *ask;

    if (w->n < 2 || w->n > 3 || !number(w, 0, &id) || !parse_size(w->word[1], &width, &height) ||
        (w->n == 3 && !number(w, 2, &format))) {
        return misread();
    }
    if (!gpu_need()) {
        return false;
    }
    p = picture(id);
    p = p ? p : picture(0);
    if (!p) {
        return script_fail("too many resources");
    }
    *p = (struct picture){.id = id, .surface = {NULL, width, height, width}};
    ask = gpu_ask("create");
    return gpu_sent(
        vt_vgpu_resource_create(gpu.driver, id, format, width, height, gpu_answered, ask), ask);
}

static bool word_back(const struct card_words *w)
{
    static struct vt_virtio_piece pieces[256];
    uint32_t id, n = 1;
    uint64_t bytes, one;
    struct picture *p;
    void *ask;

    if (w->n < 1 || w->n > 2 || !number(w, 0, &id) || (w->n == 2 && !number(w, 1, &n)) || n < 1 ||
        n > 256) {
        return misread();
    }
    p = id ? picture(id) : NULL;
    if (!p || !gpu_need()) {
        return script_fail("no such resource was created here");
    }
    bytes = (uint64_t)p->surface.width * p->surface.height * 4;
    if (!p->surface.pixels) {
        p->surface.pixels =
            vt_virtio_arena_take(&gpu.arena, bytes ? bytes : 4096, 4096, &p->address);
    }
    if (!p->surface.pixels) {
        return script_fail("not enough RAM");
    }
    one = bytes / n & ~(uint64_t)15;
    for (uint32_t i = 0; i < n; i++) {
        pieces[i].device = p->address + i * one;
        pieces[i].bytes = (uint32_t)(i + 1 < n ? one : bytes - i * one);
    }
    ask = gpu_ask("back");
    return gpu_sent(vt_vgpu_resource_back(gpu.driver, id, pieces, n, gpu_answered, ask), ask);
}

static bool word_paint(const struct card_words *w)
{
    uint32_t id, colour;
    struct picture *p;

    if (w->n < 1 || w->n > 2 || !number(w, 0, &id)) {
        return misread();
    }
    p = id ? picture(id) : NULL;
    if (!p || !p->surface.pixels) {
        return script_fail("it has no memory here");
    }
    if (w->n == 2 && number(w, 1, &colour)) {
        vt_surface_fill(&p->surface,
                        &(struct vt_vgpu_rect){0, 0, p->surface.width, p->surface.height}, colour);
    } else {
        vt_surface_test_card(&p->surface, w->n == 2 ? w->word[1] : "");
    }
    report_begin("picture");
    report_number("id", id);
    report_address("address", p->address);
    report_number("width", p->surface.width);
    report_number("height", p->surface.height);
    report_end();
    return true;
}

/* Statements of one resource and nothing else. */
static bool one_resource(const struct card_words *w, const char *name,
                         int (*send)(struct vt_vgpu_driver *d, uint32_t id, vt_vgpu_done_fn *done,
                                     void *arg))
{
    uint32_t id;
    void *ask;

    if (w->n != 1 || !number(w, 0, &id)) {
        return misread();
    }
    if (!gpu_need()) {
        return false;
    }
    ask = gpu_ask(name);
    return gpu_sent(send(gpu.driver, id, gpu_answered, ask), ask);
}

static bool word_unback(const struct card_words *w)
{
    return one_resource(w, "unback", vt_vgpu_resource_unback);
}

static bool word_destroy(const struct card_words *w)
{
    return one_resource(w, "destroy", vt_vgpu_resource_destroy);
}

static bool word_show(const struct card_words *w)
{
    struct vt_vgpu_rect rect = {0, 0, 0, 0};
    uint32_t scanout, id;
    void *ask;

    if (w->n < 2 || w->n > 3 || !number(w, 0, &scanout) || !number(w, 1, &id) ||
        (w->n == 3 && !parse_rect(w->word[2], &rect))) {
        return misread();
    }
    if (!gpu_need()) {
        return false;
    }
    ask = gpu_ask("show");
    return gpu_sent(vt_vgpu_set_scanout(gpu.driver, scanout, id, &rect, gpu_answered, ask), ask);
}

/* ID X,Y,WxH [FENCE] */
static bool rectangle(const struct card_words *w, bool transfer)
{
    struct vt_vgpu_rect rect;
    const struct picture *p;
    uint32_t id, fence = 0;
    uint64_t offset;
    void *ask;

    if (w->n < 2 || w->n > 3 || !number(w, 0, &id) || !parse_rect(w->word[1], &rect) ||
        (w->n == 3 && !number(w, 2, &fence))) {
        return misread();
    }
    if (!gpu_need()) {
        return false;
    }
    ask = gpu_ask(transfer ? "transfer" : "flush");
    if (!transfer) {
        return gpu_sent(vt_vgpu_flush(gpu.driver, id, &rect, fence, gpu_answered, ask), ask);
    }
    p = id ? picture(id) : NULL;
    offset = p ? ((uint64_t)rect.y * p->surface.stride + rect.x) * 4 : 0;
    return gpu_sent(vt_vgpu_transfer(gpu.driver, id, &rect, offset, fence, gpu_answered, ask), ask);
}

static bool word_transfer(const struct card_words *w)
{
    return rectangle(w, true);
}

static bool word_flush(const struct card_words *w)
{
    return rectangle(w, false);
}

static bool word_cursor(const struct card_words *w)
{
    uint32_t scanout, id, x, y, hot_x = 0, hot_y = 0;
    void *ask;

    if ((w->n != 4 && w->n != 6) || !number(w, 0, &scanout) || !number(w, 1, &id) ||
        !number(w, 2, &x) || !number(w, 3, &y) ||
        (w->n == 6 && (!number(w, 4, &hot_x) || !number(w, 5, &hot_y)))) {
        return misread();
    }
    if (!gpu_need()) {
        return false;
    }
    ask = gpu_ask("cursor");
    return gpu_sent(
        vt_vgpu_cursor_set(gpu.driver, scanout, id, x, y, hot_x, hot_y, gpu_answered, ask), ask);
}

static bool word_move(const struct card_words *w)
{
    uint32_t scanout, x, y;
    void *ask;

    if (w->n != 3 || !number(w, 0, &scanout) || !number(w, 1, &x) || !number(w, 2, &y)) {
        return misread();
    }
    if (!gpu_need()) {
        return false;
    }
    ask = gpu_ask("move");
    return gpu_sent(vt_vgpu_cursor_move(gpu.driver, scanout, x, y, gpu_answered, ask), ask);
}

const struct card_statement driver_statements[] = {
    {"back", "back ID [PIECES]", word_back},
    {"create", "create ID WxH [FORMAT]", word_create},
    {"cursor", "cursor SCANOUT ID X Y [HOT_X HOT_Y]", word_cursor},
    {"destroy", "destroy ID", word_destroy},
    {"flush", "flush ID X,Y,WxH [FENCE]", word_flush},
    {"gpu", "gpu [up|down|start|state|displays|drain]", word_gpu},
    {"memory", "memory BYTES", word_memory},
    {"move", "move SCANOUT X Y", word_move},
    {"paint", "paint ID [0xRRGGBB|LABEL]", word_paint},
    {"set", "set NAME VALUE", word_set},
    {"show", "show SCANOUT ID [X,Y,WxH]", word_show},
    {"transfer", "transfer ID X,Y,WxH [FENCE]", word_transfer},
    {"unback", "unback ID", word_unback},
    {NULL, NULL, NULL},
};
