/* tests/unit/virtio/gpu_model.c - a virtio-gpu for tests. */
#include "tests/unit/virtio/gpu_model.h"

#include "virtio/gpu/protocol/commands.h"

#include <stdlib.h>
#include <string.h>

enum { RULES = 8, LAST_BYTES = 256, ENTRIES = 1024, ANSWER = 2048, HELD = 64 };

struct rule {
    uint32_t type;
    unsigned after, times;
    bool always;
    enum vt_vgpu_model_wrong wrong;
    uint32_t value;
};

struct resource {
    struct vt_vgpu_model_resource seen;
    struct vt_vgpu_memory_entry entries[ENTRIES];
};

struct held {
    const struct vt_model_buffer *buffer;
    uint8_t answer[ANSWER];
    uint32_t bytes;
};

struct vt_vgpu_model {
    struct vt_model *device;
    struct vt_vgpu_model_config config;
    struct vt_vgpu_config_space space;
    struct vt_vgpu_display_one displays[VT_VGPU_SCANOUTS_MAX];
    struct resource resources[VT_VGPU_MODEL_RESOURCES];
    struct vt_vgpu_model_scanout scanouts[VT_VGPU_SCANOUTS_MAX];
    uint32_t commands[VT_VGPU_MODEL_COMMANDS], n_commands;
    uint8_t last[LAST_BYTES];
    uint32_t last_bytes;
    struct rule rules[RULES];
    unsigned n_rules;
    struct held held[HELD];
    unsigned resets_seen;
};

/* ---------------------------------------------------------------- what commands do */

static struct resource *find(struct vt_vgpu_model *g, uint32_t id)
{
    for (unsigned i = 0; i < VT_VGPU_MODEL_RESOURCES; i++) {
        if (id != 0 && g->resources[i].seen.id == id) {
            return &g->resources[i];
        }
    }
    return NULL;
}

static void drop(struct vt_vgpu_model *g, struct resource *r)
{
    for (unsigned i = 0; i < VT_VGPU_SCANOUTS_MAX; i++) {
        if (g->scanouts[i].resource == r->seen.id) {
            g->scanouts[i].resource = 0;
        }
    }
    free(r->seen.pixels);
    memset(&r->seen, 0, sizeof(r->seen));
}

static bool inside(const struct vt_vgpu_rect *rect, const struct resource *r)
{
    return (uint64_t)rect->x + rect->width <= r->seen.width &&
           (uint64_t)rect->y + rect->height <= r->seen.height;
}

static uint32_t create(struct vt_vgpu_model *g, const void *request)
{
    struct vt_vgpu_resource_create_2d c;
    memcpy(&c, request, sizeof(c));
    if (c.resource_id == 0 || find(g, c.resource_id) != NULL) {
        return VT_VGPU_RESP_ERR_INVALID_RESOURCE_ID;
    }
    if (c.width == 0 || c.height == 0 || c.width > VT_VGPU_MODEL_SIDE ||
        c.height > VT_VGPU_MODEL_SIDE ||
        vt_vgpu_value_name(&(struct vt_vgpu_field){.names = vt_vgpu_formats}, c.format) == NULL) {
        return VT_VGPU_RESP_ERR_INVALID_PARAMETER;
    }
    for (unsigned i = 0; i < VT_VGPU_MODEL_RESOURCES; i++) {
        struct vt_vgpu_model_resource *r = &g->resources[i].seen;
        if (r->id == 0) {
            *r = (struct vt_vgpu_model_resource){
                .id = c.resource_id, .format = c.format, .width = c.width, .height = c.height};
            r->pixels = calloc((size_t)c.width * c.height, 4);
            return VT_VGPU_RESP_OK_NODATA;
        }
    }
    return VT_VGPU_RESP_ERR_OUT_OF_MEMORY;
}

static uint32_t attach(struct vt_vgpu_model *g, const void *request, uint32_t bytes)
{
    struct vt_vgpu_resource_attach_backing c;
    memcpy(&c, request, sizeof(c));
    struct resource *r = find(g, c.resource_id);
    if (r == NULL) {
        return VT_VGPU_RESP_ERR_INVALID_RESOURCE_ID;
    }
    if (r->seen.n_entries != 0 || c.nr_entries == 0 || c.nr_entries > ENTRIES ||
        bytes < sizeof(c) + c.nr_entries * sizeof(r->entries[0])) {
        return VT_VGPU_RESP_ERR_UNSPEC;
    }
    memcpy(r->entries, (const uint8_t *)request + sizeof(c), c.nr_entries * sizeof(r->entries[0]));
    for (uint32_t i = 0; i < c.nr_entries; i++) {
        if (vt_model_at(g->device, r->entries[i].addr, r->entries[i].length) == NULL) {
            return VT_VGPU_RESP_ERR_UNSPEC;
        }
    }
    r->seen.n_entries = c.nr_entries;
    return VT_VGPU_RESP_OK_NODATA;
}

