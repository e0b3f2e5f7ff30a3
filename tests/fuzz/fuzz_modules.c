/* tests/fuzz/fuzz_modules.c - a guest whose modules' structs, names and types are changed anywhere.
 *
 * Input: a byte for the kernel's layout, then patches of offset (3 bytes, into what holds the
 * modules) and value (1 byte).
 */
#include "tests/fuzz/fuzz.h"

#include "tests/unit/guest/synthetic_modules.h"
#include "vitrine/guest.h"

#include <string.h>

#define SPAN (2u * MODULE_STEP)

static int check(const char *module, const char *name, char type, struct vt_gva gva, void *arg)
{
    const struct vt_kernel *kernel = arg;
    char both[4096];
    struct vt_gva found;
    (void)type;
    FUZZ_CHECK(module[0] != '\0' && name[0] != '\0' && strlen(module) + strlen(name) < 2000);
    snprintf(both, sizeof both, "%s:%s", module, name);
    FUZZ_CHECK(vt_kernel_symbol(kernel, both, &found, NULL) == 0);
    vt_kernel_module_at(kernel, gva);
    return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t count)
{
    static struct synthetic s;
    static uint8_t *pristine;
    static enum test_layout made = LAYOUTS;
    if (count == 0) {
        return 0;
    }
    struct synthetic_kernel k = synthetic_default();
    k.layout = bytes[0] % LAYOUTS;
    k.modules = true;
    if (pristine == NULL) {
        synthetic_create(&s);
        pristine = malloc(SPAN);
        FUZZ_CHECK(pristine != NULL);
    }
    if (made != k.layout) {
        synthetic_add(&s, &k);
        memcpy(pristine, s.ram + MODULES_AT, SPAN);
        made = k.layout;
    }
    for (size_t i = 1; i + 4 <= count; i += 4) {
        size_t at = (size_t)bytes[i] | (size_t)bytes[i + 1] << 8 | (size_t)bytes[i + 2] << 16;
        s.ram[MODULES_AT + at % SPAN] = bytes[i + 3];
    }
    struct vt_ram *ram = synthetic_open(&s);
    struct vt_kernel *kernel;
    struct vt_member m;
    int64_t value;
    FUZZ_CHECK(vt_kernel_open(ram, NULL, &kernel, NULL) == 0);
    vt_kernel_module_symbols(kernel, check, kernel);
    vt_kernel_member(kernel, "alpha_state", "task", &m, NULL);
    vt_kernel_member(kernel, "net_alpha:alpha_state", "next.prev", &m, NULL);
    vt_kernel_enumerator(kernel, "ALPHA_THIRD", &value, NULL);
    vt_kernel_close(kernel);
    vt_ram_close(ram);
    memcpy(s.ram + MODULES_AT, pristine, SPAN);
    return 0;
}
