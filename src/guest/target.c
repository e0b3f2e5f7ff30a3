/* guest/target.c - opens what is looked into. See vitrine/target.h.
 *
 * ELF cores and LiME files say where RAM lies guest-physically, a raw file does not. Beyond 2 GiB
 * QEMU's machines leave a hole for PCI; which of the known splits a file has is tried on the
 * guest's own tasks.
 */
#include "vitrine/target.h"

#include "base/paths.h"
#include "base/text.h"
#include "vitrine/dump.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define GIB (UINT64_C(1) << 30)
#define STATE_TIMEOUT_MS 2000

/* ---------------------------------------------------------------- a file */

/* How QEMU's x86 machines put RAM: `low` bytes below the hole once RAM has `from`, the rest at
 * 4 GiB (hw/i386: pc_q35_init, pc_init1). */
static const struct split {
    uint64_t from, low;
} splits[] = {
    {0xb0000000, 2 * GIB}, /* q35 */
    {0xe0000000, 3 * GIB}, /* pc */
    {0, UINT64_MAX},       /* all in one piece */
};

/* Opens with one split; VT_E_UNSUPPORTED when the file is too small for it to differ. */
static int open_split(const char *path, uint64_t bytes, const struct split *split,
                      struct vt_ram **ram, struct vt_error *err)
{
    if (split->low == UINT64_MAX) {
        return vt_ram_open(path, NULL, 0, ram, err);
    }
    if (bytes < split->from) {
        return vt_fail(err, VT_E_UNSUPPORTED, "%s is smaller than that", path);
    }
    const struct vt_ram_region regions[] = {
        {VT_GPA(0), VT_OFF(0), split->low},
        {VT_GPA(4 * GIB), VT_OFF(split->low), bytes - split->low},
    };
    return vt_ram_open(path, regions, 2, ram, err);
}

/* Does the guest make sense as mapped? Its tasks lie all over RAM. */
static bool makes_sense(struct vt_ram *ram)
{
    struct vt_kernel *kernel;
    struct vt_task_list list;
    bool good = false;
    if (vt_kernel_open(ram, NULL, &kernel, NULL) == 0) {
        if (vt_linux_tasks(kernel, &list, NULL) == 0) {
            good = !list.torn;
            vt_task_list_fini(&list);
        }
        vt_kernel_close(kernel);
    }
    return good;
}

int vt_target_file(const char *path, struct vt_ram **ram, struct vt_error *err)
{
    enum vt_dump_format format;
    struct stat st;
    int rc = vt_dump_probe(path, &format, err);
    if (rc != 0 || format != VT_DUMP_RAW) {
        return rc != 0 ? rc : vt_dump_open(path, format, ram, err);
    }
    uint64_t bytes = stat(path, &st) == 0 && st.st_size > 0 ? (uint64_t)st.st_size : 0;
    size_t n = sizeof splits / sizeof splits[0];
    for (size_t i = 0; i < n && bytes >= splits[0].from; i++) {
        struct vt_ram *tried;
        if (open_split(path, bytes, &splits[i], &tried, NULL) != 0) {
            continue;
        }
        if (makes_sense(tried)) {
            *ram = tried;
            return 0;
        }
        vt_ram_close(tried);
    }
    /* Small, or nothing there to tell by: as the default machine has it. */
    return open_split(path, bytes, bytes >= splits[0].from ? &splits[0] : &splits[n - 1], ram, err);
}

bool vt_target_is_file(const char *name)
{
    return strchr(name, '/') != NULL;
}

/* ---------------------------------------------------------------- a target */

/* The signals of this thread from before the pause. */
struct vt_signals {
    sigset_t before;
};

int vt_target_stop(struct vt_target *t, struct vt_error *err)
{
    enum vt_vm_state state;
    if (t->vm == NULL || t->held != NULL) {
        return 0;
    }
    int rc = vt_vm_query_state(t->vm, STATE_TIMEOUT_MS, &state, err);
    if (rc != 0 || state == VT_VM_PAUSED) {
        return rc;
    }
    struct vt_signals *held = malloc(sizeof *held);
    if (held == NULL) {
        return vt_fail(err, VT_E_NOMEM, "%s: out of memory", t->name);
    }
    /* From here to vt_target_resume a signal must not end us: the VM would stay paused. */
    sigset_t wait;
    sigemptyset(&wait);
    sigaddset(&wait, SIGINT);
    sigaddset(&wait, SIGTERM);
    sigaddset(&wait, SIGHUP);
    pthread_sigmask(SIG_BLOCK, &wait, &held->before);
    rc = vt_vm_pause(t->vm, err);
    if (rc != 0) {
        pthread_sigmask(SIG_SETMASK, &held->before, NULL);
        free(held);
        return rc;
    }
    t->held = held;
    if (t->kernel != NULL) {
        vt_kernel_refresh(t->kernel);
    }
    return 0;
}

int vt_target_resume(struct vt_target *t, struct vt_error *err)
{
    if (t->held == NULL) {
        return 0;
    }
    int rc = vt_vm_resume(t->vm, err);
    pthread_sigmask(SIG_SETMASK, &t->held->before, NULL);
    free(t->held);
    t->held = NULL;
    return rc;
}

