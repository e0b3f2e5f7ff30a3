/* guest/described.c - kernels and the ISF files that describe them, both ways. See described.h.
 *
 * A file is about the kernel whose banner it holds. It is parsed once: symbols and types are kept
 * in the cache by build id like those found in RAM. Until a file fits, each opening looks at all.
 */
#include "guest/described.h"

#include "base/io.h"
#include "guest/kernel.h"
#include "guest/symbols/cache.h"
#include "guest/symbols/isf.h"

#include <stdlib.h>
#include <string.h>

/* ---------------------------------------------------------------- from files */

static void keep_types(const struct vt_kernel *k, const struct vt_btf *types)
{
    size_t n;
    const uint8_t *bytes = vt_btf_bytes(types, &n);
    if (k->cache_dir != NULL && k->build_id[0] != '\0') {
        vt_cache_store_types(k->cache_dir, k->build_id, bytes, n, NULL);
    }
}

struct finding {
    struct vt_kernel *kernel;
    const char *path; /* the file being tried */
    struct vt_btf *types;
};

static int load_described(struct vt_kernel *k, void *arg)
{
    struct finding *f = arg;
    struct vt_isf isf;
    int rc = vt_isf_read(f->path, &isf, NULL);
    if (rc == 0) {
        k->symbols = isf.symbols;
        f->types = isf.types;
    }
    return rc;
}

/* 1: it describes the kernel in RAM. */
static int try_described(const char *path, void *arg)
{
    struct finding *f = arg;
    char banner[VT_ISF_BANNER_MAX];
    int64_t banner_at;
    f->path = path;
    if (vt_isf_peek(path, banner, &banner_at, NULL) != 0) {
        return 0;
    }
    if (vt_kernel_try(f->kernel, banner, banner_at, load_described, f)) {
        return 1;
    }
    vt_btf_destroy(f->types);
    f->types = NULL;
    return 0;
}

int vt_kernel_find_described(struct vt_kernel *kernel, struct vt_error *err)
{
    struct finding f = {.kernel = kernel};
    if (vt_isf_each(kernel->symbol_path, try_described, &f) != 1) {
        return vt_fail(err, VT_E_NOT_FOUND, "no file in %s describes a kernel in RAM",
                       kernel->symbol_path);
    }
    kernel->described = f.types;
    keep_types(kernel, f.types);
    return 0;
}

struct typing {
    const struct vt_kernel *kernel;
    struct vt_btf *types;
};

/* 1: its types are this kernel's. */
static int try_types(const char *path, void *arg)
{
    struct typing *t = arg;
    char banner[VT_ISF_BANNER_MAX];
    int64_t banner_at;
    struct vt_isf isf;
    if (vt_isf_peek(path, banner, &banner_at, NULL) != 0 ||
        strcmp(banner, t->kernel->banner) != 0 || vt_isf_read(path, &isf, NULL) != 0) {
        return 0;
    }
    t->types = isf.types;
    isf.types = NULL;
    vt_isf_fini(&isf);
    return 1;
}

int vt_kernel_described_types(const struct vt_kernel *kernel, struct vt_btf **types,
                              struct vt_error *err)
{
    struct vt_kernel *k = (struct vt_kernel *)kernel; /* the header allows for caches */
    struct typing t = {.kernel = kernel};
    uint8_t *bytes;
    size_t n;
    if (k->described != NULL) {
        *types = k->described;
        k->described = NULL;
        return 0;
    }
    if (k->cache_dir != NULL &&
        vt_cache_load_types(k->cache_dir, k->build_id, &bytes, &n, NULL) == 0 &&
        vt_btf_create(bytes, n, types, NULL) == 0) {
        return 0;
    }
    if (k->symbol_path == NULL || vt_isf_each(k->symbol_path, try_types, &t) != 1) {
        return vt_fail(err, VT_E_NOT_FOUND, "no file describes this kernel's types");
    }
    keep_types(kernel, t.types);
    *types = t.types;
    return 0;
}

/* ---------------------------------------------------------------- to files */

/* What BTF does not say: the types of variables that tools start from. Stable for years, and left
 * out where the kernel does not have the type. (Their definitions in Linux 5.10 to 7.2.) */
static const struct {
    const char *symbol, *type;
    bool pointer;
} known[] = {
    {"init_task", "task_struct", false},
    {"init_mm", "mm_struct", false},
    {"init_cred", "cred", false},
    {"init_files", "files_struct", false},
    {"init_fs", "fs_struct", false},
    {"init_nsproxy", "nsproxy", false},
    {"init_pid_ns", "pid_namespace", false},
    {"init_user_ns", "user_namespace", false},
    {"init_uts_ns", "uts_namespace", false},
    {"init_ipc_ns", "ipc_namespace", false},
    {"init_net", "net", false},
    {"net_namespace_list", "list_head", false},
    {"modules", "list_head", false},
    {"module_kset", "kset", true},
    {"super_blocks", "list_head", false},
    {"tty_drivers", "list_head", false},
    {"slab_caches", "list_head", false},
    {"vmap_area_list", "list_head", false},
    {"iomem_resource", "resource", false},
    {"ioport_resource", "resource", false},
    {"boot_cpu_data", "cpuinfo_x86", false},
    {"keyboard_notifier_list", "atomic_notifier_head", false},
    {"prog_idr", "idr", false},
    {"map_idr", "idr", false},
    {"prb", "printk_ringbuffer", true},
    {"ftrace_ops_list", "ftrace_ops", true},
    {"socket_file_ops", "file_operations", false},
    {"sockfs_dentry_operations", "dentry_operations", false},
};

/* Ids of pointers to some structs, by one pass over all types. */
static uint32_t pointer_to(const struct vt_btf *btf, uint32_t id)
{
    for (uint32_t i = 1; i <= vt_btf_types(btf); i++) {
        struct vt_btf_type t = vt_btf_type(btf, i);
        if (t.kind == VT_BTF_PTR && t.of == id) {
            return i;
        }
    }
    return 0;
}

static void set_type(const struct vt_symbols *symbols, const char *name, uint32_t type,
                     uint32_t *types)
{
    const struct vt_symbol *s = vt_symbols_find(symbols, name);
    if (s != NULL) {
        types[s - symbols->list] = type;
    }
}

int vt_kernel_write_isf(const struct vt_kernel *kernel, FILE *out, struct vt_error *err)
{
    const struct vt_btf *btf = NULL;
    uint64_t moved, phys;
    int rc = vt_kernel_types(kernel, &btf, err);
    if (rc != 0) {
        return rc;
    }
    uint32_t *types = calloc(kernel->symbols.n, sizeof *types);
    if (types == NULL) {
        return vt_fail(err, VT_E_NOMEM, "ISF: out of memory");
    }
    for (uint32_t id = 1; id <= vt_btf_types(btf); id++) {
        struct vt_btf_type t = vt_btf_type(btf, id);
        if (t.kind == VT_BTF_VAR) {
            set_type(&kernel->symbols, t.name, t.of, types);
        }
    }
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++) {
        uint32_t id = vt_btf_struct(btf, known[i].type);
        set_type(&kernel->symbols, known[i].symbol,
                 id != 0 && known[i].pointer ? pointer_to(btf, id) : id, types);
    }
    vt_kernel_kaslr(kernel, &moved, &phys);
    const struct vt_isf_source source = {.banner = kernel->banner,
                                         .text = kernel->text_va.v - moved,
                                         .symbols = &kernel->symbols,
                                         .types = btf,
                                         .symbol_types = types};
    rc = vt_isf_write(out, &source, err);
    free(types);
    return rc;
}
