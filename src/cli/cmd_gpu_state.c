/* cli/cmd_gpu_state.c - `vitrine gpu state`: a VM's GPUs as QEMU tells of them, what their screens
 * show, and what a driver has made of them.
 *
 *   queues               of every virtio-gpu: where they lie, how far the device has come
 *   screens              of every display device, with the size of what they show
 *   resources, scanouts  worked out from commands: of a recording, or of the log that a driver of
 *                        ours keeps in RAM
 */
#include "cli/vm.h"

#include "base/cell.h"
#include "base/io.h"
#include "base/paths.h"
#include "gpu/driver_log.h"
#include "gpu/queues.h"
#include "gpu/resources.h"
#include "gpu/vm_gpu.h"
#include "machine/qmp.h"
#include "virtio/gpu/protocol/formats.h"
#include "vitrine/memory.h"

#include <ctype.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* ---------------------------------------------------------------- what is shown */

struct queue_row {
    char device[64];
    const char *queue, *ring;
    uint64_t size, desc, driver, used, taken, returned;
};
#define QUEUE(member, kind, key, title, doc) {VT_COLUMN(queue_row, member, kind, key, title, doc)}
static const struct vt_column queue_columns[] = {
    QUEUE(device, VT_CELL_CHARS, "device", "DEVICE", "its id, or QEMU's path of it"),
    QUEUE(queue, VT_CELL_TEXT, "queue", "QUEUE", "control or cursor"),
    QUEUE(ring, VT_CELL_TEXT, "ring", "RING", "split or packed; none: not set up"),
    QUEUE(size, VT_CELL_U64, "size", "SIZE", "descriptors"),
    QUEUE(desc, VT_CELL_HEX, "descriptors", "DESCRIPTORS", "where they lie, guest-physically"),
    QUEUE(driver, VT_CELL_HEX, "driver_area", "DRIVER", "the driver's ring or events"),
    QUEUE(used, VT_CELL_HEX, "device_area", "DEVICE'S", "the device's ring or events"),
    QUEUE(taken, VT_CELL_U64, "taken", "TAKEN", "buffers the device has taken, as its ring counts"),
    QUEUE(returned, VT_CELL_U64, "returned", "RETURNED", "and given back"),
};

struct screen_row {
    char device[160];
    uint64_t head, width, height;
};
#define SCREEN(member, kind, key, title, doc) {VT_COLUMN(screen_row, member, kind, key, title, doc)}
static const struct vt_column screen_columns[] = {
    SCREEN(device, VT_CELL_CHARS, "device", "DEVICE", "its id, or QEMU's path of it"),
    SCREEN(head, VT_CELL_U64, "head", "HEAD", "of the device: a virtio-gpu's scanout"),
    SCREEN(width, VT_CELL_U64, "width", "WIDTH",
           "of what it shows; QEMU says so where that is nothing"),
    SCREEN(height, VT_CELL_U64, "height", "HEIGHT", "in pixels"),
};

struct resource_row {
    uint64_t id, width, height, entries, bytes, transfers, flushes, sequence;
    const char *kind, *format;
    bool backed, doubtful;
};
#define RESOURCE(member, kind, key, title, doc)                                                    \
    {VT_COLUMN(resource_row, member, kind, key, title, doc)}
static const struct vt_column resource_columns[] = {
    RESOURCE(id, VT_CELL_U64, "resource", "RESOURCE", "its number, the driver's choice"),
    RESOURCE(kind, VT_CELL_TEXT, "kind", "KIND", "2d, 3d, blob; unknown: made before the commands"),
    RESOURCE(format, VT_CELL_TEXT, "format", "FORMAT", "of a pixel"),
    {VT_COLUMN(resource_row, width, VT_CELL_U64, "width", "WIDTH", "in pixels"),
     .zero_is_none = true},
    {VT_COLUMN(resource_row, height, VT_CELL_U64, "height", "HEIGHT", "in pixels"),
     .zero_is_none = true},
    RESOURCE(backed, VT_CELL_BOOL, "backed", "BACKED", "whether it has memory of the guest's"),
    RESOURCE(entries, VT_CELL_U64, "entries", NULL, "pieces of that memory"),
    RESOURCE(bytes, VT_CELL_BYTES, "backing_bytes", "BACKING", "of that memory, or of the blob"),
    RESOURCE(transfers, VT_CELL_U64, "transfers", "TRANSFERS",
             "of the guest's bytes to the device"),
    RESOURCE(flushes, VT_CELL_U64, "flushes", "FLUSHES", "to the screen"),
    RESOURCE(sequence, VT_CELL_U64, "sequence", NULL, "number of the command that made it"),
    RESOURCE(doubtful, VT_CELL_BOOL, "doubtful", "DOUBTFUL", "commands are missing or unanswered"),
};

