/* cli/cmd_gpu_state.c - `vitrine gpu state`: a VM's GPUs as QEMU tells of them, what their screens
 * show.
 *
 *   queues    of every virtio-gpu: where they lie, how far the device has come
 *   screens   of every display device, with the size of what they show
 */
#include "cli/vm.h"

#include "base/cell.h"
#include "base/io.h"
#include "gpu/queues.h"
#include "machine/qmp.h"
#include "vitrine/memory.h"

#include <ctype.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

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
    rc = path != NULL ? dump_screen(s, path, head, screens, n) : 0;
    rc = rc != 0 ? rc : show_queues(s);
    rc = rc != 0 ? rc : show_screens(s, screens, n);
    free(screens);
    return rc;
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
    {"device", "ID", "of the screen to write (default: the first device)", false},
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
        "window. JSON is one object with an array for each table.",
    .examples = "vitrine gpu state web\n"
                "vitrine gpu state card --screendump card.png\n"
                "vitrine gpu state card --device gpu0 --head 1 --screendump second.ppm --json",
    .run = run,
};
