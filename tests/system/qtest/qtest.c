/* tests/system/qtest/qtest.c - qtest's protocol: a line for each register, a line back. */
#include "qtest.h"

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

/* microvm's virtio-mmio slots; q35's hole for PCI. */
#define MMIO_AT UINT64_C(0xfeb00000)
#define MMIO_SLOTS 24
#define MMIO_SLOT_BYTES 512
#define PCI_AT UINT64_C(0xc0000000)
#define PCI_END UINT64_C(0xd0000000)

static FILE *qtest;

_Noreturn void qtest_fail(const char *what)
{
    fprintf(stderr, "%s: %s\n", program_invocation_short_name, what);
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
        qtest_fail("QEMU does not answer as it should");
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
    return (uint64_t)t.tv_sec * QTEST_NS + (uint64_t)t.tv_nsec;
}

static void relax(void *arg)
{
    (void)arg;
    sched_yield();
}

const struct vt_virtio_bus qtest_bus = {
    .mmio_read = mmio_read, .mmio_write = mmio_write, .pci_read = pci_read, .pci_write = pci_write};
const struct vt_virtio_clock qtest_clock = {.now_ns = now_ns, .relax = relax};

static void connect_to(const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    snprintf(address.sun_path, sizeof address.sun_path, "%s", path);
    if (fd < 0 || connect(fd, (struct sockaddr *)&address, sizeof address) != 0) {
        qtest_fail(strerror(errno));
    }
    qtest = fdopen(fd, "r+");
    if (qtest == NULL) {
        qtest_fail("out of memory");
    }
}

void qtest_device(struct vt_virtio_device *device, uint32_t id, bool pci)
{
    if (pci) {
        uint16_t function;
        uint64_t next = PCI_AT;
        int rc = vt_pci_find_virtio(&qtest_bus, id, &function);
        rc = rc != 0 ? rc : vt_pci_assign(&qtest_bus, function, &next, PCI_END);
        rc = rc != 0 ? rc : vt_virtio_pci_open(device, &qtest_bus, &qtest_clock, function);
        if (rc != 0) {
            qtest_fail(vt_virtio_code_name(rc));
        }
        return;
    }
    for (unsigned i = 0; i < MMIO_SLOTS; i++) {
        if (vt_virtio_mmio_open(device, &qtest_bus, &qtest_clock, MMIO_AT + MMIO_SLOT_BYTES * i) ==
                0 &&
            device->id == id) {
            return;
        }
    }
    qtest_fail("no such device among the slots");
}

struct vt_virtio_arena qtest_open(const char *socket_path, const char *ram_path)
{
    int ram = open(ram_path, O_RDWR | O_CLOEXEC);
    struct stat st;
    if (ram < 0 || fstat(ram, &st) != 0 ||
        (uint64_t)st.st_size < QTEST_ARENA_AT + QTEST_ARENA_BYTES) {
        qtest_fail("no RAM");
    }
    uint8_t *at = mmap(NULL, QTEST_ARENA_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, ram,
                       (off_t)QTEST_ARENA_AT);
    if (at == MAP_FAILED) {
        qtest_fail("RAM cannot be mapped");
    }
    close(ram);
    connect_to(socket_path);
    return (struct vt_virtio_arena){
        .base = at, .device = QTEST_ARENA_AT, .bytes = QTEST_ARENA_BYTES};
}

void qtest_close(void)
{
    fclose(qtest);
}