/* One pixel from the backing memory; nothing where there is none, as QEMU. */
static void fetch(struct vt_vgpu_model *g, const struct resource *r, uint64_t at, uint32_t *pixel)
{
    uint8_t *to = (uint8_t *)pixel;
    for (unsigned byte = 0; byte < 4; byte++) {
        uint64_t left = at + byte;
        for (uint32_t i = 0; i < r->seen.n_entries; i++) {
            if (left < r->entries[i].length) {
                to[byte] = *(uint8_t *)vt_model_at(g->device, r->entries[i].addr + left, 1);
                break;
            }
            left -= r->entries[i].length;
        }
    }
}

static uint32_t transfer(struct vt_vgpu_model *g, const void *request)
{
    struct vt_vgpu_transfer_to_host_2d c;
    memcpy(&c, request, sizeof(c));
    struct resource *r = find(g, c.resource_id);
    if (r == NULL) {
        return VT_VGPU_RESP_ERR_INVALID_RESOURCE_ID;
    }
    if (r->seen.n_entries == 0 || !inside(&c.rect, r)) {
        return VT_VGPU_RESP_ERR_INVALID_PARAMETER;
    }
    for (uint32_t y = 0; y < c.rect.height; y++) {
        for (uint32_t x = 0; x < c.rect.width; x++) {
            fetch(g, r, c.offset + ((uint64_t)y * r->seen.width + x) * 4,
                  &r->seen.pixels[(size_t)(c.rect.y + y) * r->seen.width + c.rect.x + x]);
        }
    }
    r->seen.transfers++;
    return VT_VGPU_RESP_OK_NODATA;
}

static uint32_t set_scanout(struct vt_vgpu_model *g, const void *request)
{
    struct vt_vgpu_set_scanout c;
    memcpy(&c, request, sizeof(c));
    if (c.scanout_id >= g->config.scanouts || c.scanout_id >= VT_VGPU_SCANOUTS_MAX) {
        return VT_VGPU_RESP_ERR_INVALID_SCANOUT_ID;
    }
    struct resource *r = find(g, c.resource_id);
    if (c.resource_id != 0 && r == NULL) {
        return VT_VGPU_RESP_ERR_INVALID_RESOURCE_ID;
    }
    if (r != NULL && (c.rect.width < 16 || c.rect.height < 16 || !inside(&c.rect, r))) {
        return VT_VGPU_RESP_ERR_INVALID_PARAMETER;
    }
    g->scanouts[c.scanout_id].resource = c.resource_id;
    g->scanouts[c.scanout_id].rect = c.rect;
    return VT_VGPU_RESP_OK_NODATA;
}

static uint32_t flush(struct vt_vgpu_model *g, const void *request)
{
    struct vt_vgpu_resource_flush c;
    memcpy(&c, request, sizeof(c));
    struct resource *r = find(g, c.resource_id);
    if (r == NULL) {
        return VT_VGPU_RESP_ERR_INVALID_RESOURCE_ID;
    }
    if (!inside(&c.rect, r)) {
        return VT_VGPU_RESP_ERR_INVALID_PARAMETER;
    }
    r->seen.flushes++;
    return VT_VGPU_RESP_OK_NODATA;
}

static uint32_t by_id(struct vt_vgpu_model *g, const void *request, uint32_t type)
{
    struct vt_vgpu_resource_unref c;
    memcpy(&c, request, sizeof(c));
    struct resource *r = find(g, c.resource_id);
    if (r == NULL) {
        return VT_VGPU_RESP_ERR_INVALID_RESOURCE_ID;
    }
    if (type == VT_VGPU_CMD_RESOURCE_DETACH_BACKING && r->seen.n_entries == 0) {
        return VT_VGPU_RESP_ERR_UNSPEC;
    }
    r->seen.n_entries = 0;
    if (type == VT_VGPU_CMD_RESOURCE_UNREF) {
        drop(g, r);
    }
    return VT_VGPU_RESP_OK_NODATA;
}