struct scanout_row {
    uint64_t scanout, resource, x, y, width, height, cursor, cursor_x, cursor_y;
    bool doubtful;
};
#define SCANOUT(member, kind, key, title, doc)                                                     \
    {VT_COLUMN(scanout_row, member, kind, key, title, doc)}
static const struct vt_column scanout_columns[] = {
    SCANOUT(scanout, VT_CELL_U64, "scanout", "SCANOUT", "its number"),
    {VT_COLUMN(scanout_row, resource, VT_CELL_U64, "resource", "RESOURCE",
               "what it shows; none: it is off"),
     .zero_is_none = true},
    SCANOUT(x, VT_CELL_U64, "x", "X", "of the rectangle that it shows"),
    SCANOUT(y, VT_CELL_U64, "y", "Y", "of it"),
    SCANOUT(width, VT_CELL_U64, "width", "WIDTH", "of it"),
    SCANOUT(height, VT_CELL_U64, "height", "HEIGHT", "of it"),
    {VT_COLUMN(scanout_row, cursor, VT_CELL_U64, "cursor", "CURSOR", "the cursor's resource"),
     .zero_is_none = true},
    SCANOUT(cursor_x, VT_CELL_U64, "cursor_x", NULL, "where it is"),
    SCANOUT(cursor_y, VT_CELL_U64, "cursor_y", NULL, "where it is"),
    SCANOUT(doubtful, VT_CELL_BOOL, "doubtful", "DOUBTFUL", "commands are missing or unanswered"),
};
#define N(columns) (sizeof(columns) / sizeof(columns)[0])

struct state {
    const struct vt_args *args;
    struct vt_vm *vm;
    struct vt_json_writer json;
    bool first; /* no table yet */
    struct vt_error *err;
};

/* Records as a member of the document, or as a table after an empty line. */
static int show(struct state *s, const char *key, const struct vt_column *columns, size_t n_columns,
                const void *records, size_t stride, size_t n)
{
    const char *record = records;
    if (vt_args_json(s->args)) {
        vt_json_key(&s->json, key);
        vt_json_array(&s->json);
        for (size_t i = 0; i < n; i++) {
            vt_json_object(&s->json);
            vt_json_record(&s->json, columns, (unsigned)n_columns, record + i * stride);
            vt_json_object_end(&s->json);
        }
        vt_json_array_end(&s->json);
        return 0;
    }
    if (n == 0) {
        return 0;
    }
    const struct vt_output output = {.out = stdout};
    struct vt_rows *rows;
    int rc = vt_rows_create_to(&output, NULL, columns, (unsigned)n_columns, &rows, s->err);
    if (rc != 0) {
        return rc;
    }
    printf("%s%s\n", s->first ? "" : "\n", key);
    s->first = false;
    for (size_t i = 0; i < n; i++) {
        vt_cell_record(rows, record + i * stride, (unsigned)n_columns);
    }
    return vt_rows_finish(rows) == VT_EXIT_OK ? 0 : vt_fail(s->err, VT_E_IO, "output");
}

/* ---------------------------------------------------------------- queues */

static void fill_queue(const struct vt_vgpu_device *device, unsigned i, const struct vt_ram *ram,
                       struct queue_row *row)
{
    static const char *const kinds[] = {
        [VT_VGPU_RING_NONE] = "none",
        [VT_VGPU_RING_SPLIT] = "split",
        [VT_VGPU_RING_PACKED] = "packed",
    };
    const struct vt_vgpu_ring *q = &device->queue[i];
    *row = (struct queue_row){
        .queue = i == 0 ? "control" : "cursor",
        .ring = ram != NULL ? kinds[vt_vgpu_ring_kind_of(ram, device, q)] : NULL,
        .size = q->size,
        .desc = q->desc,
        .driver = q->driver,
        .used = q->device,
        .taken = q->taken,
        .returned = q->returned,
    };
    memcpy(row->device, device->id, sizeof row->device);
}

