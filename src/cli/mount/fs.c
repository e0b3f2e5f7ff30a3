/* cli/mount/fs.c - paths to nodes, nodes to files. See fs.h. */
#include "cli/mount/fs.h"

#include "base/io.h"
#include "base/text.h"
#include "cli/mount/text.h"
#include "vitrine/dump.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

/* Names may be this old; the kernel caches them as long. */
#define NAMES_NS UINT64_C(250000000)
/* A guest without a kernel may be booting: look again that often. */
#define KERNEL_NS UINT64_C(1000000000)

enum kind {
    DIRECTORY,
    TEXT,  /* by a function of text.h */
    NOUN,  /* a noun's rows */
    NOUNS, /* the directory of them */
    PROCESSES,
    PROCESS,
    REGIONS,
    PHYSMEM,
    VMCORE,
    MEM,
};

struct vt_fs_entry {
    const char *name;
    vt_fs_text_fn *text; /* of TEXT */
    enum kind kind;
    bool bare; /* there without a kernel */
};

static const struct vt_fs_entry root = {"", NULL, DIRECTORY, true};
static const struct vt_fs_entry noun_file = {"", NULL, NOUN, false};
static const struct vt_fs_entry process = {"", NULL, PROCESS, false};

static const struct vt_fs_entry of_root[] = {
    {"dmesg", vt_fs_text_dmesg, TEXT, false},
    {"kallsyms", vt_fs_text_kallsyms, TEXT, false},
    {"modules", vt_fs_text_modules, TEXT, false},
    {"mounts", vt_fs_text_mounts, TEXT, false},
    {"nouns", NULL, NOUNS, false},
    {"physmem", NULL, PHYSMEM, true},
    {"proc", NULL, PROCESSES, false},
    {"regions", NULL, REGIONS, true},
    {"sockets", vt_fs_text_sockets, TEXT, false},
    {"version", vt_fs_text_version, TEXT, false},
    {"vmcore", NULL, VMCORE, true},
    {0},
};

static const struct vt_fs_entry of_process[] = {
    {"cmdline", vt_fs_text_cmdline, TEXT, false},
    {"comm", vt_fs_text_comm, TEXT, false},
    {"environ", vt_fs_text_environ, TEXT, false},
    {"files", vt_fs_text_files, TEXT, false},
    {"maps", vt_fs_text_maps, TEXT, false},
    {"mem", NULL, MEM, false},
    {"nouns", NULL, NOUNS, false},
    {"status", vt_fs_text_status, TEXT, false},
    {0},
};

static int errno_of(const struct vt_error *err)
{
    switch (err->code) {
    case VT_E_NOT_FOUND:
    case VT_E_UNSUPPORTED:
        return -ENOENT;
    case VT_E_NOMEM:
        return -ENOMEM;
    case VT_E_INTERRUPTED:
        return -EINTR;
    default:
        return -EIO;
    }
}

void vt_fs_init(struct vt_fs *fs, struct vt_target *target)
{
    *fs = (struct vt_fs){.target = target, .since = time(NULL)};
}

void vt_fs_fini(struct vt_fs *fs)
{
    vt_task_list_fini(&fs->tasks);
}

void vt_fs_end(struct vt_fs *fs)
{
    fs->ended = true;
    vt_kernel_close(fs->target->kernel);
    vt_ram_close(fs->target->ram);
    fs->target->kernel = NULL;
    fs->target->ram = NULL;
}

/* ---------------------------------------------------------------- the kernel and its processes */

/* The kernel as it is now, or NULL. */
static struct vt_kernel *take_kernel(struct vt_fs *fs)
{
    struct vt_target *t = fs->target;
    bool known = t->kernel != NULL;
    vt_target_refresh(t);
    if (known && t->kernel == NULL) {
        fs->kernel_ns = 0;
    }
    uint64_t now = vt_now_ns();
    if (t->kernel == NULL &&
        (fs->kernel_ns == 0 || (t->vm != NULL && now - fs->kernel_ns > KERNEL_NS))) {
        vt_target_kernel(t, NULL);
        fs->kernel_ns = now;
        fs->tasks_ns = 0;
    }
    return t->kernel;
}

/* Who there is; no older than `age_ns`. */
static int take_tasks(struct vt_fs *fs, uint64_t age_ns)
{
    uint64_t now = vt_now_ns();
    struct vt_error err;
    struct vt_task_list list;
    if (fs->tasks_ns != 0 && now - fs->tasks_ns <= age_ns) {
        return 0;
    }
    struct vt_kernel *kernel = take_kernel(fs);
    if (kernel == NULL) {
        return -ENOENT;
    }
    if (vt_linux_tasks(kernel, &list, &err) != 0) {
        return errno_of(&err);
    }
    vt_task_list_fini(&fs->tasks);
    fs->tasks = list;
    fs->tasks_ns = now;
    return 0;
}