int vt_target_open(const char *name, const char *operation, const char *detail,
                   struct vt_target *target, struct vt_error *err)
{
    struct vt_target t = {.name = name};
    int rc = vt_audit(name, operation, err, "%s", detail);
    if (rc == 0 && vt_target_is_file(name)) {
        rc = vt_target_file(name, &t.ram, err);
    } else if (rc == 0) {
        rc = vt_vm_open(name, &t.vm, err);
        if (rc == 0) {
            rc = vt_ram_open_vm(t.vm, &t.ram, err);
        }
    }
    if (rc != 0) {
        vt_target_close(&t, NULL);
        return rc;
    }
    *target = t;
    return 0;
}

int vt_target_close(struct vt_target *target, struct vt_error *err)
{
    int rc = vt_target_resume(target, err);
    vt_kernel_close(target->kernel);
    vt_ram_close(target->ram);
    vt_vm_close(target->vm);
    *target = (struct vt_target){0};
    return rc;
}

int vt_target_is_x86_64(const struct vt_target *target, struct vt_error *err)
{
    const char *arch = target->vm != NULL ? vt_vm_info(target->vm)->arch : "x86_64";
    if (strcmp(arch, "x86_64") == 0) {
        return 0;
    }
    return vt_fail(err, VT_E_UNSUPPORTED,
                   "%s is a machine for %s: only what Linux on x86_64 keeps in RAM is understood",
                   target->name, arch);
}

int vt_target_kernel(struct vt_target *target, struct vt_error *err)
{
    char cache[PATH_MAX], dir[PATH_MAX];
    struct vt_kernel_options options = {.symbol_path = getenv("VITRINE_SYMBOL_PATH")};
    if (target->kernel != NULL) {
        return 0;
    }
    if (target->ended) {
        return vt_fail(err, VT_E_GONE, "%s has ended; only its database is left", target->name);
    }
    int rc = vt_target_is_x86_64(target, err);
    if (rc != 0) {
        return rc;
    }
    if (vt_path_cache(cache, NULL) == 0 && vt_path_format(dir, NULL, "%s/symbols", cache) == 0) {
        options.cache_dir = dir;
    }
    return vt_kernel_open(target->ram, &options, &target->kernel, err);
}

/* After a reboot another kernel runs, or the same elsewhere. */
static bool still_runs(struct vt_kernel *kernel)
{
    struct vt_gva at;
    char text[64];
    const char *banner = vt_kernel_banner(kernel);
    size_t n = strnlen(banner, sizeof text);
    return vt_kernel_symbol(kernel, "linux_banner", &at, NULL) == 0 &&
           vt_space_read(vt_kernel_space(kernel), at, text, n, NULL) == 0 &&
           memcmp(text, banner, n) == 0;
}

void vt_target_refresh(struct vt_target *target)
{
    if (target->kernel == NULL || target->vm == NULL) {
        return; /* nothing kept, or a file that does not change */
    }
    vt_kernel_refresh(target->kernel);
    if (!still_runs(target->kernel)) {
        vt_kernel_close(target->kernel);
        target->kernel = NULL;
    }
}

int vt_target_address(struct vt_target *target, const char *text, uint64_t *address,
                      bool *is_symbol, struct vt_error *err)
{
    bool symbol = !(text[0] >= '0' && text[0] <= '9');
    uint64_t offset = 0, value;
    int rc;
    if (symbol) {
        char name[512];
        size_t length = strcspn(text, "+");
        if (length == 0 || length >= sizeof name) {
            return vt_fail(err, VT_E_INVAL, "'%s' is neither a number nor a symbol", text);
        }
        memcpy(name, text, length);
        name[length] = '\0';
        struct vt_gva gva;
        rc = text[length] == '+' ? vt_parse_u64(text + length + 1, &offset, err) : 0;
        if (rc == 0) {
            rc = vt_target_kernel(target, err);
        }
        if (rc == 0) {
            rc = vt_kernel_symbol(target->kernel, name, &gva, err);
        }
        value = rc == 0 ? gva.v + offset : 0;
    } else {
        rc = vt_parse_u64(text, &value, err);
    }
    if (rc == 0) {
        *address = value;
        if (is_symbol != NULL) {
            *is_symbol = symbol;
        }
    }
    return rc;
}

int vt_target_space(struct vt_target *target, int32_t pid, struct vt_space *space,
                    struct vt_error *err)
{
    struct vt_task_list list;
    int rc = vt_target_kernel(target, err);
    if (rc == 0 && pid == 0) {
        *space = *vt_kernel_space(target->kernel);
        return 0;
    }
    if (rc == 0) {
        rc = vt_linux_tasks(target->kernel, &list, err);
    }
    if (rc != 0) {
        return rc;
    }
    size_t i = 0;
    while (i < list.n && list.tasks[i].pid != pid) {
        i++;
    }
    rc = i < list.n ? vt_linux_task_space(target->kernel, &list.tasks[i], space, err)
                    : vt_fail(err, VT_E_NOT_FOUND, "%s has no process %d", target->name, pid);
    vt_task_list_fini(&list);
    return rc;
}
