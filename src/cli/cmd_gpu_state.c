/* cli/cmd_gpu_state.c - `vitrine gpu state`: a VM's virtio-gpu devices and their queues, as QEMU
 * itself tells them. */
#include "cli/vm.h"

#include "base/io.h"
#include "machine/qmp.h"

#include <string.h>

static const struct vt_column columns[] = {
    {.key = "device", .title = "DEVICE", .kind = VT_CELL_TEXT, .doc = "QEMU's path of it"},
    {.key = "queue", .title = "QUEUE", .kind = VT_CELL_TEXT, .doc = "control or cursor"},
    {.key = "size", .title = "SIZE", .kind = VT_CELL_U64, .doc = "descriptors"},
    {.key = "descriptors",
     .title = "DESCRIPTORS",
     .kind = VT_CELL_HEX,
     .doc = "where they lie, guest-physically; 0: not set up"},
    {.key = "available", .title = "AVAILABLE", .kind = VT_CELL_HEX, .doc = "the driver's ring"},
    {.key = "used", .title = "USED", .kind = VT_CELL_HEX, .doc = "the device's ring"},
    {.key = "in_use", .title = "IN USE", .kind = VT_CELL_U64, .doc = "buffers the device holds"},
};
enum { COLUMNS = sizeof columns / sizeof columns[0] };

static uint64_t number(const json_t *object, const char *key)
{
    json_int_t v = json_integer_value(json_object_get(object, key));
    return v > 0 ? (uint64_t)v : 0;
}

static int show_queues(struct vt_qmp *qmp, const char *path, struct vt_rows *rows,
                       struct vt_error *err)
{
    static const char *const queues[] = {"control", "cursor"};
    for (int i = 0; i < 2; i++) {
        json_t *q;
        int rc = vt_qmp_execute(qmp, "x-query-virtio-queue-status",
                                json_pack("{s:s, s:i}", "path", path, "queue", i),
                                vt_deadline_ms(VT_QMP_TIMEOUT_MS), &q, err);
        if (rc != 0) {
            return rc;
        }
        vt_cell_text(rows, path);
        vt_cell_text(rows, queues[i]);
        vt_cell_u64(rows, number(q, "vring-num"));
        vt_cell_u64(rows, number(q, "vring-desc"));
        vt_cell_u64(rows, number(q, "vring-avail"));
        vt_cell_u64(rows, number(q, "vring-used"));
        vt_cell_u64(rows, number(q, "inuse"));
        json_decref(q);
    }
    return 0;
}

static int show_devices(struct vt_qmp *qmp, struct vt_rows *rows, struct vt_error *err)
{
    json_t *list, *device;
    size_t i;
    int rc =
        vt_qmp_execute(qmp, "x-query-virtio", NULL, vt_deadline_ms(VT_QMP_TIMEOUT_MS), &list, err);
    if (rc != 0) {
        return rc;
    }
    json_array_foreach(list, i, device)
    {
        const char *name = json_string_value(json_object_get(device, "name"));
        const char *path = json_string_value(json_object_get(device, "path"));
        if (name != NULL && path != NULL && strcmp(name, "virtio-gpu") == 0) {
            rc = show_queues(qmp, path, rows, err);
            if (rc != 0) {
                break;
            }
        }
    }
    json_decref(list);
    return rc;
}

static int run(const struct vt_args *args)
{
    struct vt_vm *vm;
    struct vt_qmp *qmp;
    struct vt_rows *rows;
    struct vt_error err;
    int result = vt_cli_open_vm(args, &vm);
    if (result != 0) {
        return result;
    }
    int rc = vt_vm_qmp(vm, &qmp, &err);
    if (rc == 0) {
        rc = vt_rows_create(args, columns, COLUMNS, &rows, &err);
        if (rc == 0) {
            rc = show_devices(qmp, rows, &err);
            result = vt_rows_finish(rows);
        }
        vt_qmp_close(qmp);
    }
    vt_vm_close(vm);
    return rc == 0 ? result : vt_report(args, &err);
}

const struct vt_verb vt_verb_gpu_state = {
    .name = "gpu state",
    .group = "GPU",
    .summary = "Show a VM's virtio-gpu devices and their queues",
    .operands = "VM",
    .min_operands = 1,
    .max_operands = 1,
    .columns = columns,
    .n_columns = COLUMNS,
    .examples = "vitrine gpu state web\n"
                "vitrine gpu state web --json",
    .run = run,
};
