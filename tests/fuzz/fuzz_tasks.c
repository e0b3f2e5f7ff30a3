/* tests/fuzz/fuzz_tasks.c - a whole Linux in RAM with words changed anywhere.
 *
 * Input: a byte that picks the layout, then patches: where (1 byte: symbols, types, page tables,
 * variables, init_task or tasks), offset (2 bytes, in units of 4 bytes), value (8 bytes).
 */
#include "tests/fuzz/fuzz.h"

#include "base/cursor.h"
#include "tests/unit/guest/synthetic.h"
#include "vitrine/guest.h"

#include <string.h>

#define PATCHES_MAX 64u

struct patch {
    uint64_t pa;
    uint8_t before[8];
};

static void look(struct vt_ram *ram)
{
    struct vt_kernel *kernel;
    struct vt_task_list list;
    if (vt_kernel_open(ram, NULL, &kernel, NULL) != 0) {
        return;
    }
    if (vt_linux_tasks(kernel, &list, NULL) == 0) {
        FUZZ_CHECK(list.n <= SYNTHETIC_BYTES / 256 + 1);
        for (size_t i = 0; i < list.n && i < 100; i++) {
            const struct vt_task *t = &list.tasks[i];
            char args[5000];
            FUZZ_CHECK(memchr(t->comm, '\0', sizeof t->comm) != NULL);
            FUZZ_CHECK(t->trust == VT_TRUST_TORN || (t->pid > 0 && t->pid == t->tgid));
            if (vt_linux_task_args(kernel, t, args, sizeof args, NULL) == 0) {
                FUZZ_CHECK(memchr(args, '\0', sizeof args) != NULL);
            }
        }
        FUZZ_CHECK(list.torn == (list.why[0] != '\0'));
        vt_task_list_fini(&list);
    }
    const char *name;
    char type;
    uint64_t distance;
    struct vt_gva va;
    struct vt_gpa pa;
    vt_kernel_text(kernel, &va, &pa);
    vt_kernel_symbol_at(kernel, VT_GVA(va.v + 0x12345), &name, &type, &distance, NULL);
    vt_kernel_close(kernel);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t count)
{
    static struct synthetic guests[LAYOUTS];
    static struct vt_ram *rams[LAYOUTS];
    static const uint32_t places[] = {AT_SYMBOLS,   AT_BTF,        AT_ROOT, AT_VARIABLES,
                                      AT_INIT_TASK, AT_VMCOREINFO, AT_NOTES};
    struct vt_cursor c = vt_cursor_of(bytes, count);
    unsigned layout = vt_cursor_u8(&c) % LAYOUTS, n = 0;
    struct synthetic *s = &guests[layout];
    struct synthetic_kernel k = synthetic_default();
    if (rams[layout] == NULL) {
        k.layout = layout;
        k.levels = 4 + layout % 2;
        k.percpu_rss = layout >= LAYOUT_6_12;
        synthetic_create(s);
        synthetic_add(s, &k);
        rams[layout] = synthetic_open(s);
    }
    struct patch patches[PATCHES_MAX];
    while (vt_cursor_left(&c) >= 11 && n < PATCHES_MAX) {
        size_t where = vt_cursor_u8(&c) % (sizeof places / sizeof places[0] + k.tasks);
        uint64_t pa = 4 * (uint64_t)vt_cursor_u16(&c);
        pa += where < k.tasks ? synthetic_task_pa(&k, (unsigned)where)
                              : k.text_pa + places[where - k.tasks];
        const uint8_t *value = vt_cursor_take(&c, 8);
        patches[n].pa = pa;
        memcpy(patches[n++].before, s->ram + pa, 8);
        memcpy(s->ram + pa, value, 8);
    }
    look(rams[layout]);
    while (n-- > 0) { /* in reverse: patches may overlap */
        memcpy(s->ram + patches[n].pa, patches[n].before, 8);
    }
    return 0;
}
