/* guest/linux/noun.c - the table of nouns and what their walks share. See noun.h. */
#include "guest/linux/noun.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

extern const struct vt_noun vt_noun_dmesg;
extern const struct vt_noun vt_noun_ps;
extern const struct vt_noun vt_noun_pstree;
extern const struct vt_noun vt_noun_threads;
extern const struct vt_noun vt_noun_kthreads;
extern const struct vt_noun vt_noun_env;
extern const struct vt_noun vt_noun_creds;
extern const struct vt_noun vt_noun_capabilities;
extern const struct vt_noun vt_noun_namespaces;
extern const struct vt_noun vt_noun_cgroups;
extern const struct vt_noun vt_noun_cpus;
extern const struct vt_noun vt_noun_uptime;
extern const struct vt_noun vt_noun_timers;
extern const struct vt_noun vt_noun_malfind;
extern const struct vt_noun vt_noun_maps;
extern const struct vt_noun vt_noun_files;
extern const struct vt_noun vt_noun_mounts;
extern const struct vt_noun vt_noun_filesystems;
extern const struct vt_noun vt_noun_pagecache;
extern const struct vt_noun vt_noun_modules;
extern const struct vt_noun vt_noun_pagetables;
extern const struct vt_noun vt_noun_slabs;
extern const struct vt_noun vt_noun_vmalloc;
extern const struct vt_noun vt_noun_memory;
extern const struct vt_noun vt_noun_zones;
extern const struct vt_noun vt_noun_hidden;
extern const struct vt_noun vt_noun_syscalls;
extern const struct vt_noun vt_noun_idt;
extern const struct vt_noun vt_noun_ftrace;
extern const struct vt_noun vt_noun_kprobes;
extern const struct vt_noun vt_noun_notifiers;
extern const struct vt_noun vt_noun_inline;
extern const struct vt_noun vt_noun_ttys;
extern const struct vt_noun vt_noun_bpf;
extern const struct vt_noun vt_noun_bpflinks;
extern const struct vt_noun vt_noun_bpfmaps;
extern const struct vt_noun vt_noun_neighbours;
extern const struct vt_noun vt_noun_net;
extern const struct vt_noun vt_noun_routes;
extern const struct vt_noun vt_noun_netfilter;
extern const struct vt_noun vt_noun_sockets;

/* In the order help shows them: what a guest runs, what its kernel keeps, who can be trusted. One a
 * line, so that two people can add one. */
/* clang-format off */
const struct vt_noun *const vt_nouns[] = {
    &vt_noun_ps,
    &vt_noun_pstree,
    &vt_noun_threads,
    &vt_noun_kthreads,
    &vt_noun_env,
    &vt_noun_creds,
    &vt_noun_capabilities,
    &vt_noun_namespaces,
    &vt_noun_cgroups,
    &vt_noun_cpus,
    &vt_noun_uptime,
    &vt_noun_timers,
    &vt_noun_maps,
    &vt_noun_pagetables,
    &vt_noun_files,
    &vt_noun_mounts,
    &vt_noun_filesystems,
    &vt_noun_pagecache,
    &vt_noun_modules,
    &vt_noun_slabs,
    &vt_noun_vmalloc,
    &vt_noun_memory,
    &vt_noun_zones,
    &vt_noun_net,
    &vt_noun_routes,
    &vt_noun_neighbours,
    &vt_noun_sockets,
    &vt_noun_bpfmaps,
    &vt_noun_bpflinks,
    &vt_noun_dmesg,
    &vt_noun_hidden,
    &vt_noun_syscalls,
    &vt_noun_idt,
    &vt_noun_ftrace,
    &vt_noun_kprobes,
    &vt_noun_notifiers,
    &vt_noun_inline,
    &vt_noun_ttys,
    &vt_noun_netfilter,
    &vt_noun_bpf,
    &vt_noun_malfind,
    NULL,
};
/* clang-format on */

const struct vt_noun *vt_noun_find(const char *name)
{
    for (const struct vt_noun *const *n = vt_nouns; *n != NULL; n++) {
        if (strcmp((*n)->name, name) == 0) {
            return *n;
        }
    }
    return NULL;
}