static int show_queues(struct state *s)
{
    struct vt_qmp *qmp;
    struct vt_vgpu_device *devices;
    size_t n;
    int rc = vt_vm_qmp(s->vm, &qmp, s->err);
    if (rc != 0) {
        return rc;
    }
    rc = vt_vgpu_devices(qmp, &devices, &n, s->err);
    vt_qmp_close(qmp);
    if (rc != 0) {
        return rc;
    }
    struct queue_row rows[VT_VGPU_DEVICES_MAX * VT_VGPU_QUEUES];
    struct vt_ram *ram = NULL; /* without it the kind of a ring is unknown */
    vt_ram_open_vm(s->vm, &ram, NULL);
    for (size_t i = 0; i < n * VT_VGPU_QUEUES; i++) {
        fill_queue(&devices[i / VT_VGPU_QUEUES], i % VT_VGPU_QUEUES, ram, &rows[i]);
    }
    vt_ram_close(ram);
    free(devices);
    return show(s, "queues", queue_columns, N(queue_columns), rows, sizeof rows[0],
                n * VT_VGPU_QUEUES);
}

/* ---------------------------------------------------------------- screens */

static const char *name_of(const struct vt_screen *screen)
{
    return screen->device[0] != '\0' ? screen->device : screen->path;
}

/* The size in a PPM file's head: "P6\nWIDTH HEIGHT\n255\n". */
static void read_size(const uint8_t *bytes, size_t n, struct screen_row *row)
{
    char head[64];
    size_t length = n < sizeof head - 1 ? n : sizeof head - 1;
    memcpy(head, bytes, length);
    head[length] = '\0';
    uint64_t width, height;
    if (sscanf(head, "P6 %" SCNu64 " %" SCNu64, &width, &height) == 2) {
        row->width = width;
        row->height = height;
    }
}

static int show_screens(struct state *s, const struct vt_screen *screens, size_t n)
{
    struct screen_row *rows = calloc(n + 1, sizeof *rows);
    int rc = rows != NULL ? 0 : vt_fail(s->err, VT_E_NOMEM, "screens: out of memory");
    for (size_t i = 0; rc == 0 && i < n; i++) {
        uint8_t *picture;
        size_t bytes;
        snprintf(rows[i].device, sizeof rows[i].device, "%s", name_of(&screens[i]));
        rows[i].head = screens[i].head;
        rc = vt_vm_screendump(s->vm, &screens[i], false, &picture, &bytes, s->err);
        if (rc == 0) {
            read_size(picture, bytes, &rows[i]);
            free(picture);
        } else if (rc == VT_E_REFUSED) { /* nothing to be shown there */
            rc = 0;
        }
    }
    rc = rc != 0 ? rc
                 : show(s, "screens", screen_columns, N(screen_columns), rows, sizeof rows[0], n);
    free(rows);
    return rc;
}

static bool ends_with(const char *text, const char *end)
{
    size_t n = strlen(text), k = strlen(end);
    return n >= k && strcasecmp(text + n - k, end) == 0;
}

/* A GPU that a process of ours is: QEMU has no screen for it. True: `path` is its business. */
static bool dump_venus(struct state *s, const char *path, int *rc)
{
    const char *device = vt_args_value(s->args, "device"), *dir = vt_vm_info(s->vm)->dir;
    char sock[PATH_MAX];
    uint8_t *picture;
    size_t bytes;
    if ((device != NULL && strcmp(device, "venus") != 0) ||
        vt_path_format(sock, NULL, "%s/gpu.sock", dir) != 0 || access(sock, F_OK) != 0) {
        return false;
    }
    if (ends_with(path, ".ppm")) {
        *rc = vt_fail(s->err, VT_E_UNSUPPORTED, "the GPU 'venus' is written as PNG only");
        return true;
    }
    *rc = vt_vm_gpu_ask(dir, "png", &picture, &bytes, s->err);
    if (*rc == 0) {
        *rc = vt_write_file_atomic(path, picture, bytes, 0644, s->err);
        free(picture);
    }
    return true;
}

