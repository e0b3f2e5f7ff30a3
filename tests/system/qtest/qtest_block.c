/* qtest-block SOCKET RAM DISK mmio|pci SIZE [FEATURE...] - queues and transports on a real QEMU's
 * disk, without a guest (qtest.h).
 *
 * A virtio disk (virtio 1.3, 5.2) has what a GPU lacks: buffers of many pieces, answers in whatever
 * order they are done, a configuration in all widths. Requests of random places and cuts go out by
 * the queue-full and are held against DISK, which the test made of numbers; then written ones are
 * read back by us through the file. Interrupts come when asked for only, and a device that is reset
 * with requests on their way works again. FEATUREs (packed, indirect, event, data) are those that
 * must have been negotiated; others must not. Ends with counts on stdout.
 */
#include "qtest.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define BLOCK 2u
#define SECTOR 512u
#define REQUESTS 64u
#define DATA_BYTES 8192u
#define CUTS_MAX 7u
#define ROUNDS 40u
#define OF_RINGS                                                                                   \
    (VT_VIRTIO_F_RING_PACKED | VT_VIRTIO_F_INDIRECT_DESC | VT_VIRTIO_F_EVENT_IDX |                 \
     VT_VIRTIO_F_NOTIFICATION_DATA)

enum {
    READ = 0,
    WRITE = 1,
    FLUSH = 4,
};

/** What is before the data and behind it (5.2.6), and where the data is. */
struct request {
    struct {
        uint32_t type, reserved;
        uint64_t sector;
    } header;
    uint8_t data[DATA_BYTES];
    uint8_t status;
};

struct disk {
    struct vt_virtio_device device;
    struct vt_virtqueue *queue;
    struct vt_virtio_arena arena;
    struct request *requests[REQUESTS];
    uint64_t at[REQUESTS];
    uint32_t bytes[REQUESTS];
    bool busy[REQUESTS];
    uint64_t sectors;
    int file;
    uint32_t dice;
    uint64_t reads, writes, pieces, notifications;
};

static uint32_t dice(struct disk *d, uint32_t sides)
{
    d->dice = d->dice * 1664525 + 1013904223;
    return (d->dice >> 8) % sides;
}

static void must(int rc, const char *what)
{
    if (rc != VT_VIRTIO_OK) {
        char line[128];
        snprintf(line, sizeof line, "%s: %s", what, vt_virtio_code_name(rc));
        qtest_fail(line);
    }
}

/** The disk's byte at `at`, as the test made it: each 8 bytes say where they are. */
static uint8_t made(uint64_t at)
{
    return (uint8_t)((at / 8 * UINT64_C(0x9e3779b97f4a7c15)) >> 8 * (at % 8));
}

static void bring_up(struct disk *d, uint16_t size, uint64_t wanted)
{
    must(vt_virtio_reset(&d->device, QTEST_NS), "reset");
    must(vt_virtio_negotiate(&d->device, wanted, wanted), "negotiate");
    if ((d->device.features & OF_RINGS) != wanted) {
        qtest_fail("other features than were asked for");
    }
    if (d->queue == NULL) {
        struct vt_virtqueue_config config = {
            .index = 0, .size = size, .max_pieces = CUTS_MAX + 3, .features = d->device.features};
        must(vt_virtqueue_create(&config, &d->arena, &d->queue), "create");
    }
    must(vt_virtio_queue_start(&d->device, d->queue, 0xffff), "start the queue");
    must(vt_virtio_start(&d->device), "start");
    uint64_t sectors = 0;
    must(vt_virtio_config_read(&d->device, 0, &sectors, sizeof sectors), "capacity");
    if (sectors != d->sectors) {
        qtest_fail("the capacity is not the file's");
    }
}

