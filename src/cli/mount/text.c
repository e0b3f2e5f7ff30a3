/* cli/mount/text.c - see text.h. */
#include "cli/mount/text.h"

#include "base/text.h"
#include "cli/nouns.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define RAW_MAX (UINT64_C(8) << 20)

/* Guest text, safe for a terminal. */
static void put_text(FILE *out, const char *text)
{
    char safe[8192];
    vt_text_printable(safe, sizeof safe, text, strlen(text));
    fputs(safe, out);
}

static int walk_noun(struct vt_kernel *kernel, const char *name, int32_t pid, vt_row_fn *fn,
                     void *arg, struct vt_error *err)
{
    const struct vt_noun *noun = vt_noun_find(name);
    struct vt_noun_query query = {.pid = pid};
    struct vt_noun_result result;
    return noun != NULL ? vt_noun_walk(kernel, noun, &query, fn, arg, &result, err)
                        : vt_fail(err, VT_E_NOT_FOUND, "no %s", name);
}

int vt_fs_text_noun(struct vt_kernel *kernel, const struct vt_noun *noun, bool json, int32_t pid,
                    FILE *out, struct vt_error *err)
{
    const struct vt_output to = {.out = out, .json = json};
    struct vt_noun_query query = {.pid = pid};
    struct vt_noun_result result;
    int status;
    int rc = vt_noun_write(&to, kernel, noun, &query, &result, &status, err);
    if (rc == 0 && result.torn && !json) {
        fputs("# may be incomplete: ", out);
        put_text(out, result.why);
        fputc('\n', out);
    }
    return rc;
}

void vt_fs_text_regions(const struct vt_ram *ram, FILE *out)
{
    const struct vt_ram_region *regions;
    unsigned n = vt_ram_regions(ram, &regions);
    for (unsigned i = 0; i < n; i++) {
        fprintf(out, "%08" PRIx64 "-%08" PRIx64 " : System RAM\n", regions[i].gpa.v,
                regions[i].gpa.v + regions[i].bytes - 1);
    }
}

/* ---------------------------------------------------------------- the system */

int vt_fs_text_version(struct vt_kernel *kernel, const struct vt_task *task, FILE *out,
                       struct vt_error *err)
{
    (void)task;
    (void)err;
    put_text(out, vt_kernel_banner(kernel));
    fputc('\n', out);
    return 0;
}

static int put_symbol(const char *module, const char *name, char type, struct vt_gva gva, void *arg)
{
    FILE *out = arg;
    fprintf(out, "%016" PRIx64 " %c ", gva.v, type);
    put_text(out, name);
    if (module != NULL) {
        fputs("\t[", out);
        put_text(out, module);
        fputc(']', out);
    }
    fputc('\n', out);
    return 0;
}

int vt_fs_text_kallsyms(struct vt_kernel *kernel, const struct vt_task *task, FILE *out,
                        struct vt_error *err)
{
    size_t n = vt_kernel_symbols(kernel);
    (void)task;
    (void)err;
    for (size_t i = 0; i < n; i++) {
        const char *name;
        char type;
        struct vt_gva gva;
        vt_kernel_symbol_nth(kernel, i, &name, &type, &gva);
        put_symbol(NULL, name, type, gva, out);
    }
    vt_kernel_module_symbols(kernel, put_symbol, out);
    return 0;
}

static int put_module(const struct vt_row *row, void *arg)
{
    const struct vt_module *m = (const void *)row;
    FILE *out = arg;
    put_text(out, m->name);
    fprintf(out, " %" PRIu64 " %" PRIu32 " - %s 0x%016" PRIx64, m->bytes, m->users, m->state,
            m->base.v);
    if (m->taints[0] != '\0') {
        fprintf(out, " (%s)", m->taints);
    }
    fputc('\n', out);
    return 0;
}

int vt_fs_text_modules(struct vt_kernel *kernel, const struct vt_task *task, FILE *out,
                       struct vt_error *err)
{
    (void)task;
    return walk_noun(kernel, "modules", 0, put_module, out, err);
}

static void put_or(FILE *out, const char *text, const char *fallback, char after)
{
    put_text(out, text != NULL && text[0] != '\0' ? text : fallback);
    fputc(after, out);
}