static void cursor(struct vt_vgpu_model *g, const void *request, uint32_t type)
{
    struct vt_vgpu_update_cursor c;
    memcpy(&c, request, sizeof(c));
    if (c.scanout_id < VT_VGPU_SCANOUTS_MAX) {
        struct vt_vgpu_model_scanout *s = &g->scanouts[c.scanout_id];
        s->cursor = type == VT_VGPU_CMD_UPDATE_CURSOR ? c.resource_id : s->cursor;
        s->cursor_x = c.x;
        s->cursor_y = c.y;
    }
}

static void edid(struct vt_vgpu_model *g, const void *request, uint8_t *answer, uint32_t *bytes)
{
    struct vt_vgpu_get_edid c;
    memcpy(&c, request, sizeof(c));
    struct vt_vgpu_resp_edid a = {.header.type = VT_VGPU_RESP_OK_EDID,
                                  .size = g->config.edid_bytes};
    if (c.scanout >= g->config.scanouts || g->config.edid == NULL) {
        a.header.type = VT_VGPU_RESP_ERR_INVALID_PARAMETER;
        memcpy(answer, &a, sizeof(a.header));
        return;
    }
    memcpy(a.edid, g->config.edid, a.size < sizeof(a.edid) ? a.size : sizeof(a.edid));
    memcpy(answer, &a, sizeof(a));
    *bytes = sizeof(a);
}

/* `answer` has ANSWER zeroed bytes. */
static uint32_t execute(struct vt_vgpu_model *g, const struct vt_model_buffer *b,
                        const struct vt_vgpu_header *header, uint8_t *answer)
{
    uint32_t bytes = sizeof(*header), type = VT_VGPU_RESP_ERR_UNSPEC;
    const struct vt_vgpu_message *message = NULL;
    uint32_t elements = 0;
    enum vt_vgpu_verdict verdict = vt_vgpu_check_request(b->out, b->out_bytes, &message, &elements);
    if (verdict != VT_VGPU_WELL && verdict != VT_VGPU_LONG) {
        memcpy(answer, &type, sizeof(type));
        return bytes;
    }
    switch (header->type) {
    case VT_VGPU_CMD_GET_DISPLAY_INFO:
        type = VT_VGPU_RESP_OK_DISPLAY_INFO;
        memcpy(answer + sizeof(*header), g->displays, sizeof(g->displays));
        bytes += (uint32_t)sizeof(g->displays);
        break;
    case VT_VGPU_CMD_GET_EDID:
        edid(g, b->out, answer, &bytes);
        memcpy(&type, answer, sizeof(type));
        break;
    case VT_VGPU_CMD_RESOURCE_CREATE_2D:
        type = create(g, b->out);
        break;
    case VT_VGPU_CMD_RESOURCE_ATTACH_BACKING:
        type = attach(g, b->out, b->out_bytes);
        break;
    case VT_VGPU_CMD_RESOURCE_DETACH_BACKING:
    case VT_VGPU_CMD_RESOURCE_UNREF:
        type = by_id(g, b->out, header->type);
        break;
    case VT_VGPU_CMD_SET_SCANOUT:
        type = set_scanout(g, b->out);
        break;
    case VT_VGPU_CMD_TRANSFER_TO_HOST_2D:
        type = transfer(g, b->out);
        break;
    case VT_VGPU_CMD_RESOURCE_FLUSH:
        type = flush(g, b->out);
        break;
    case VT_VGPU_CMD_UPDATE_CURSOR:
    case VT_VGPU_CMD_MOVE_CURSOR:
        cursor(g, b->out, header->type);
        return 0;
    default:
        break;
    }
    memcpy(answer, &type, sizeof(type));
    return bytes;
}

/* ---------------------------------------------------------------- answering */

static const struct rule *rule_for(struct vt_vgpu_model *g, uint32_t type)
{
    for (unsigned i = 0; i < g->n_rules; i++) {
        struct rule *r = &g->rules[i];
        if ((r->type != 0 && r->type != type) || (!r->always && r->times == 0)) {
            continue;
        }
        if (r->after > 0) {
            r->after--;
            continue;
        }
        r->times -= !r->always;
        return r;
    }
    return NULL;
}