static int find_task(struct vt_fs *fs, int32_t pid, uint64_t age_ns, struct vt_task *task)
{
    int rc = take_tasks(fs, age_ns);
    for (size_t i = 0; rc == 0 && i < fs->tasks.n; i++) {
        if (fs->tasks.tasks[i].pid == pid) {
            *task = fs->tasks.tasks[i];
            return 0;
        }
    }
    return rc != 0 ? rc : -ENOENT;
}

/* ---------------------------------------------------------------- paths */

/* Nouns that need no more than a name, or a process. */
static bool shows(const struct vt_noun *noun, int32_t pid)
{
    return !noun->text_needed && (pid == 0 || noun->by_pid);
}

/* Whether it is there: what is made of a kernel needs one, a core is of x86_64. */
static bool is_there(struct vt_fs *fs, const struct vt_fs_entry *entry)
{
    if (entry->kind == VMCORE && vt_target_is_x86_64(fs->target, NULL) != 0) {
        return false;
    }
    return entry->bare || take_kernel(fs) != NULL;
}

static const struct vt_fs_entry *find_entry(struct vt_fs *fs, const struct vt_fs_entry *list,
                                            const char *name, size_t n)
{
    for (; list->name != NULL; list++) {
        if (strlen(list->name) == n && memcmp(list->name, name, n) == 0) {
            return is_there(fs, list) ? list : NULL;
        }
    }
    return NULL;
}

static int step_noun(struct vt_fs_node *node, const char *name, size_t n)
{
    static const char suffix[] = ".json";
    char bare[64];
    node->json = n > sizeof suffix - 1 &&
                 memcmp(name + n - (sizeof suffix - 1), suffix, sizeof suffix - 1) == 0;
    n -= node->json ? sizeof suffix - 1 : 0;
    if (n >= sizeof bare) {
        return -ENOENT;
    }
    memcpy(bare, name, n);
    bare[n] = '\0';
    node->noun = vt_noun_find(bare);
    node->entry = &noun_file;
    return node->noun != NULL && shows(node->noun, node->pid) ? 0 : -ENOENT;
}

static int step_process(struct vt_fs *fs, struct vt_fs_node *node, const char *name, size_t n)
{
    char text[16];
    uint64_t pid;
    struct vt_task task;
    if (n >= sizeof text || name[0] == '0') {
        return -ENOENT;
    }
    memcpy(text, name, n);
    text[n] = '\0';
    if (vt_parse_u64(text, &pid, NULL) != 0 || pid > INT32_MAX) {
        return -ENOENT;
    }
    node->pid = (int32_t)pid;
    node->entry = &process;
    return find_task(fs, node->pid, NAMES_NS, &task);
}

int vt_fs_lookup(struct vt_fs *fs, const char *path, struct vt_fs_node *node)
{
    struct vt_fs_node at = {.entry = &root};
    int rc = fs->ended ? -EIO : 0;
    while (rc == 0 && *path != '\0') {
        path += strspn(path, "/");
        size_t n = strcspn(path, "/");
        if (n == 0) {
            break;
        }
        switch (at.entry->kind) {
        case DIRECTORY:
        case PROCESS:
            at.entry = find_entry(fs, at.entry->kind == PROCESS ? of_process : of_root, path, n);
            rc = at.entry != NULL ? 0 : -ENOENT;
            break;
        case NOUNS:
            rc = step_noun(&at, path, n);
            break;
        case PROCESSES:
            rc = step_process(fs, &at, path, n);
            break;
        default:
            rc = -ENOTDIR;
        }
        path += n;
    }
    if (rc == 0) {
        *node = at;
    }
    return rc;
}

static bool is_directory(const struct vt_fs_node *node)
{
    enum kind kind = node->entry->kind;
    return kind == DIRECTORY || kind == NOUNS || kind == PROCESSES || kind == PROCESS;
}

/* ---------------------------------------------------------------- attributes and directories */

static int make_core(struct vt_fs *fs, bool registers, struct vt_dump_core *core)
{
    struct vt_target *t = fs->target;
    struct vt_error err;
    struct vt_dump_cpu *cpus = NULL;
    /* As many as the VM has, so that the size does not depend on QEMU's answer. */
    unsigned n = t->vm != NULL ? vt_vm_info(t->vm)->cpus : 0, told = 0;
    n = n < VT_DUMP_CPUS_MAX ? n : VT_DUMP_CPUS_MAX;
    struct vt_dump_cpu *all = calloc(n + 1, sizeof *all);
    if (all == NULL) {
        return -ENOMEM;
    }
    if (registers && t->vm != NULL && vt_dump_cpus(t->vm, &cpus, &told, NULL) == 0) {
        memcpy(all, cpus, (told < n ? told : n) * sizeof *all);
        vt_vm_release(t->vm);
    }
    struct vt_dump dump = {.ram = t->ram, .kernel = take_kernel(fs), .cpus = all, .n_cpus = n};
    int rc = vt_dump_core_make(&dump, core, &err);
    free(cpus);
    free(all);
    return rc == 0 ? 0 : errno_of(&err);
}

