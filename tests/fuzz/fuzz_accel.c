/* tests/fuzz/fuzz_accel.c - what `vitrine accel status` reads: a segment that QEMU wrote to, and
 * the ledger beside it. Input: what differs from a new segment (offset of 32 bits, value of 8)*,
 * the offset 0; then the ledger. Whatever is read can be written as JSON, and read again.
 */
#include "tests/fuzz/fuzz.h"

#include "hybrid/accel.h"
#include "hybrid/ledger.h"
#include "hybrid/service.h"

#include <jansson.h>
#include <string.h>
#include <unistd.h>

#define WRITES_MAX 512u

static char path[] = "/tmp/vitrine-fuzz-XXXXXX";

static void remove_segment(void)
{
    unlink(path);
}

static int new_segment(void)
{
    int fd = mkstemp(path);
    FUZZ_CHECK(fd >= 0 && atexit(remove_segment) == 0);
    return fd;
}

/* The JSON of a segment's slots or of a ledger's rows, which is JSON. */
static char *write_json(const struct vt_accel *accel, const struct vt_ledger_row *rows, uint32_t n,
                        size_t *bytes)
{
    char *text = NULL;
    struct vt_json_writer w;
    FILE *out = open_memstream(&text, bytes);
    FUZZ_CHECK(out != NULL);
    vt_json_init(&w, out, false);
    vt_json_object(&w);
    vt_json_key(&w, "loops");
    vt_json_array(&w);
    for (uint32_t i = 0; i < (accel != NULL ? VT_ACCEL_SLOTS : n); i++) {
        struct vt_accel_slot slot;
        vt_json_object(&w);
        if (accel != NULL) {
            vt_accel_read(accel, i, &slot);
            vt_accel_slot_json(&slot, &w);
        } else {
            vt_ledger_row_json(&rows[i], &w);
        }
        vt_json_object_end(&w);
    }
    vt_json_array_end(&w);
    vt_json_object_end(&w);
    vt_json_finish(&w);
    FUZZ_CHECK(fclose(out) == 0);
    json_t *root = json_loadb(text, *bytes, 0, NULL);
    FUZZ_CHECK(root != NULL);
    json_decref(root);
    return text;
}

static void read_ledger(const char *text, size_t bytes, const struct vt_accel *accel)
{
    struct vt_ledger_row *rows, *again;
    struct vt_error err;
    uint32_t n, n_again;
    uint64_t threshold;
    if (vt_ledger_parse(text, bytes, accel, &rows, &n, &threshold, &err) != 0) {
        FUZZ_CHECK(err.message[0] != '\0');
        return;
    }
    char *written = write_json(NULL, rows, n, &bytes);
    FUZZ_CHECK(vt_ledger_parse(written, bytes, accel, &again, &n_again, &threshold, &err) == 0);
    FUZZ_CHECK(n == n_again);
    for (uint32_t i = 0; i < n; i++) {
        FUZZ_CHECK(strcmp(rows[i].hash, again[i].hash) == 0 && rows[i].fate == again[i].fate &&
                   rows[i].slot == again[i].slot && rows[i].head == again[i].head);
    }
    free(written);
    free(rows);
    free(again);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t count)
{
    static int fd = -1;
    static struct vt_accel *good;
    struct vt_accel *accel = NULL;
    struct vt_error err;
    if (fd < 0) {
        fd = new_segment();
        FUZZ_CHECK(vt_hybrid_service.segment(fd, 1, &err) == 0);
        FUZZ_CHECK(vt_accel_open_segment(path, true, &good, &err) == 0);
    }
    struct {
        uint32_t offset;
        uint8_t was;
    } undo[WRITES_MAX];
    uint32_t n = 0;
    for (; n < WRITES_MAX && count >= 5; bytes += 5, count -= 5) {
        memcpy(&undo[n].offset, bytes, 4);
        if (undo[n].offset == 0) {
            break;
        }
        undo[n].was = 0;
        FUZZ_CHECK(pread(fd, &undo[n].was, 1, undo[n].offset) >= 0);
        /* Not beyond the end: the segment has its size. */
        if (undo[n].offset < (uint32_t)lseek(fd, 0, SEEK_END)) {
            FUZZ_CHECK(pwrite(fd, bytes + 4, 1, undo[n].offset) == 1);
            n++;
        }
    }
    size_t used = count < 4 ? count : 4;
    bool opened = vt_accel_open_segment(path, true, &accel, &err) == 0;
    if (opened) {
        struct vt_ledger_row *rows = NULL;
        uint32_t n_rows = 0;
        size_t written;
        free(write_json(accel, NULL, 0, &written));
        FUZZ_CHECK(vt_ledger_adopt(accel, &rows, &n_rows, &err) == 0 && n_rows <= VT_ACCEL_SLOTS);
        free(write_json(NULL, rows, n_rows, &written));
        free(rows);
        (void)vt_accel_enabled(accel);
    }
    read_ledger((const char *)bytes + used, count - used, opened ? accel : good);
    vt_accel_close(accel);
    while (n > 0) {
        n--;
        FUZZ_CHECK(pwrite(fd, &undo[n].was, 1, undo[n].offset) == 1);
    }
    return 0;
}
