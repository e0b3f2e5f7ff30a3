/* guests/card/bench_words.c - how many small flushes a second: one TRANSFER_TO_HOST_2D and one
 * RESOURCE_FLUSH each, as many on their way as the queue takes, or one command at a time.
 */
#include "gpu.h"

static struct {
    uint64_t answered, failed;
} bench;

static void counted(const struct vt_vgpu_answer *answer, void *arg)
{
    (void)arg;
    bench.answered++;
    bench.failed += answer->code != VT_VIRTIO_OK;
}

/* Sends command `i` of the run: transfer and flush by turns, along the picture. */
static int send(uint64_t i, const struct vt_vgpu_rect *size, uint32_t side)
{
    const uint32_t id = (uint32_t)settings.first_id;
    uint64_t step = i / 2 * side;
    struct vt_vgpu_rect rect = {(uint32_t)(step % (size->width - side + 1)),
                                (uint32_t)(step % (size->height - side + 1)), side, side};
    uint64_t offset = ((uint64_t)rect.y * size->width + rect.x) * 4;

    return i % 2 == 0 ? vt_vgpu_transfer(gpu.driver, id, &rect, offset, 0, counted, NULL)
                      : vt_vgpu_flush(gpu.driver, id, &rect, 0, counted, NULL);
}

static int run(uint64_t commands, const struct vt_vgpu_rect *size, uint32_t side)
{
    uint64_t sent = 0;

    while (bench.answered < commands) {
        int rc = VT_VIRTIO_OK, took;

        while (sent < commands && (rc = send(sent, size, side)) == VT_VIRTIO_OK) {
            sent++;
        }
        if (rc != VT_VIRTIO_OK && rc != VT_VIRTIO_E_FULL) {
            return rc;
        }
        took = vt_vgpu_poll(gpu.driver);
        if (took < 0) {
            return took;
        }
        if (took == 0) {
            gpu_rest();
        }
    }
    return VT_VIRTIO_OK;
}

/* All that is queued so far, done. */
static int done(int rc)
{
    return rc == VT_VIRTIO_OK ? vt_vgpu_drain(gpu.driver, UINT64_MAX) : rc;
}

static int set_up(const struct vt_vgpu_rect *size)
{
    const uint32_t id = (uint32_t)settings.first_id, scanout = (uint32_t)settings.scanout;
    struct vt_virtio_piece piece = {0, size->width * size->height * 4};
    int rc;

    if (!vt_virtio_arena_take(&gpu.arena, piece.bytes, 4096, &piece.device)) {
        return VT_VIRTIO_E_NOMEM;
    }
    rc = done(vt_vgpu_resource_create(gpu.driver, id, 2, size->width, size->height, NULL, NULL));
    if (rc == VT_VIRTIO_OK) {
        rc = done(vt_vgpu_resource_back(gpu.driver, id, &piece, 1, NULL, NULL));
    }
    return rc == VT_VIRTIO_OK ? done(vt_vgpu_set_scanout(gpu.driver, scanout, id, size, NULL, NULL))
                              : rc;
}

static void tear_down(void)
{
    (void)done(vt_vgpu_set_scanout(gpu.driver, (uint32_t)settings.scanout, 0,
                                   &(struct vt_vgpu_rect){0, 0, 0, 0}, NULL, NULL));
    (void)done(vt_vgpu_resource_destroy(gpu.driver, (uint32_t)settings.first_id, NULL, NULL));
}

static bool word_bench(const struct card_words *w)
{
    const struct vt_vgpu_rect size = {0, 0, 1024, 768};
    struct vt_vgpu_stats before;
    uint64_t flushes, side = 64, begin, took;
    bool async = w->n > 0 && same_text(w->word[0], "async");
    int rc;

    if (w->n < 2 || w->n > 3 || (!async && !same_text(w->word[0], "blocking")) ||
        !parse_number(w->word[1], 10000000, &flushes) || flushes == 0 ||
        (w->n == 3 && !parse_number(w->word[2], size.height, &side)) || side == 0) {
        return script_fail("not understood");
    }
    if (!gpu_again(async ? (uint16_t)settings.in_flight : 1)) {
        return false;
    }
    rc = set_up(&size);
    if (rc != VT_VIRTIO_OK) {
        return script_fail(vt_virtio_code_name(rc));
    }
    bench.answered = bench.failed = 0;
    before = *vt_vgpu_driver_stats(gpu.driver);
    begin = now_ns();
    rc = run(2 * flushes, &size, (uint32_t)side);
    took = now_ns() - begin;
    if (rc != VT_VIRTIO_OK) {
        return script_fail(vt_virtio_code_name(rc));
    }
    report_begin("bench");
    report_text("mode", w->word[0]);
    report_number("flushes", flushes);
    report_number("side", side);
    report_number("ns", took);
    report_number("failed", bench.failed);
    report_number("flushes_per_s", took ? flushes * 1000000000 / took : 0);
    report_number("commands_per_s", took ? 2 * flushes * 1000000000 / took : 0);
    report_number("notifications",
                  vt_vgpu_driver_stats(gpu.driver)->notifications - before.notifications);
    report_number("interrupts", vt_vgpu_driver_stats(gpu.driver)->interrupts - before.interrupts);
    report_number("most_in_flight", vt_vgpu_driver_stats(gpu.driver)->most_in_flight);
    report_end();
    tear_down();
    return true;
}

const struct card_statement bench_statements[] = {
    {"bench", "bench async|blocking FLUSHES [SIDE]", word_bench},
    {NULL, NULL, NULL},
};
