/* tests/fuzz/fuzz_qmp.c - QMP's lines and the memory map: bytes a QMP peer sends.
 *
 * Lines: however the bytes are cut into pieces, the same messages come out. Map: what is accepted
 * is ascending, aligned and inside RAM.
 */
#include "tests/fuzz/fuzz.h"

#include "machine/mtree.h"
#include "machine/qmp_line.h"

#include <string.h>

/* Feeds the bytes in pieces; returns how many messages came before the end or the first error. */
static size_t count_messages(const uint8_t *bytes, size_t count, size_t piece, bool *failed)
{
    struct vt_qmp_lines lines = {0};
    size_t messages = 0;
    *failed = false;
    for (size_t at = 0; at < count && !*failed;) {
        char *to;
        size_t space;
        FUZZ_CHECK(vt_qmp_lines_reserve(&lines, &to, &space, NULL) == 0 && space > 0);
        size_t n = count - at < piece ? count - at : piece;
        n = n < space ? n : space;
        memcpy(to, bytes + at, n);
        vt_qmp_lines_added(&lines, n);
        at += n;
        for (json_t *message = NULL;;) {
            *failed = vt_qmp_lines_next(&lines, &message, NULL) != 0;
            if (*failed || message == NULL) {
                break;
            }
            FUZZ_CHECK(json_is_object(message));
            json_decref(message);
            messages++;
        }
    }
    vt_qmp_lines_fini(&lines);
    return messages;
}

static void check_map(const char *text)
{
    const uint64_t ram_bytes = (uint64_t)1 << 32;
    struct vt_ram_region regions[VT_RAM_REGIONS_MAX];
    unsigned n = 0;
    if (vt_mtree_parse(text, "ram0", ram_bytes, regions, &n, NULL) != 0) {
        return;
    }
    FUZZ_CHECK(n > 0 && n <= VT_RAM_REGIONS_MAX);
    for (unsigned i = 0; i < n; i++) {
        const struct vt_ram_region *r = &regions[i];
        FUZZ_CHECK(r->bytes > 0 && (r->gpa.v | r->offset.v | r->bytes) % VT_PAGE_BYTES == 0);
        FUZZ_CHECK(r->offset.v <= ram_bytes && r->bytes <= ram_bytes - r->offset.v);
        FUZZ_CHECK(i == 0 || r[-1].gpa.v + r[-1].bytes <= r->gpa.v);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t count)
{
    bool failed_whole, failed_pieces;
    size_t whole = count_messages(bytes, count, count + 1, &failed_whole);
    size_t pieces = count_messages(bytes, count, 3, &failed_pieces);
    FUZZ_CHECK(whole == pieces && failed_whole == failed_pieces);
    char *text = strndup((const char *)bytes, count);
    FUZZ_CHECK(text != NULL);
    check_map(text);
    free(text);
    return 0;
}