/** Queues request `i`: its data in several pieces, cut anywhere. */
static bool queue(struct disk *d, unsigned i, uint32_t type)
{
    struct request *r = d->requests[i];
    uint32_t sectors = type == FLUSH ? 0 : 1 + dice(d, DATA_BYTES / SECTOR);
    r->header.type = type;
    r->header.reserved = 0;
    r->header.sector = type == FLUSH ? 0 : dice(d, (uint32_t)d->sectors - DATA_BYTES / SECTOR);
    r->status = 0xff;
    d->bytes[i] = sectors * SECTOR;
    struct vt_virtio_piece p[CUTS_MAX + 3];
    unsigned n = 0, n_data;
    p[n++] = (struct vt_virtio_piece){d->at[i], sizeof r->header};
    uint32_t from = 0;
    while (from < d->bytes[i]) {
        uint32_t left = d->bytes[i] - from, part = 1 + dice(d, left);
        part = n == CUTS_MAX + 1 ? left : part;
        p[n++] = (struct vt_virtio_piece){d->at[i] + offsetof(struct request, data) + from, part};
        from += part;
    }
    n_data = n - 1;
    p[n++] = (struct vt_virtio_piece){d->at[i] + offsetof(struct request, status), 1};
    for (uint32_t k = 0; k < d->bytes[i]; k++) {
        uint64_t at = r->header.sector * SECTOR + k;
        r->data[k] = type == WRITE ? (uint8_t)~made(at) : 0;
    }
    unsigned n_out = type == WRITE ? 1 + n_data : 1;
    int rc = vt_virtqueue_add(d->queue, p, n_out, n - n_out, r, NULL);
    if (rc == VT_VIRTIO_E_FULL) {
        return false;
    }
    must(rc, "add");
    d->busy[i] = true;
    d->pieces += n;
    return true;
}

static void publish(struct disk *d)
{
    if (vt_virtqueue_publish(d->queue)) {
        vt_virtio_notify(&d->device, d->queue);
        d->notifications++;
    }
}

static unsigned number_of(const struct disk *d, const struct request *r)
{
    unsigned i = 0;
    while (d->requests[i] != r) {
        i++;
    }
    return i;
}

static void check(struct disk *d, const struct request *r, uint32_t written)
{
    unsigned i = number_of(d, r);
    if (r->status != 0) {
        qtest_fail("a request failed");
    }
    if (r->header.type != READ) {
        d->writes += r->header.type == WRITE;
        if (written != 1) {
            qtest_fail("a write says that it wrote to memory");
        }
    } else {
        if (written != d->bytes[i] + 1) {
            qtest_fail("a read of another length");
        }
        uint8_t disk[DATA_BYTES];
        if (pread(d->file, disk, d->bytes[i], (off_t)(r->header.sector * SECTOR)) !=
                (ssize_t)d->bytes[i] ||
            memcmp(disk, r->data, d->bytes[i]) != 0) {
            qtest_fail("a read brought something else");
        }
        d->reads++;
    }
    d->busy[i] = false;
}

/** Until nothing is on its way. */
static void drain(struct disk *d)
{
    uint64_t begin = qtest_clock.now_ns(NULL);
    while (vt_virtqueue_pending(d->queue) > 0) {
        void *token;
        uint32_t written;
        int rc = vt_virtqueue_take(d->queue, &token, &written);
        if (rc < 0) {
            qtest_fail(vt_virtqueue_fault(d->queue));
        }
        if (rc == 1) {
            check(d, token, written);
        } else if (qtest_clock.now_ns(NULL) - begin > 120 * QTEST_NS) {
            qtest_fail("requests do not come back");
        } else {
            qtest_clock.relax(NULL);
        }
    }
}

/** As many as there is room for. */
static void fill(struct disk *d, uint32_t type)
{
    for (unsigned i = 0; i < REQUESTS; i++) {
        if (!d->busy[i] && !queue(d, i, type)) {
            break;
        }
        if (dice(d, 4) == 0) {
            publish(d);
        }
    }
    publish(d);
}

/** One request, and whether an interrupt came with it. */
static bool interrupts_for_one(struct disk *d, bool wanted)
{
    vt_virtio_interrupt(&d->device);
    vt_virtqueue_interrupts(d->queue, wanted);
    queue(d, 0, READ);
    publish(d);
    bool came = false;
    if (wanted) {
        /* Nothing is taken before: with an event index the device may see that, and need not say
         * more. */
        uint64_t began = qtest_clock.now_ns(NULL);
        while (!came && qtest_clock.now_ns(NULL) - began < 120 * QTEST_NS) {
            came = (vt_virtio_interrupt(&d->device) & 1) != 0;
        }
        drain(d);
    } else {
        drain(d);
        /* The device may raise it after we saw the buffer; none comes once it answered much else.
         */
        for (unsigned i = 0; i < 50 && !came; i++) {
            came = (vt_virtio_interrupt(&d->device) & 1) != 0;
        }
    }
    return came;
}

