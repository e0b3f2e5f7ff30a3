/* qtest-gpu SOCKET RAM mmio|pci - vitrine's virtio-gpu driver on a real QEMU's device, without a
 * guest.
 *
 * QEMU runs with `-accel qtest`, has no CPU that does anything, and is told over SOCKET which
 * registers to read and write; RAM is the file that backs the guest's. The driver is the one of
 * src/virtio, compiled for the host. Lines of stdin are commands, one at a time, written as they
 * are whatever the driver's resource table would say; for each the response's name is a line on
 * stdout:
 *
 *   create ID W H | back ID BYTES | scanout SCANOUT ID X Y W H | transfer ID X Y W H OFFSET |
 *   flush ID X Y W H | unback ID | unref ID
 *
 * Ends with the driver's counts on stderr; status 1 when anything but a response came.
 */
#include "virtio/gpu/protocol/commands.h"
#include "vitrine/virtio_gpu.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

/* Where nobody else of a machine without firmware has anything. */
#define ARENA_AT (UINT64_C(16) << 20)
#define ARENA_BYTES ((size_t)2 << 20)
#define PIXELS_AT (UINT64_C(32) << 20)
/* microvm's virtio-mmio slots; q35's hole for PCI. */
#define MMIO_AT UINT64_C(0xfeb00000)
#define MMIO_SLOTS 24
#define MMIO_SLOT_BYTES 512
#define PCI_AT UINT64_C(0xc0000000)
#define PCI_END UINT64_C(0xd0000000)
#define GPU 16u
#define NS UINT64_C(1000000000)

static FILE *qtest;

static _Noreturn void fail(const char *what)
{
    fprintf(stderr, "qtest-gpu: %s\n", what);
    exit(1);
}

/* ---------------------------------------------------------------- QEMU's registers */

static uint64_t ask(const char *command, uint64_t address, const uint64_t *value)
{
    char line[128];
    unsigned long long answer = 0;
    fprintf(qtest, value != NULL ? "%s 0x%" PRIx64 " 0x%" PRIx64 "\n" : "%s 0x%" PRIx64 "\n",
            command, address, value != NULL ? *value : 0);
    fflush(qtest);
    if (fgets(line, sizeof line, qtest) == NULL || strncmp(line, "OK", 2) != 0) {
        fail("QEMU does not answer as it should");
    }
    sscanf(line, "OK %llx", &answer);
    return answer;
}

static uint32_t in(const char *port, uint64_t address, unsigned bytes)
{
    static const char widths[] = " bw l";
    char command[16];
    snprintf(command, sizeof command, "%s%c", port, widths[bytes]);
    return (uint32_t)ask(command, address, NULL);
}

static void out(const char *port, uint64_t address, unsigned bytes, uint64_t value)
{
    static const char widths[] = " bw l";
    char command[16];
    snprintf(command, sizeof command, "%s%c", port, widths[bytes]);
    ask(command, address, &value);
}

static uint32_t mmio_read(void *arg, uint64_t address, unsigned bytes)
{
    (void)arg;
    return in("read", address, bytes);
}

static void mmio_write(void *arg, uint64_t address, unsigned bytes, uint32_t value)
{
    (void)arg;
    out("write", address, bytes, value);
}

static void select_register(uint16_t function, uint16_t offset)
{
    out("out", 0xcf8, 4, UINT64_C(1) << 31 | (uint64_t)function << 8 | (offset & 0xfcu));
}

static uint32_t pci_read(void *arg, uint16_t function, uint16_t offset, unsigned bytes)
{
    (void)arg;
    select_register(function, offset);
    return in("in", 0xcfcu + (offset & 3u), bytes);
}

static void pci_write(void *arg, uint16_t function, uint16_t offset, unsigned bytes, uint32_t value)
{
    (void)arg;
    select_register(function, offset);
    out("out", 0xcfcu + (offset & 3u), bytes, value);
}

static uint64_t now_ns(void *arg)
{
    struct timespec t;
    (void)arg;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * NS + (uint64_t)t.tv_nsec;
}

