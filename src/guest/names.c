/* guest/names.c - what a kernel's names mean: symbols and types, its own and its modules'.
 *
 * The kernel's own come first. Modules are read when something is not found there, and forgotten at
 * a refresh: the guest may have loaded others since.
 */
#include "base/io.h"
#include "guest/kernel.h"

#include <inttypes.h>
#include <string.h>

#define TYPE_TEXT_MAX 1200u /* the longest name, and what is around it */

/* The header allows for caches. */
static struct vt_kernel *caches_of(const struct vt_kernel *kernel)
{
    return (struct vt_kernel *)kernel;
}

/* ---------------------------------------------------------------- symbols */

static const struct vt_modules *module_symbols(const struct vt_kernel *kernel)
{
    struct vt_kernel *k = caches_of(kernel);
    if (!k->has_module_symbols) {
        k->has_module_symbols = true; /* first: what reading them asks for is the kernel's own */
        vt_modules_read_symbols(k, &k->module_symbols, NULL);
    }
    return &k->module_symbols;
}

static struct vt_gva address_of(const struct vt_kernel *kernel, const struct vt_symbol *s)
{
    return VT_GVA((s->absolute ? 0 : kernel->text_va.v) + (uint64_t)s->value);
}

bool vt_kernel_own_symbol(const struct vt_kernel *kernel, const char *name, struct vt_gva *gva)
{
    const struct vt_symbol *s = vt_symbols_find(&kernel->symbols, name);
    if (s != NULL) {
        *gva = address_of(kernel, s);
    }
    return s != NULL;
}

int vt_kernel_symbol(const struct vt_kernel *kernel, const char *name, struct vt_gva *gva,
                     struct vt_error *err)
{
    if (vt_kernel_own_symbol(kernel, name, gva)) {
        return 0;
    }
    const struct vt_modules *modules = module_symbols(kernel);
    const char *colon = strchr(name, ':');
    const struct vt_symbol *s = NULL;
    if (colon != NULL) {
        const struct vt_loaded *m = vt_modules_named(modules, name, (size_t)(colon - name));
        s = m != NULL ? vt_symbols_find(&m->symbols, colon + 1) : NULL;
    } else {
        for (size_t i = 0; i < modules->n && s == NULL; i++) {
            s = vt_symbols_find(&modules->list[i].symbols, name);
        }
    }
    if (s == NULL) {
        return vt_fail(err, VT_E_NOT_FOUND, "the kernel has no symbol '%s'", name);
    }
    gva->v = (uint64_t)s->value;
    return 0;
}

/* The kernel's own symbol at or before `gva`, or NULL. */
static const struct vt_symbol *image_symbol_at(const struct vt_kernel *kernel, struct vt_gva gva)
{
    const struct vt_symbol *end = vt_symbols_find(&kernel->symbols, "_end");
    int64_t value = (int64_t)(gva.v - kernel->text_va.v);
    bool inside = value >= 0 && (end == NULL ? value < VT_KERNEL_IMAGE_MAX : value <= end->value);
    return inside ? vt_symbols_before(&kernel->symbols, value, false) : NULL;
}

int vt_kernel_symbol_at(const struct vt_kernel *kernel, struct vt_gva gva, const char **name,
                        char *type, uint64_t *distance, struct vt_error *err)
{
    const struct vt_symbol *s = image_symbol_at(kernel, gva);
    const struct vt_loaded *module;
    if (s != NULL) {
        *name = vt_symbols_name(&kernel->symbols, s);
        *distance = gva.v - address_of(kernel, s).v;
    } else {
        s = vt_modules_symbol_at(module_symbols(kernel), gva, &module);
        if (s == NULL) {
            return vt_fail(err, VT_E_NOT_FOUND, "no symbol at 0x%" PRIx64, gva.v);
        }
        *name = vt_symbols_name(&module->symbols, s);
        *distance = gva.v - (uint64_t)s->value;
    }
    *type = s->type;
    return 0;
}

const char *vt_kernel_module_at(const struct vt_kernel *kernel, struct vt_gva gva)
{
    const struct vt_loaded *module;
    return image_symbol_at(kernel, gva) == NULL &&
                   vt_modules_symbol_at(module_symbols(kernel), gva, &module) != NULL
               ? module->name
               : NULL;
}

size_t vt_kernel_symbols(const struct vt_kernel *kernel)
{
    return kernel->symbols.n;
}

void vt_kernel_symbol_nth(const struct vt_kernel *kernel, size_t i, const char **name, char *type,
                          struct vt_gva *gva)
{
    const struct vt_symbol *s = &kernel->symbols.list[i];
    *name = vt_symbols_name(&kernel->symbols, s);
    *type = s->type;
    *gva = address_of(kernel, s);
}

int vt_kernel_module_symbols(const struct vt_kernel *kernel,
                             int (*fn)(const char *module, const char *name, char type,
                                       struct vt_gva gva, void *arg),
                             void *arg)
{
    const struct vt_modules *modules = module_symbols(kernel);
    int rc = 0;
    for (size_t i = 0; i < modules->n && rc == 0; i++) {
        const struct vt_loaded *m = &modules->list[i];
        for (size_t k = 0; k < m->symbols.n && rc == 0; k++) {
            const struct vt_symbol *s = &m->symbols.list[k];
            rc = fn(m->name, vt_symbols_name(&m->symbols, s), s->type, VT_GVA((uint64_t)s->value),
                    arg);
        }
    }
    return rc;
}

/* ---------------------------------------------------------------- types */