static uint64_t feature(const char *word)
{
    return strcmp(word, "packed") == 0     ? VT_VIRTIO_F_RING_PACKED
           : strcmp(word, "indirect") == 0 ? VT_VIRTIO_F_INDIRECT_DESC
           : strcmp(word, "event") == 0    ? VT_VIRTIO_F_EVENT_IDX
           : strcmp(word, "data") == 0     ? VT_VIRTIO_F_NOTIFICATION_DATA
                                           : 0;
}

static void forget(void *token, void *arg)
{
    struct disk *d = arg;
    d->busy[number_of(d, token)] = false;
}

int main(int argc, char **argv)
{
    if (argc < 6) {
        qtest_fail("usage: qtest-block SOCKET RAM DISK mmio|pci SIZE [FEATURE...]");
    }
    struct disk d = {.dice = 1, .file = open(argv[3], O_RDONLY | O_CLOEXEC)};
    uint16_t size = (uint16_t)atoi(argv[5]);
    uint64_t wanted = 0;
    for (int i = 6; i < argc; i++) {
        wanted |= feature(argv[i]);
    }
    d.arena = qtest_open(argv[1], argv[2]);
    d.sectors = (uint64_t)lseek(d.file, 0, SEEK_END) / SECTOR;
    for (unsigned i = 0; i < REQUESTS; i++) {
        d.requests[i] = vt_virtio_arena_take(&d.arena, sizeof *d.requests[i], 8, &d.at[i]);
        if (d.requests[i] == NULL) {
            qtest_fail("no room for requests");
        }
    }
    qtest_device(&d.device, BLOCK, strcmp(argv[4], "pci") == 0);
    bring_up(&d, size, wanted);
    vt_virtqueue_interrupts(d.queue, false);
    for (unsigned i = 0; i < ROUNDS; i++) {
        fill(&d, READ);
        drain(&d);
    }
    for (unsigned i = 0; i < 3; i++) {
        if (interrupts_for_one(&d, false)) {
            qtest_fail("an interrupt that nobody asked for");
        }
        if (!interrupts_for_one(&d, true)) {
            qtest_fail("no interrupt");
        }
    }
    for (unsigned i = 0; i < ROUNDS / 4; i++) {
        /* In the middle of things: what was on its way is lost, and it works again. */
        fill(&d, READ);
        must(vt_virtio_reset(&d.device, 120 * QTEST_NS), "reset with requests on their way");
        vt_virtqueue_each_pending(d.queue, forget, &d);
        vt_virtqueue_reset(d.queue);
        bring_up(&d, size, wanted);
        fill(&d, READ);
        drain(&d);
    }
    for (unsigned i = 0; i < ROUNDS / 4; i++) {
        fill(&d, WRITE);
        drain(&d);
    }
    queue(&d, 0, FLUSH);
    publish(&d);
    drain(&d);
    uint64_t turned = 0;
    for (uint64_t at = 0; at < d.sectors * SECTOR; at += SECTOR) {
        uint8_t disk[SECTOR];
        if (pread(d.file, disk, SECTOR, (off_t)at) != SECTOR) {
            qtest_fail(strerror(errno));
        }
        bool inverse = disk[0] != made(at);
        for (unsigned k = 0; k < SECTOR; k++) {
            if (disk[k] != (uint8_t)(inverse ? ~made(at + k) : made(at + k))) {
                qtest_fail("the disk holds what was never written");
            }
        }
        turned += inverse;
    }
    if (turned == 0) {
        qtest_fail("nothing was written");
    }
    printf("%" PRIu64 " reads, %" PRIu64 " writes (%" PRIu64 " sectors turned), %" PRIu64
           " pieces, %" PRIu64 " notifications\n",
           d.reads, d.writes, turned, d.pieces, d.notifications);
    vt_virtio_reset(&d.device, QTEST_NS);
    qtest_close();
    return 0;
}