static void relax(void *arg)
{
    (void)arg;
    sched_yield();
}

static const struct vt_virtio_bus bus = {
    .mmio_read = mmio_read, .mmio_write = mmio_write, .pci_read = pci_read, .pci_write = pci_write};
static const struct vt_virtio_clock clock_ = {.now_ns = now_ns, .relax = relax};

static void connect_to(const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    snprintf(address.sun_path, sizeof address.sun_path, "%s", path);
    if (fd < 0 || connect(fd, (struct sockaddr *)&address, sizeof address) != 0) {
        fail(strerror(errno));
    }
    qtest = fdopen(fd, "r+");
    if (qtest == NULL) {
        fail("out of memory");
    }
}

static void open_device(struct vt_virtio_device *device, bool pci)
{
    if (pci) {
        uint16_t function;
        uint64_t next = PCI_AT;
        int rc = vt_pci_find_virtio(&bus, GPU, &function);
        rc = rc != 0 ? rc : vt_pci_assign(&bus, function, &next, PCI_END);
        rc = rc != 0 ? rc : vt_virtio_pci_open(device, &bus, &clock_, function);
        if (rc != 0) {
            fail(vt_virtio_code_name(rc));
        }
        return;
    }
    for (unsigned i = 0; i < MMIO_SLOTS; i++) {
        if (vt_virtio_mmio_open(device, &bus, &clock_, MMIO_AT + MMIO_SLOT_BYTES * i) == 0 &&
            device->id == GPU) {
            return;
        }
    }
    fail("no virtio-gpu among the slots");
}

/* ---------------------------------------------------------------- commands */

static bool answered;

static void done(const struct vt_vgpu_answer *answer, void *arg)
{
    (void)arg;
    const char *name = vt_vgpu_type_name(answer->type);
    if (answer->response_bytes == 0) {
        fail(vt_virtio_code_name(answer->code));
    }
    puts(name != NULL ? name : "of unknown type");
    answered = true;
}

static void send_command(struct vt_vgpu_driver *d, const void *request, size_t bytes)
{
    answered = false;
    int rc = vt_vgpu_submit(d, VT_VGPU_CONTROL_QUEUE, request, (uint32_t)bytes,
                            sizeof(struct vt_vgpu_header), done, NULL);
    rc = rc != 0 ? rc : vt_vgpu_drain(d, 5 * NS);
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
        fail("usage: qtest-gpu SOCKET RAM mmio|pci");
    }
    int ram = open(argv[2], O_RDWR | O_CLOEXEC);
    struct stat st;
    if (ram < 0 || fstat(ram, &st) != 0 || (uint64_t)st.st_size < ARENA_AT + ARENA_BYTES) {
        fail("no RAM");
    }
    uint8_t *at = mmap(NULL, ARENA_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, ram, (off_t)ARENA_AT);
    if (at == MAP_FAILED) {
        fail("RAM cannot be mapped");
    }
    connect_to(argv[1]);
    struct vt_virtio_arena arena = {.base = at, .device = ARENA_AT, .bytes = ARENA_BYTES};
    struct vt_virtio_device device;
    struct vt_vgpu_driver *driver;
    open_device(&device, strcmp(argv[3], "pci") == 0);
    struct vt_vgpu_driver_config config = {.device = &device, .arena = &arena, .clock = &clock_};
    int rc = vt_vgpu_driver_create(&config, &driver);
    rc = rc != 0 ? rc : vt_vgpu_driver_start(driver);
    if (rc != 0) {
        fail(vt_virtio_code_name(rc));
    }
    char line[256];
    while (fgets(line, sizeof line, stdin) != NULL) {
        if (!run_line(driver, line)) {
            fail(line);
        }
    }
    const struct vt_vgpu_stats *s = vt_vgpu_driver_stats(driver);
    fprintf(stderr, "%" PRIu64 " commands, %" PRIu64 " answered, %" PRIu64 " with an error\n",
            s->submitted, s->answered, s->failed);
    vt_vgpu_driver_stop(driver);
    fclose(qtest);
    return 0;
}