static void hold(struct vt_vgpu_model *g, const struct vt_model_buffer *b, const uint8_t *answer,
                 uint32_t bytes)
{
    for (unsigned i = 0; i < HELD; i++) {
        if (g->held[i].buffer == NULL) {
            g->held[i].buffer = b;
            memcpy(g->held[i].answer, answer, bytes);
            g->held[i].bytes = bytes;
            return;
        }
    }
}

static void answer_wrongly(struct vt_vgpu_model *g, struct vt_model_buffer *b,
                           const struct rule *rule, uint8_t *answer, uint32_t bytes)
{
    struct vt_vgpu_header header;
    memcpy(&header, answer, sizeof(header));
    uint16_t queue = b->queue, id = b->id;
    uint32_t value = rule->value;
    switch (rule->wrong) {
    case VT_VGPU_MODEL_HOLDS:
        hold(g, b, answer, bytes);
        return;
    case VT_VGPU_MODEL_ERROR:
        bytes = sizeof(header);
        header.type = value;
        break;
    case VT_VGPU_MODEL_TYPE:
        header.type = value;
        break;
    case VT_VGPU_MODEL_CUT:
        bytes = value;
        break;
    case VT_VGPU_MODEL_SAYS:
        vt_model_return_lying(b, answer, bytes, id, value);
        return;
    case VT_VGPU_MODEL_FENCE:
        header.flags |= VT_VGPU_FLAG_FENCE;
        header.fence_id = value;
        break;
    case VT_VGPU_MODEL_NO_FENCE:
        header.flags = 0;
        header.fence_id = 0;
        break;
    case VT_VGPU_MODEL_CONTEXT:
        header.ctx_id = value;
        break;
    case VT_VGPU_MODEL_TWICE:
        vt_model_return(b, answer, bytes);
        vt_model_return_unknown(g->device, queue, id, bytes);
        return;
    case VT_VGPU_MODEL_UNKNOWN:
        vt_model_return_unknown(g->device, queue, value, bytes);
        return;
    case VT_VGPU_MODEL_JUMPS:
        vt_model_jump(g->device, queue, (uint16_t)value);
        return;
    case VT_VGPU_MODEL_BREAKS:
        vt_model_break(g->device);
        return;
    case VT_VGPU_MODEL_RESETS: {
        const struct vt_virtio_bus *bus = vt_model_bus(g->device);
        bus->mmio_write(bus->arg, VT_MODEL_MMIO + 0x70, 4, 0);
        return;
    }
    }
    memcpy(answer, &header, sizeof(header));
    vt_model_return(b, answer, bytes);
}

/* A reset by the driver, or by itself, takes everything away. */
static void see_resets(struct vt_vgpu_model *g)
{
    unsigned resets = vt_model_counts(g->device)->resets;
    if (resets != g->resets_seen) {
        g->resets_seen = resets;
        for (unsigned i = 0; i < VT_VGPU_MODEL_RESOURCES; i++) {
            drop(g, &g->resources[i]);
        }
        memset(g->scanouts, 0, sizeof(g->scanouts));
        memset(g->held, 0, sizeof(g->held));
    }
}

static void serve(struct vt_model_buffer *b, void *arg)
{
    struct vt_vgpu_model *g = arg;
    uint8_t answer[ANSWER] = {0};
    struct vt_vgpu_header header = {0};
    see_resets(g);
    memcpy(&header, b->out, b->out_bytes < sizeof(header) ? b->out_bytes : sizeof(header));
    if (g->n_commands < VT_VGPU_MODEL_COMMANDS) {
        g->commands[g->n_commands++] = header.type;
    }
    g->last_bytes = b->out_bytes < LAST_BYTES ? b->out_bytes : LAST_BYTES;
    memcpy(g->last, b->out, g->last_bytes);

    const struct rule *rule = rule_for(g, header.type);
    uint32_t bytes = sizeof(header);
    if (rule == NULL || rule->wrong != VT_VGPU_MODEL_ERROR) {
        bytes = execute(g, b, &header, answer);
    }
    struct vt_vgpu_header fenced;
    memcpy(&fenced, answer, sizeof(fenced));
    if ((header.flags & VT_VGPU_FLAG_FENCE) != 0) {
        fenced.flags = VT_VGPU_FLAG_FENCE;
        fenced.fence_id = header.fence_id;
        fenced.ctx_id = header.ctx_id;
    }
    memcpy(answer, &fenced, sizeof(fenced));
    if (rule != NULL) {
        answer_wrongly(g, b, rule, answer, bytes);
    } else {
        vt_model_return(b, answer, bytes < b->in_bytes ? bytes : b->in_bytes);
    }
}