/* What the kernel carries itself. */
static int own_types(struct vt_kernel *k, struct vt_error *err)
{
    size_t n;
    uint8_t *bytes = vt_kernel_image_range(k, "__start_BTF", "__stop_BTF", VT_BTF_BYTES_MAX, &n);
    return bytes != NULL ? vt_btf_create(bytes, n, &k->btf, err)
                         : vt_fail(err, VT_E_NOT_FOUND,
                                   "the kernel carries no types (BTF), and no file describes them");
}

int vt_kernel_types(const struct vt_kernel *kernel, const struct vt_btf **btf, struct vt_error *err)
{
    struct vt_kernel *k = caches_of(kernel);
    if (k->btf == NULL && k->no_types.code == VT_OK) {
        uint64_t before = vt_now_ns();
        int rc = own_types(k, &k->no_types);
        if (rc != 0 && rc != VT_E_NOMEM && vt_kernel_described_types(k, &k->btf, NULL) == 0) {
            k->no_types = (struct vt_error){0};
            k->foreign_types = true;
        }
        k->cost.types_ns = vt_now_ns() - before;
    }
    if (k->btf == NULL) {
        return vt_fail(err, k->no_types.code, "%s", k->no_types.message);
    }
    *btf = k->btf;
    return 0;
}

static const struct vt_modules *module_types(const struct vt_kernel *kernel)
{
    struct vt_kernel *k = caches_of(kernel);
    if (!k->has_module_types) {
        k->has_module_types = true; /* first: what reading them asks for is the kernel's own */
        if (k->foreign_types) {
            return &k->module_types; /* those in RAM continue types that are not these */
        }
        vt_modules_read_types(k, k->btf, &k->module_types, NULL);
    }
    return &k->module_types;
}

/* Who has a struct: the kernel, else the module it is asked of or the first that has it. Moves
 * *name behind "module:". What nobody has is the kernel's to say. */
static int types_with(const struct vt_kernel *kernel, const char **name, const struct vt_btf **btf,
                      struct vt_error *err)
{
    int rc = vt_kernel_types(kernel, btf, err);
    if (rc != 0 || vt_btf_struct(*btf, *name) != 0) {
        return rc;
    }
    const struct vt_modules *modules = module_types(kernel);
    const char *colon = strchr(*name, ':');
    if (colon != NULL) {
        const struct vt_loaded *m = vt_modules_named(modules, *name, (size_t)(colon - *name));
        if (m == NULL) {
            return vt_fail(err, VT_E_NOT_FOUND, "no loaded module has types for %s", *name);
        }
        *btf = m->types;
        *name = colon + 1;
        return 0;
    }
    for (size_t i = 0; i < modules->n; i++) {
        if (vt_btf_struct(modules->list[i].types, *name) != 0) {
            *btf = modules->list[i].types;
            break;
        }
    }
    return 0;
}

int vt_kernel_member(const struct vt_kernel *kernel, const char *struct_name, const char *path,
                     struct vt_member *member, struct vt_error *err)
{
    const struct vt_btf *btf = NULL;
    int rc = types_with(kernel, &struct_name, &btf, err);
    return rc != 0 ? rc : vt_btf_member(btf, struct_name, path, member, err);
}

struct telling {
    const struct vt_btf *btf;
    int (*fn)(const char *name, const char *type, const struct vt_member *member, void *arg);
    void *arg;
};

static int tell(const struct vt_btf_member *m, void *arg)
{
    const struct telling *t = arg;
    struct vt_member member = {.offset = (uint32_t)(m->bit / 8), .bits = (uint8_t)m->bits};
    char type[TYPE_TEXT_MAX];
    if (m->bits != 0) {
        member.bit = (uint8_t)(m->bit % 8);
        member.size = (member.bit + m->bits + 7) / 8;
    } else if (vt_btf_size(t->btf, m->type, &member.size, NULL) != 0) {
        member.size = 0;
    }
    vt_btf_text(t->btf, m->type, type, sizeof type);
    return t->fn(m->name, type, &member, t->arg);
}

int vt_kernel_each_member(const struct vt_kernel *kernel, const char *struct_name,
                          int (*fn)(const char *name, const char *type,
                                    const struct vt_member *member, void *arg),
                          void *arg, struct vt_error *err)
{
    struct telling t = {.fn = fn, .arg = arg};
    int rc = types_with(kernel, &struct_name, &t.btf, err);
    return rc != 0 ? rc : vt_btf_each_member(t.btf, struct_name, tell, &t, err);
}

int vt_kernel_struct_size(const struct vt_kernel *kernel, const char *struct_name, uint32_t *bytes,
                          struct vt_error *err)
{
    const struct vt_btf *btf = NULL;
    int rc = types_with(kernel, &struct_name, &btf, err);
    return rc != 0 ? rc : vt_btf_struct_size(btf, struct_name, bytes, err);
}

int vt_kernel_enumerator(const struct vt_kernel *kernel, const char *name, int64_t *value,
                         struct vt_error *err)
{
    const struct vt_btf *btf = NULL;
    int rc = vt_kernel_types(kernel, &btf, err);
    if (rc != 0) {
        return rc;
    }
    rc = vt_btf_enumerator(btf, name, value, err);
    if (rc == VT_E_NOT_FOUND) {
        const struct vt_modules *modules = module_types(kernel);
        for (size_t i = 0; i < modules->n && rc != 0; i++) {
            rc = vt_btf_enumerator(modules->list[i].types, name, value, NULL);
        }
    }
    return rc;
}

int vt_kernel_enumerator_name(const struct vt_kernel *kernel, const char *enum_name, int64_t value,
                              const char **name, struct vt_error *err)
{
    const struct vt_btf *btf = NULL;
    int rc = vt_kernel_types(kernel, &btf, err);
    return rc != 0 ? rc : vt_btf_enumerator_name(btf, enum_name, value, name, err);
}