static int dump_screen(struct state *s, const char *path, uint64_t head,
                       const struct vt_screen *screens, size_t n)
{
    const char *device = vt_args_value(s->args, "device");
    const struct vt_screen *found = NULL;
    for (size_t i = 0; found == NULL && i < n; i++) {
        bool is = device == NULL || strcmp(device, screens[i].device) == 0 ||
                  strcmp(device, screens[i].path) == 0;
        found = is && screens[i].head == head ? &screens[i] : NULL;
    }
    if (found == NULL) {
        return vt_fail(s->err, VT_E_NOT_FOUND, "no screen%s%s with a head %" PRIu64,
                       device != NULL ? " of " : "", device != NULL ? device : "", head);
    }
    uint8_t *picture;
    size_t bytes;
    int rc = vt_vm_screendump(s->vm, found, !ends_with(path, ".ppm"), &picture, &bytes, s->err);
    if (rc == 0) {
        rc = vt_write_file_atomic(path, picture, bytes, 0644, s->err);
        free(picture);
    }
    return rc;
}

/* ---------------------------------------------------------------- what commands made */

static int see_recording(const char *path, struct vt_vgpu_resources *resources,
                         struct vt_error *err)
{
    struct vt_vgpu_reader *reader;
    struct vt_vgpu_event_seen event;
    bool cut;
    int rc = vt_vgpu_reader_open(path, &reader, err);
    if (rc != 0) {
        return rc;
    }
    while ((rc = vt_vgpu_reader_next(reader, &event, &cut, err)) == 1) {
        vt_vgpu_resources_see(&event, resources);
    }
    vt_vgpu_reader_close(reader);
    return rc;
}

/* 1: there is a log, and it was read. Of several the one with most in it is taken. */
static int see_log(const struct vt_vm *vm, struct vt_vgpu_resources *resources,
                   struct vt_error *err)
{
    struct vt_vgpu_log_place places[8], *best = places;
    struct vt_vgpu_log_reader *reader = NULL;
    struct vt_ram *ram;
    unsigned n;
    if (vt_ram_open_vm(vm, &ram, NULL) != 0) {
        return 0; /* RAM that is not shared holds no log that we could read */
    }
    int rc = vt_vgpu_logs_find(ram, places, N(places), &n, err);
    for (unsigned i = 0; rc == 0 && i < n; i++) {
        best = places[i].records > best->records ? &places[i] : best;
    }
    if (rc == 0) {
        rc = vt_vgpu_log_reader_create(ram, best->gpa, &reader, err);
        rc = rc != 0 ? rc : vt_vgpu_log_reader_poll(reader, vt_vgpu_resources_see, resources, err);
        rc = rc < 0 ? rc : vt_vgpu_log_reader_flush(reader, vt_vgpu_resources_see, resources, err);
        vt_vgpu_log_reader_destroy(reader);
        rc = rc < 0 ? rc : 1;
    }
    vt_ram_close(ram);
    return rc == VT_E_NOT_FOUND ? 0 : rc;
}

static int show_resources(struct state *s, const struct vt_vgpu_resources *resources)
{
    size_t n;
    const struct vt_vgpu_resource_seen *all = vt_vgpu_resources_all(resources, &n);
    struct resource_row *rows = calloc(n + 1, sizeof *rows);
    if (rows == NULL) {
        return vt_fail(s->err, VT_E_NOMEM, "resources: out of memory");
    }
    for (size_t i = 0; i < n; i++) {
        const struct vt_vgpu_resource_seen *r = &all[i];
        const struct vt_vgpu_name *format = vt_vgpu_formats;
        while (format->name != NULL && format->value != r->format) {
            format++;
        }
        rows[i] = (struct resource_row){
            .id = r->id,
            .width = r->width,
            .height = r->height,
            .entries = r->entries,
            .bytes = r->blob_bytes != 0 ? r->blob_bytes : r->backing_bytes,
            .transfers = r->transfers,
            .flushes = r->flushes,
            .sequence = r->sequence,
            .kind = vt_vgpu_resource_kind_name(r->kind),
            .format = format->name,
            .backed = r->backed,
            .doubtful = r->doubtful,
        };
    }
    int rc = show(s, "resources", resource_columns, N(resource_columns), rows, sizeof *rows, n);
    free(rows);
    return rc;
}

static int show_scanouts(struct state *s, const struct vt_vgpu_resources *resources)
{
    const struct vt_vgpu_scanout_seen *all = vt_vgpu_resources_scanouts(resources);
    struct scanout_row rows[VT_VGPU_SCANOUTS_MAX];
    size_t n = 0;
    for (unsigned i = 0; i < VT_VGPU_SCANOUTS_MAX; i++) {
        if (all[i].known || all[i].cursor != 0) {
            rows[n++] = (struct scanout_row){
                .scanout = i,
                .resource = all[i].resource,
                .x = all[i].rect.x,
                .y = all[i].rect.y,
                .width = all[i].rect.width,
                .height = all[i].rect.height,
                .cursor = all[i].cursor,
                .cursor_x = all[i].cursor_x,
                .cursor_y = all[i].cursor_y,
                .doubtful = all[i].doubtful,
            };
        }
    }
    return show(s, "scanouts", scanout_columns, N(scanout_columns), rows, sizeof rows[0], n);
}