/* ---------------------------------------------------------------- for tests */

struct vt_vgpu_model *vt_vgpu_model_create(const struct vt_vgpu_model_config *config)
{
    struct vt_vgpu_model *g = calloc(1, sizeof(*g));
    g->config = *config;
    g->space.num_scanouts = config->scanouts;
    for (unsigned i = 0; i < VT_VGPU_SCANOUTS_MAX && i < config->scanouts; i++) {
        g->displays[i] = (struct vt_vgpu_display_one){
            .rect = {.x = i * 1280, .width = 1280, .height = 800}, .enabled = i == 0};
    }
    const struct vt_model_config device = {
        .id = 16,
        .features = config->features,
        .queues = 2,
        .queue_max = config->queue_max != 0 ? config->queue_max : 64,
        .config = &g->space,
        .config_bytes = sizeof(g->space),
        .ram_bytes = config->ram_bytes != 0 ? config->ram_bytes : (size_t)8 << 20,
        .serve = serve,
        .arg = g,
    };
    g->device = vt_model_create(&device);
    return g;
}

void vt_vgpu_model_destroy(struct vt_vgpu_model *g)
{
    for (unsigned i = 0; g != NULL && i < VT_VGPU_MODEL_RESOURCES; i++) {
        drop(g, &g->resources[i]);
    }
    if (g != NULL) {
        vt_model_destroy(g->device);
    }
    free(g);
}

struct vt_model *vt_vgpu_model_device(struct vt_vgpu_model *g)
{
    return g->device;
}

const struct vt_vgpu_model_resource *vt_vgpu_model_resource(const struct vt_vgpu_model *g,
                                                            uint32_t id)
{
    for (unsigned i = 0; i < VT_VGPU_MODEL_RESOURCES; i++) {
        if (id != 0 && g->resources[i].seen.id == id) {
            return &g->resources[i].seen;
        }
    }
    return NULL;
}

const struct vt_vgpu_model_scanout *vt_vgpu_model_scanout(const struct vt_vgpu_model *g,
                                                          uint32_t scanout)
{
    return &g->scanouts[scanout];
}

void vt_vgpu_model_resize(struct vt_vgpu_model *g, uint32_t scanout, bool enabled, uint32_t width,
                          uint32_t height)
{
    g->displays[scanout].enabled = enabled;
    g->displays[scanout].rect.width = width;
    g->displays[scanout].rect.height = height;
    const uint32_t events = VT_VGPU_EVENT_DISPLAY;
    vt_model_change_config(g->device, 0, &events, sizeof(events));
}

uint32_t vt_vgpu_model_commands(const struct vt_vgpu_model *g)
{
    return g->n_commands;
}

uint32_t vt_vgpu_model_command(const struct vt_vgpu_model *g, uint32_t i)
{
    return i < g->n_commands ? g->commands[i] : 0;
}

const void *vt_vgpu_model_last(const struct vt_vgpu_model *g, uint32_t *bytes)
{
    *bytes = g->last_bytes;
    return g->last;
}

void vt_vgpu_model_rule(struct vt_vgpu_model *g, uint32_t type, unsigned after, unsigned times,
                        enum vt_vgpu_model_wrong wrong, uint32_t value)
{
    if (g->n_rules < RULES) {
        g->rules[g->n_rules++] = (struct rule){.type = type,
                                               .after = after,
                                               .times = times,
                                               .always = times == 0,
                                               .wrong = wrong,
                                               .value = value};
    }
}

void vt_vgpu_model_behave(struct vt_vgpu_model *g)
{
    g->n_rules = 0;
}

bool vt_vgpu_model_release(struct vt_vgpu_model *g, enum vt_vgpu_queue queue, unsigned i)
{
    struct vt_model_buffer *b = vt_model_pending(g->device, (uint16_t)queue, i);
    for (unsigned h = 0; b != NULL && h < HELD; h++) {
        if (g->held[h].buffer == b) {
            g->held[h].buffer = NULL;
            vt_model_return(b, g->held[h].answer,
                            g->held[h].bytes < b->in_bytes ? g->held[h].bytes : b->in_bytes);
            return true;
        }
    }
    return false;
}
