/* tests/fuzz/fuzz_runs.c - where memory of each kind lies in a Linux whose RAM was changed
 * anywhere.
 *
 * Input: a byte that picks the depth of page tables, then patches: where (1 byte: page tables,
 * variables, struct pages, tasks), offset (2 bytes, in units of 8 bytes), value (8 bytes). The
 * kernel was found before. Whatever is told lies in RAM, in whole pages; tables are told once.
 */
#include "tests/fuzz/fuzz.h"

#include "base/cursor.h"
#include "tests/unit/guest/synthetic.h"
#include "vitrine/linux.h"

#include <string.h>

#define PATCHES_MAX 64u

struct patch {
    uint64_t pa;
    uint8_t before[8];
};

struct told {
    enum vt_memory_kind kind;
    uint64_t runs;
    bool table[SYNTHETIC_BYTES / VT_PAGE_BYTES];
};

static int on_run(const struct vt_memory_run *run, void *arg)
{
    struct told *told = arg;
    FUZZ_CHECK(run->bytes > 0 && (run->gva.v | run->gpa.v | run->bytes) % VT_PAGE_BYTES == 0);
    FUZZ_CHECK(run->gpa.v < SYNTHETIC_BYTES && run->bytes <= SYNTHETIC_BYTES - run->gpa.v);
    FUZZ_CHECK(run->kind < VT_MEMORY_KINDS && run->kind != VT_MEMORY_PROCESS &&
               run->kind != VT_MEMORY_KERNEL);
    if (told->kind == VT_MEMORY_PAGE_TABLES) {
        bool *table = &told->table[run->gpa.v / VT_PAGE_BYTES];
        FUZZ_CHECK(run->bytes == VT_PAGE_BYTES && run->level > 0 && run->level <= 5 && !*table);
        *table = true;
    }
    told->runs++;
    return 0;
}

static void look(struct vt_kernel *kernel)
{
    for (enum vt_memory_kind kind = VT_MEMORY_KERNEL_TEXT; kind < VT_MEMORY_KINDS; kind++) {
        struct told told = {.kind = kind};
        vt_kernel_refresh(kernel);
        vt_linux_memory_runs(kernel, kind, 0, on_run, &told, NULL);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t count)
{
    static struct synthetic guests[2];
    static struct vt_kernel *kernels[2];
    struct vt_cursor c = vt_cursor_of(bytes, count);
    unsigned deep = vt_cursor_u8(&c) % 2, n = 0;
    struct synthetic *s = &guests[deep];
    struct synthetic_kernel k = synthetic_default();
    k.levels = 4 + deep;
    k.pages = true;
    if (kernels[deep] == NULL) {
        synthetic_create(s);
        synthetic_add(s, &k);
        FUZZ_CHECK(vt_kernel_open(synthetic_open(s), NULL, &kernels[deep], NULL) == 0);
    }
    const uint64_t places[] = {k.text_pa + AT_ROOT, k.text_pa + AT_VARIABLES, PAGES_TABLES,
                               PAGES_ARRAY, k.text_pa + AT_INIT_TASK};
    const size_t n_places = sizeof places / sizeof places[0];
    struct patch patches[PATCHES_MAX];
    while (vt_cursor_left(&c) >= 11 && n < PATCHES_MAX) {
        size_t where = vt_cursor_u8(&c) % (n_places + k.tasks);
        uint64_t pa = 8 * (uint64_t)vt_cursor_u16(&c);
        pa +=
            where < n_places ? places[where] : synthetic_task_pa(&k, (unsigned)(where - n_places));
        const uint8_t *value = vt_cursor_take(&c, 8);
        if (pa > SYNTHETIC_BYTES - 8) {
            continue;
        }
        patches[n].pa = pa;
        memcpy(patches[n++].before, s->ram + pa, 8);
        memcpy(s->ram + pa, value, 8);
    }
    look(kernels[deep]);
    while (n-- > 0) { /* in reverse: patches may overlap */
        memcpy(s->ram + patches[n].pa, patches[n].before, 8);
    }
    return 0;
}