int vt_fs_stat(struct vt_fs *fs, const struct vt_fs_node *node, struct stat *st)
{
    struct vt_dump_core core;
    int rc = 0;
    if (fs->ended) {
        return -EIO;
    }
    *st = (struct stat){
        .st_mode = is_directory(node) ? S_IFDIR | 0500 : S_IFREG | 0400,
        .st_nlink = is_directory(node) ? 2 : 1,
        .st_uid = getuid(),
        .st_gid = getgid(),
        .st_atime = fs->since,
        .st_mtime = fs->since,
        .st_ctime = fs->since,
    };
    if (node->entry->kind == PHYSMEM) {
        st->st_size = (off_t)vt_ram_end(fs->target->ram).v;
    } else if (node->entry->kind == VMCORE) {
        rc = make_core(fs, false, &core);
        if (rc == 0) {
            st->st_size = (off_t)core.bytes;
            vt_dump_core_fini(&core);
        }
    }
    return rc;
}

static int list_entries(struct vt_fs *fs, const struct vt_fs_entry *list,
                        int (*fn)(const char *name, void *arg), void *arg)
{
    int rc = 0;
    for (; rc == 0 && list->name != NULL; list++) {
        rc = is_there(fs, list) ? fn(list->name, arg) : 0;
    }
    return rc;
}

static int list_nouns(int32_t pid, int (*fn)(const char *name, void *arg), void *arg)
{
    int rc = 0;
    for (const struct vt_noun *const *noun = vt_nouns; rc == 0 && *noun != NULL; noun++) {
        char name[80];
        if (shows(*noun, pid)) {
            snprintf(name, sizeof name, "%s.json", (*noun)->name);
            rc = fn((*noun)->name, arg);
            rc = rc != 0 ? rc : fn(name, arg);
        }
    }
    return rc;
}

static int list_processes(struct vt_fs *fs, int (*fn)(const char *name, void *arg), void *arg)
{
    int rc = take_tasks(fs, 0);
    for (size_t i = 0; rc == 0 && i < fs->tasks.n; i++) {
        char name[16];
        /* A torn list may say a thing twice, or nonsense. */
        if (fs->tasks.tasks[i].pid > 0) {
            snprintf(name, sizeof name, "%d", fs->tasks.tasks[i].pid);
            rc = fn(name, arg);
        }
    }
    return rc;
}

int vt_fs_list(struct vt_fs *fs, const struct vt_fs_node *node,
               int (*fn)(const char *name, void *arg), void *arg)
{
    if (fs->ended) {
        return -EIO;
    }
    switch (node->entry->kind) {
    case DIRECTORY:
        return list_entries(fs, of_root, fn, arg);
    case PROCESS:
        return list_entries(fs, of_process, fn, arg);
    case NOUNS:
        return list_nouns(node->pid, fn, arg);
    case PROCESSES:
        return list_processes(fs, fn, arg);
    default:
        return -ENOTDIR;
    }
}

/* ---------------------------------------------------------------- files */

struct vt_fs_file {
    struct vt_fs_node node;
    char *text; /* TEXT, NOUN, REGIONS */
    size_t n;
    struct vt_dump_core core; /* VMCORE */
    struct vt_task task;      /* MEM */
};

static int make_text(struct vt_fs *fs, struct vt_fs_file *f)
{
    struct vt_kernel *kernel = f->node.entry->bare ? NULL : take_kernel(fs);
    struct vt_error err = {.code = VT_E_NOMEM};
    int rc = 0;
    if (!f->node.entry->bare && kernel == NULL) {
        return -ENOENT;
    }
    FILE *out = open_memstream(&f->text, &f->n);
    if (out == NULL) {
        return -ENOMEM;
    }
    if (f->node.entry->kind == NOUN) {
        rc = vt_fs_text_noun(kernel, f->node.noun, f->node.json, f->node.pid, out, &err);
    } else if (f->node.entry->kind == REGIONS) {
        vt_fs_text_regions(fs->target->ram, out);
    } else {
        rc = f->node.entry->text(kernel, &f->task, out, &err);
    }
    if (rc == 0 && ferror(out)) {
        rc = VT_E_NOMEM;
    }
    /* A list that broke off is no file that is missing. */
    bool some = ftell(out) > 0;
    fclose(out);
    return rc == 0 || (some && err.code != VT_E_NOMEM) ? 0 : errno_of(&err);
}