/* Says where it is from: null when nothing tells. */
static int show_made(struct state *s)
{
    struct vt_vgpu_resources *resources;
    const char *path = vt_args_value(s->args, "recording"), *from = path;
    int rc = vt_vgpu_resources_create(&resources, s->err);
    if (rc != 0) {
        return rc;
    }
    if (path != NULL) {
        rc = see_recording(path, resources, s->err);
    } else {
        rc = see_log(s->vm, resources, s->err);
        from = rc == 1 ? "driver's log" : NULL;
    }
    if (rc >= 0 && vt_args_json(s->args)) {
        vt_json_kv_string(&s->json, "known_from", from);
    }
    if (rc >= 0 && from != NULL) {
        rc = show_resources(s, resources);
        rc = rc != 0 ? rc : show_scanouts(s, resources);
    }
    vt_vgpu_resources_destroy(resources);
    return rc < 0 ? rc : 0;
}

/* ---------------------------------------------------------------- the verb */

static int show_all(struct state *s, uint64_t head)
{
    const char *path = vt_args_value(s->args, "screendump");
    struct vt_screen *screens;
    size_t n;
    int rc = vt_vm_screens(s->vm, &screens, &n, s->err);
    if (rc != 0) {
        return rc;
    }
    if (path != NULL && !dump_venus(s, path, &rc)) {
        rc = dump_screen(s, path, head, screens, n);
    }
    rc = rc != 0 ? rc : show_queues(s);
    rc = rc != 0 ? rc : show_screens(s, screens, n);
    free(screens);
    return rc != 0 ? rc : show_made(s);
}

static int run(const struct vt_args *args)
{
    struct vt_error err;
    struct state s = {.args = args, .first = true, .err = &err};
    uint64_t head;
    int result = vt_args_u64(args, "head", 0, &head);
    result = result != 0 ? result : vt_cli_open_vm(args, &s.vm);
    if (result != 0) {
        return result;
    }
    int rc = vt_audit(vt_vm_info(s.vm)->name, "gpu state", &err, "%s",
                      vt_args_value(args, "screendump") != NULL ? "screendump" : "");
    if (rc == 0 && vt_args_json(args)) {
        vt_json_init(&s.json, stdout, vt_args_pretty(args));
        vt_json_object(&s.json);
        rc = show_all(&s, head);
        vt_json_object_end(&s.json);
        vt_json_finish(&s.json);
    } else if (rc == 0) {
        rc = show_all(&s, head);
    }
    vt_vm_close(s.vm);
    return rc == 0 ? VT_EXIT_OK : vt_report(args, &err);
}

static const struct vt_option options[] = {
    {"screendump", "FILE", "write what a screen shows: a PNG, or a PPM when FILE ends in .ppm",
     false},
    {"device", "ID", "of the screen to write: QEMU's, or venus (default: that, or the first)",
     false},
    {"recording", "FILE", "resources and scanouts as of the end of this recording", false},
    {"head", "N", "of the screen to write (default: 0)", false},
    {0},
};

const struct vt_verb vt_verb_gpu_state = {
    .name = "gpu state",
    .group = "GPU",
    .summary = "Show a VM's GPUs, their queues and their screens",
    .operands = "VM",
    .min_operands = 1,
    .max_operands = 1,
    .options = options,
    .description =
        "QEMU is asked for its virtio-gpu devices and where their queues lie, and for the size of\n"
        "what each screen shows; --screendump writes one to a file as QEMU draws it, without a\n"
        "window.\n\n"
        "QEMU does not tell which resources a driver has made. They follow from its commands:\n"
        "those of a recording of 'vitrine gpu watch', or of the log that the driver of gpu-card\n"
        "keeps in RAM. JSON is one object with an array for each table.",
    .examples = "vitrine gpu state card\n"
                "vitrine gpu state card --screendump card.png\n"
                "vitrine gpu state card --recording card.vgpu\n"
                "vitrine gpu state card --device gpu0 --head 1 --screendump second.ppm --json",
    .run = run,
};
