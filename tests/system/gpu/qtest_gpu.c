/* qtest-gpu SOCKET RAM mmio|pci - vitrine's virtio-gpu driver on a real QEMU's device, without a
 * guest (qtest/qtest.h).
 *
 * The driver is the one of src/virtio, compiled for the host. Lines of stdin are commands, one at a
 * time, written as they are whatever the driver's resource table would say; for each the response's
 * name is a line on stdout:
 *
 *   create ID W H | back ID BYTES | scanout SCANOUT ID X Y W H | transfer ID X Y W H OFFSET |
 *   flush ID X Y W H | unback ID | unref ID
 *
 * Ends with the driver's counts on stderr; status 1 when anything but a response came.
 */
#include "tests/system/qtest/qtest.h"

#include "virtio/gpu/protocol/commands.h"
#include "vitrine/virtio_gpu.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PIXELS_AT (UINT64_C(32) << 20)
#define GPU 16u

/* ---------------------------------------------------------------- commands */

static bool answered;

static void done(const struct vt_vgpu_answer *answer, void *arg)
{
    (void)arg;
    const char *name = vt_vgpu_type_name(answer->type);
    if (answer->response_bytes == 0) {
        qtest_fail(vt_virtio_code_name(answer->code));
    }
    puts(name != NULL ? name : "of unknown type");
    answered = true;
}

static void send_command(struct vt_vgpu_driver *d, const void *request, size_t bytes)
{
    answered = false;
    int rc = vt_vgpu_submit(d, VT_VGPU_CONTROL_QUEUE, request, (uint32_t)bytes,
                            sizeof(struct vt_vgpu_header), done, NULL);
    rc = rc != 0 ? rc : vt_vgpu_drain(d, 120 * QTEST_NS);
    if (rc < 0 || !answered) {
        fprintf(stderr, "%s: %s: %s\n", vt_vgpu_state_name(vt_vgpu_driver_state(d)),
                vt_virtio_code_name(rc), vt_vgpu_driver_fault(d));
        exit(1);
    }
}

#define SEND(d, type_, ...)                                                                        \
    do {                                                                                           \
        struct type_ command = {__VA_ARGS__};                                                      \
        send_command(d, &command, sizeof command);                                                 \
    } while (0)

static bool run_line(struct vt_vgpu_driver *d, const char *line)
{
    char word[16];
    uint32_t n[7] = {0};
    int k = sscanf(line,
                   "%15s %" SCNu32 " %" SCNu32 " %" SCNu32 " %" SCNu32 " %" SCNu32 " %" SCNu32
                   " %" SCNu32,
                   word, &n[0], &n[1], &n[2], &n[3], &n[4], &n[5], &n[6]) -
            1;
    if (strcmp(word, "create") == 0 && k == 3) {
        SEND(d, vt_vgpu_resource_create_2d, .header.type = VT_VGPU_CMD_RESOURCE_CREATE_2D,
             .resource_id = n[0], .format = VT_VGPU_FORMAT_B8G8R8X8_UNORM, .width = n[1],
             .height = n[2]);
    } else if (strcmp(word, "back") == 0 && k == 2) {
        struct {
            struct vt_vgpu_resource_attach_backing fixed;
            struct vt_vgpu_memory_entry entry;
        } command = {.fixed = {.header.type = VT_VGPU_CMD_RESOURCE_ATTACH_BACKING,
                               .resource_id = n[0],
                               .nr_entries = 1},
                     .entry = {.addr = PIXELS_AT, .length = n[1]}};
        send_command(d, &command, sizeof command);
    } else if (strcmp(word, "scanout") == 0 && k == 6) {
        SEND(d, vt_vgpu_set_scanout, .header.type = VT_VGPU_CMD_SET_SCANOUT, .scanout_id = n[0],
             .resource_id = n[1], .rect = {n[2], n[3], n[4], n[5]});
    } else if (strcmp(word, "transfer") == 0 && k == 6) {
        SEND(d, vt_vgpu_transfer_to_host_2d, .header.type = VT_VGPU_CMD_TRANSFER_TO_HOST_2D,
             .resource_id = n[0], .rect = {n[1], n[2], n[3], n[4]}, .offset = n[5]);
    } else if (strcmp(word, "flush") == 0 && k == 5) {
        SEND(d, vt_vgpu_resource_flush, .header.type = VT_VGPU_CMD_RESOURCE_FLUSH,
             .resource_id = n[0], .rect = {n[1], n[2], n[3], n[4]});
    } else if (strcmp(word, "unback") == 0 && k == 1) {
        SEND(d, vt_vgpu_resource_detach_backing, .header.type = VT_VGPU_CMD_RESOURCE_DETACH_BACKING,
             .resource_id = n[0]);
    } else if (strcmp(word, "unref") == 0 && k == 1) {
        SEND(d, vt_vgpu_resource_unref, .header.type = VT_VGPU_CMD_RESOURCE_UNREF,
             .resource_id = n[0]);
    } else {
        return false;
    }
    return true;
}

int main(int argc, char **argv)
{
    if (argc != 4) {
        qtest_fail("usage: qtest-gpu SOCKET RAM mmio|pci");
    }
    struct vt_virtio_arena arena = qtest_open(argv[1], argv[2]);
    struct vt_virtio_device device;
    struct vt_vgpu_driver *driver;
    qtest_device(&device, GPU, strcmp(argv[3], "pci") == 0);
    struct vt_vgpu_driver_config config = {
        .device = &device, .arena = &arena, .clock = &qtest_clock};
    int rc = vt_vgpu_driver_create(&config, &driver);
    rc = rc != 0 ? rc : vt_vgpu_driver_start(driver);
    if (rc != 0) {
        qtest_fail(vt_virtio_code_name(rc));
    }
    char line[256];
    while (fgets(line, sizeof line, stdin) != NULL) {
        if (!run_line(driver, line)) {
            qtest_fail(line);
        }
    }
    const struct vt_vgpu_stats *s = vt_vgpu_driver_stats(driver);
    fprintf(stderr, "%" PRIu64 " commands, %" PRIu64 " answered, %" PRIu64 " with an error\n",
            s->submitted, s->answered, s->failed);
    vt_vgpu_driver_stop(driver);
    qtest_close();
    return 0;
}