int vt_fs_open(struct vt_fs *fs, const struct vt_fs_node *node, struct vt_fs_file **file)
{
    if (fs->ended || is_directory(node)) {
        return fs->ended ? -EIO : -EISDIR;
    }
    struct vt_fs_file *f = calloc(1, sizeof *f);
    if (f == NULL) {
        return -ENOMEM;
    }
    f->node = *node;
    int rc = node->pid != 0 ? find_task(fs, node->pid, 0, &f->task) : 0;
    switch (node->entry->kind) {
    case TEXT:
    case NOUN:
    case REGIONS:
        rc = rc != 0 ? rc : make_text(fs, f);
        break;
    case VMCORE:
        rc = make_core(fs, true, &f->core);
        break;
    default:
        break;
    }
    if (rc != 0) {
        vt_fs_close(f);
        return rc;
    }
    *file = f;
    return 0;
}

void vt_fs_close(struct vt_fs_file *file)
{
    if (file != NULL) {
        vt_dump_core_fini(&file->core);
        free(file->text);
        free(file);
    }
}

/* Bytes of RAM from `gpa` on, zeros where there is none. */
static int read_ram(const struct vt_ram *ram, uint64_t gpa, uint8_t *buf, size_t n)
{
    const struct vt_ram_region *regions;
    unsigned count = vt_ram_regions(ram, &regions);
    memset(buf, 0, n);
    for (unsigned i = 0; i < count; i++) {
        uint64_t from = regions[i].gpa.v > gpa ? regions[i].gpa.v : gpa;
        uint64_t to = regions[i].gpa.v + regions[i].bytes;
        to = to < gpa + n ? to : gpa + n;
        if (from < to && vt_ram_read(ram, VT_GPA(from), buf + (from - gpa), to - from, NULL) != 0) {
            return -EIO;
        }
    }
    return 0;
}

static int read_core(const struct vt_fs *fs, const struct vt_dump_core *core, uint64_t offset,
                     uint8_t *buf, size_t n)
{
    const struct vt_ram_region *regions;
    unsigned count = vt_ram_regions(fs->target->ram, &regions);
    memset(buf, 0, n);
    if (offset < core->n_head) {
        size_t left = core->n_head - (size_t)offset;
        memcpy(buf, core->head + offset, left < n ? left : n);
    }
    for (unsigned i = 0; i < count; i++) {
        uint64_t begin = core->offsets[i], from = begin > offset ? begin : offset;
        uint64_t to = begin + regions[i].bytes;
        to = to < offset + n ? to : offset + n;
        if (from < to && vt_ram_read(fs->target->ram, VT_GPA(regions[i].gpa.v + (from - begin)),
                                     buf + (from - offset), to - from, NULL) != 0) {
            return -EIO;
        }
    }
    return 0;
}

/* As much as is there; nothing of it is an error, as in /proc/PID/mem. */
static ssize_t read_mem(struct vt_fs *fs, struct vt_fs_file *f, uint64_t at, uint8_t *buf, size_t n)
{
    struct vt_task now;
    struct vt_space space;
    /* Its page tables may be another's by now. */
    if (find_task(fs, f->node.pid, NAMES_NS, &now) != 0 || now.at.v != f->task.at.v ||
        now.start_ns != f->task.start_ns || now.pgd.v != f->task.pgd.v ||
        vt_linux_task_space(fs->target->kernel, &now, &space, NULL) != 0) {
        return -EIO;
    }
    size_t have = 0;
    vt_kernel_refresh(fs->target->kernel);
    while (have < n) {
        uint64_t part = VT_PAGE_BYTES - (at + have) % VT_PAGE_BYTES;
        part = part < n - have ? part : n - have;
        if (vt_space_read(&space, VT_GVA(at + have), buf + have, part, NULL) != 0) {
            break;
        }
        have += part;
    }
    return have > 0 || n == 0 ? (ssize_t)have : -EIO;
}

ssize_t vt_fs_read(struct vt_fs *fs, struct vt_fs_file *f, void *buf, size_t n, uint64_t offset)
{
    if (fs->ended || vt_ram_check(fs->target->ram, NULL) != 0) {
        return -EIO;
    }
    enum kind kind = f->node.entry->kind;
    if (kind == MEM) {
        return read_mem(fs, f, offset, buf, n);
    }
    uint64_t end = kind == PHYSMEM  ? vt_ram_end(fs->target->ram).v
                   : kind == VMCORE ? f->core.bytes
                                    : f->n;
    if (offset >= end) {
        return 0;
    }
    n = n < end - offset ? n : (size_t)(end - offset);
    int rc = 0;
    if (kind == PHYSMEM) {
        rc = read_ram(fs->target->ram, offset, buf, n);
    } else if (kind == VMCORE) {
        rc = read_core(fs, &f->core, offset, buf, n);
    } else {
        memcpy(buf, f->text + offset, n);
    }
    return rc == 0 ? (ssize_t)n : rc;
}
