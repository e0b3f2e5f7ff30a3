/* tests/fuzz/fuzz_highlights.c - a highlights file of any bytes: refused, or what it says keeps the
 * rules and comes back when it is written and read again. The same bytes as runs are joined by the
 * rules, too, and have a box in the volume. */
#include "tests/fuzz/fuzz.h"

#include "volume/highlights.h"

#include <string.h>

static void check(const struct vt_highlight *h)
{
    uint64_t bytes = 0, reached = 0;
    FUZZ_CHECK(h->n_runs > 0 && h->n_runs <= VT_HIGHLIGHT_RUNS_MAX);
    for (size_t i = 0; i < h->n_runs; i++) {
        const struct vt_gpa_run *r = &h->runs[i];
        FUZZ_CHECK(r->bytes > 0 && (r->gpa.v | r->bytes) % VT_PAGE_BYTES == 0);
        FUZZ_CHECK(i == 0 || r->gpa.v > reached);
        reached = r->gpa.v + r->bytes;
        bytes += r->bytes;
    }
    FUZZ_CHECK(bytes == h->bytes);
}

static void check_again(const struct vt_highlights *set)
{
    char *text = NULL;
    size_t bytes = 0;
    struct vt_highlights again;
    FILE *out = open_memstream(&text, &bytes);
    FUZZ_CHECK(out != NULL);
    vt_highlights_print(set, out);
    FUZZ_CHECK(fclose(out) == 0);
    FUZZ_CHECK(vt_highlights_parse("again", text, bytes, &again, NULL) == 0);
    FUZZ_CHECK(again.n == set->n);
    for (size_t i = 0; i < set->n; i++) {
        const struct vt_highlight *a = &set->all[i], *b = &again.all[i];
        FUZZ_CHECK(strcmp(a->name, b->name) == 0 && strcmp(a->label, b->label) == 0);
        FUZZ_CHECK(memcmp(&a->colour, &b->colour, sizeof a->colour) == 0);
        FUZZ_CHECK(a->n_runs == b->n_runs &&
                   memcmp(a->runs, b->runs, a->n_runs * sizeof *a->runs) == 0);
    }
    vt_highlights_fini(&again);
    free(text);
}

static void join(const uint8_t *bytes, size_t count)
{
    static const struct vt_ram_region regions[] = {
        {{0}, {0}, 1 << 20}, {{1 << 20}, {1 << 20}, 1 << 20}, {{4 << 20}, {2 << 20}, 1 << 20}};
    struct vt_gpa_run runs[64], *joined;
    size_t n = 0, n_joined;
    for (; n < 64 && count >= 6; n++, bytes += 6, count -= 6) {
        uint32_t words[2] = {0};
        memcpy(words, bytes, 3);
        memcpy(words + 1, bytes + 3, 3);
        runs[n] = (struct vt_gpa_run){VT_GPA(words[0] & 0x7fffff), words[1] & 0xfffff};
        struct vt_box box;
        uint64_t off = runs[n].gpa.v;
        if (vt_volume_box(8, VT_OFF(off), runs[n].bytes, &box, NULL) == 0) {
            for (unsigned k = 0; k < 3; k++) {
                FUZZ_CHECK(box.min[k] <= box.max[k] && box.max[k] < 256);
            }
        }
    }
    if (vt_runs_join(runs, n, regions, 3, &joined, &n_joined, NULL) == 0) {
        struct vt_highlight h = {.runs = joined, .n_runs = n_joined};
        for (size_t i = 0; i < n_joined; i++) {
            h.bytes += joined[i].bytes;
        }
        check(&h);
        free(joined);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t count)
{
    struct vt_highlights set;
    if (vt_highlights_parse("fuzz", (const char *)bytes, count, &set, NULL) == 0) {
        FUZZ_CHECK(set.n <= VT_HIGHLIGHTS_MAX);
        for (size_t i = 0; i < set.n; i++) {
            check(&set.all[i]);
        }
        check_again(&set);
        vt_highlights_fini(&set);
    }
    join(bytes, count);
    return 0;
}