static int put_mount(const struct vt_row *row, void *arg)
{
    const struct vt_mount *m = (const void *)row;
    FILE *out = arg;
    put_or(out, m->source, "none", ' ');
    put_or(out, m->mount_point, "?", ' ');
    put_or(out, m->type, "?", ' ');
    put_or(out, m->options, "?", ' ');
    fputs("0 0\n", out);
    return 0;
}

/* As process 1 sees them. */
int vt_fs_text_mounts(struct vt_kernel *kernel, const struct vt_task *task, FILE *out,
                      struct vt_error *err)
{
    (void)task;
    return walk_noun(kernel, "mounts", 1, put_mount, out, err);
}

static int put_record(const struct vt_row *row, void *arg)
{
    const struct vt_dmesg_record *r = (const void *)row;
    FILE *out = arg;
    if (r->text != NULL) {
        fprintf(out, "[%5" PRIu64 ".%06" PRIu64 "] ", r->time_ns / 1000000000,
                r->time_ns % 1000000000 / 1000);
        put_text(out, r->text);
        fputc('\n', out);
    }
    return 0;
}

int vt_fs_text_dmesg(struct vt_kernel *kernel, const struct vt_task *task, FILE *out,
                     struct vt_error *err)
{
    (void)task;
    return walk_noun(kernel, "dmesg", 0, put_record, out, err);
}

static int put_table(struct vt_kernel *kernel, const char *name, int32_t pid, FILE *out,
                     struct vt_error *err)
{
    const struct vt_noun *noun = vt_noun_find(name);
    return noun != NULL ? vt_fs_text_noun(kernel, noun, false, pid, out, err)
                        : vt_fail(err, VT_E_NOT_FOUND, "no %s", name);
}

int vt_fs_text_sockets(struct vt_kernel *kernel, const struct vt_task *task, FILE *out,
                       struct vt_error *err)
{
    (void)task;
    return put_table(kernel, "sockets", 0, out, err);
}

/* ---------------------------------------------------------------- a process */

/* The bytes between two addresses that the process's mm_struct names, as far as they are there. */
static int put_raw(struct vt_kernel *kernel, const struct vt_task *task, const char *from,
                   const char *to, FILE *out, struct vt_error *err)
{
    struct vt_member first, last;
    struct vt_space space;
    uint64_t at, end;
    if (task->mm.v == 0) {
        return 0;
    }
    int rc = vt_kernel_member(kernel, "mm_struct", from, &first, err);
    rc = rc != 0 ? rc : vt_kernel_member(kernel, "mm_struct", to, &last, err);
    const struct vt_space *mine = vt_kernel_space(kernel);
    rc = rc != 0 ? rc : vt_space_read_u64(mine, VT_GVA(task->mm.v + first.offset), &at, err);
    rc = rc != 0 ? rc : vt_space_read_u64(mine, VT_GVA(task->mm.v + last.offset), &end, err);
    rc = rc != 0 ? rc : vt_linux_task_space(kernel, task, &space, err);
    if (rc == 0 && (end < at || end - at > RAW_MAX)) {
        rc = vt_fail(err, VT_E_CORRUPT, "%s makes no sense", to);
    }
    while (rc == 0 && at < end) {
        uint8_t page[VT_PAGE_BYTES];
        uint64_t n = VT_PAGE_BYTES - at % VT_PAGE_BYTES;
        n = n < end - at ? n : end - at;
        if (vt_space_read(&space, VT_GVA(at), page, n, NULL) != 0) {
            break; /* swapped out */
        }
        fwrite(page, 1, n, out);
        at += n;
    }
    return rc;
}

int vt_fs_text_cmdline(struct vt_kernel *kernel, const struct vt_task *task, FILE *out,
                       struct vt_error *err)
{
    return put_raw(kernel, task, "arg_start", "arg_end", out, err);
}

int vt_fs_text_environ(struct vt_kernel *kernel, const struct vt_task *task, FILE *out,
                       struct vt_error *err)
{
    return put_raw(kernel, task, "env_start", "env_end", out, err);
}