int vt_noun_walk(struct vt_kernel *kernel, const struct vt_noun *noun,
                 const struct vt_noun_query *query, vt_row_fn *fn, void *arg,
                 struct vt_noun_result *result, struct vt_error *err)
{
    struct vt_walk *walk = calloc(1, sizeof *walk);
    if (walk == NULL) {
        return vt_fail(err, VT_E_NOMEM, "%s: out of memory", noun->name);
    }
    walk->kernel = kernel;
    walk->space = &kernel->space;
    walk->fn = fn;
    walk->arg = arg;
    if (query != NULL) {
        walk->query = *query;
    }
    vt_look_init(&walk->look, walk->space);
    int rc = noun->walk(walk, err);
    if (rc == 0) {
        rc = vt_ram_check(kernel->ram, err);
    }
    if (rc == 0) {
        *result = walk->result;
    }
    vt_look_fini(&walk->look);
    free(walk);
    return rc;
}

int vt_walk_row(struct vt_walk *walk, struct vt_row *row)
{
    row->trust = walk->look.doubted ? VT_TRUST_TORN : VT_TRUST_OK;
    memcpy(row->why, walk->look.why, sizeof row->why);
    walk->result.rows++;
    walk->result.torn_rows += walk->look.doubted;
    if (walk->look.doubted) {
        row->finding[0] = '\0'; /* what never held still accuses nobody */
    }
    walk->result.findings += row->finding[0] != '\0';
    return walk->fn(row, walk->arg);
}

void vt_row_find(struct vt_row *row, const char *fmt, ...)
{
    if (row->finding[0] == '\0') {
        va_list ap;
        va_start(ap, fmt);
        vsnprintf(row->finding, sizeof row->finding, fmt, ap);
        va_end(ap);
    }
}

void vt_walk_torn(struct vt_walk *walk, const char *fmt, ...)
{
    if (!walk->result.torn) {
        va_list ap;
        va_start(ap, fmt);
        vsnprintf(walk->result.why, sizeof walk->result.why, fmt, ap);
        va_end(ap);
        walk->result.torn = true;
    }
}

void vt_walk_list_end(struct vt_walk *walk, struct vt_list_walk *list)
{
    if (list->torn) {
        vt_walk_torn(walk, "%s", list->why);
    }
    vt_list_end(list);
}

void vt_walk_hlist_end(struct vt_walk *walk, struct vt_hlist_walk *hlist)
{
    if (hlist->torn) {
        vt_walk_torn(walk, "%s", hlist->why);
    }
    vt_hlist_end(hlist);
}

/* One for each KiB of RAM: what is smaller does not hang on rows in such numbers. */
#define STEP_BYTES 1024u
#define STEPS_MIN 65536u

bool vt_walk_step(struct vt_walk *walk)
{
    size_t most = STEPS_MIN + (size_t)(vt_ram_size(walk->kernel->ram) / STEP_BYTES);
    if (walk->steps < most) {
        walk->steps++;
        return true;
    }
    vt_walk_torn(walk, "it goes on after %zu steps", most);
    return false;
}

int vt_walk_tasks(struct vt_walk *walk, struct vt_task_list *list, struct vt_error *err)
{
    struct vt_task_list all;
    int rc = vt_linux_tasks(walk->kernel, &all, err);
    if (rc != 0) {
        return rc;
    }
    if (all.torn) {
        vt_walk_torn(walk, "processes: %s", all.why);
    }
    int32_t pid = walk->query.pid;
    if (pid != 0) {
        size_t i = 0;
        while (i < all.n && all.tasks[i].pid != pid) {
            i++;
        }
        if (i == all.n) {
            vt_task_list_fini(&all);
            return vt_fail(err, VT_E_NOT_FOUND, "the guest has no process %" PRId32, pid);
        }
        all.tasks[0] = all.tasks[i];
        all.n = 1;
    }
    *list = all;
    return 0;
}

const char *vt_walk_symbol(const struct vt_walk *walk, struct vt_gva gva)
{
    const char *name;
    char type;
    uint64_t distance;
    int rc = vt_kernel_symbol_at(walk->kernel, gva, &name, &type, &distance, NULL);
    return rc == 0 && distance == 0 ? name : NULL;
}

size_t vt_walk_cap(const struct vt_walk *walk, uint64_t bytes, size_t max)
{
    uint64_t fit = vt_ram_size(walk->kernel->ram) / (bytes > 0 ? bytes : 1) + 1;
    return fit < max ? (size_t)fit : max;
}