int vt_fs_text_comm(struct vt_kernel *kernel, const struct vt_task *task, FILE *out,
                    struct vt_error *err)
{
    (void)kernel;
    (void)err;
    put_text(out, task->comm);
    fputc('\n', out);
    return 0;
}

int vt_fs_text_files(struct vt_kernel *kernel, const struct vt_task *task, FILE *out,
                     struct vt_error *err)
{
    return put_table(kernel, "files", task->pid, out, err);
}

static int put_map(const struct vt_row *row, void *arg)
{
    const struct vt_map *m = (const void *)row;
    FILE *out = arg;
    int n = fprintf(out, "%08" PRIx64 "-%08" PRIx64 " %s %08" PRIx64 " %s %" PRIu64 " ", m->start.v,
                    m->end.v, m->perms, m->offset, m->device, m->inode);
    if (m->name != NULL) {
        fprintf(out, "%*s", n < 73 ? 73 - n : 0, "");
        put_text(out, m->name);
    }
    fputc('\n', out);
    return 0;
}

int vt_fs_text_maps(struct vt_kernel *kernel, const struct vt_task *task, FILE *out,
                    struct vt_error *err)
{
    return walk_noun(kernel, "maps", task->pid, put_map, out, err);
}

/* What a state's letter stands for. (fs/proc/array.c) */
static const char *state_name(char state)
{
    static const struct {
        char letter;
        const char *name;
    } names[] = {{'R', "running"}, {'S', "sleeping"},     {'D', "disk sleep"},
                 {'T', "stopped"}, {'t', "tracing stop"}, {'X', "dead"},
                 {'Z', "zombie"},  {'P', "parked"},       {'I', "idle"}};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        if (names[i].letter == state) {
            return names[i].name;
        }
    }
    return "unknown";
}

static int put_creds(const struct vt_row *row, void *arg)
{
    const struct vt_creds *c = (const void *)row;
    FILE *out = arg;
    fprintf(out, "Uid:\t%" PRIu32 "\t%" PRIu32 "\t%" PRIu32 "\t%" PRIu32 "\n", c->uid, c->euid,
            c->suid, c->fsuid);
    fprintf(out, "Gid:\t%" PRIu32 "\t%" PRIu32 "\t%" PRIu32 "\t%" PRIu32 "\nGroups:\t", c->gid,
            c->egid, c->sgid, c->fsgid);
    for (const char *g = c->groups; g != NULL && *g != '\0'; g++) {
        fputc(*g == ',' ? ' ' : *g, out);
    }
    fputs(" \n", out);
    return 0;
}

static int put_capabilities(const struct vt_row *row, void *arg)
{
    const struct vt_capabilities *c = (const void *)row;
    FILE *out = arg;
    fprintf(out,
            "CapInh:\t%016" PRIx64 "\nCapPrm:\t%016" PRIx64 "\nCapEff:\t%016" PRIx64
            "\nCapBnd:\t%016" PRIx64 "\nCapAmb:\t%016" PRIx64 "\nNoNewPrivs:\t%d\n",
            c->inheritable, c->permitted, c->effective, c->bounding, c->ambient, c->no_new_privs);
    return 0;
}

/* In the order of /proc, as far as nouns know it. */
int vt_fs_text_status(struct vt_kernel *kernel, const struct vt_task *task, FILE *out,
                      struct vt_error *err)
{
    (void)err;
    fputs("Name:\t", out);
    put_text(out, task->comm);
    fprintf(out, "\nState:\t%c (%s)\nTgid:\t%" PRId32 "\nPid:\t%" PRId32 "\nPPid:\t%" PRId32 "\n",
            task->state, state_name(task->state), task->tgid, task->pid, task->ppid);
    /* What a kernel cannot tell is left out. */
    walk_noun(kernel, "creds", task->pid, put_creds, out, NULL);
    if (task->mm.v != 0) {
        fprintf(out, "VmRSS:\t%8" PRIu64 " kB\n", task->rss_pages * (VT_PAGE_BYTES / 1024));
    }
    fprintf(out, "Threads:\t%u\n", task->threads);
    walk_noun(kernel, "capabilities", task->pid, put_capabilities, out, NULL);
    return 0;
}
