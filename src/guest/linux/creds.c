/* guest/linux/creds.c - who processes are and what they may do. See vitrine/linux.h.
 *
 * What is shown is real_cred, as /proc/PID/status does: a task may act under other credentials for
 * a moment.
 */
#include "guest/linux/tasks.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define GROUPS_MAX 65536u /* NGROUPS_MAX */
#define GROUP_DIGITS 11u  /* of one, with its comma */
#define SETS 5u
#define NAMES_MAX 1024u

struct layout {
    struct vt_member real_cred;
    struct vt_extent cred;
    struct vt_member uid, gid, suid, sgid, euid, egid, fsuid, fsgid, securebits, group_info;
    struct vt_member sets[SETS]; /* effective, permitted, inheritable, bounding, ambient */
    struct vt_member security;
    struct vt_member ngroups, gid_first;
    struct vt_member seccomp_mode, seccomp_filters, atomic_flags;
    struct vt_member blob_cred, label_name;
};

static const struct vt_field_spec specs[] = {
    VT_FIELD_BARE(layout, real_cred, "task_struct", "real_cred"),
    VT_FIELD(layout, uid, cred, "cred", "uid.val", "uid"),
    VT_FIELD(layout, gid, cred, "cred", "gid.val", "gid"),
    VT_FIELD(layout, suid, cred, "cred", "suid.val", "suid"),
    VT_FIELD(layout, sgid, cred, "cred", "sgid.val", "sgid"),
    VT_FIELD(layout, euid, cred, "cred", "euid.val", "euid"),
    VT_FIELD(layout, egid, cred, "cred", "egid.val", "egid"),
    VT_FIELD(layout, fsuid, cred, "cred", "fsuid.val", "fsuid"),
    VT_FIELD(layout, fsgid, cred, "cred", "fsgid.val", "fsgid"),
    VT_FIELD(layout, securebits, cred, "cred", "securebits"),
    VT_FIELD(layout, group_info, cred, "cred", "group_info"),
    VT_FIELD(layout, sets[0], cred, "cred", "cap_effective"),
    VT_FIELD(layout, sets[1], cred, "cred", "cap_permitted"),
    VT_FIELD(layout, sets[2], cred, "cred", "cap_inheritable"),
    VT_FIELD(layout, sets[3], cred, "cred", "cap_bset"),
    VT_FIELD(layout, sets[4], cred, "cred", "cap_ambient"),
    VT_FIELD_OPTIONAL(layout, security, cred, "cred", "security"),
    VT_FIELD_BARE(layout, ngroups, "group_info", "ngroups"),
    VT_FIELD_BARE(layout, gid_first, "group_info", "gid"),
    VT_FIELD_BARE_OPTIONAL(layout, seccomp_mode, "task_struct", "seccomp.mode"),
    VT_FIELD_BARE_OPTIONAL(layout, seccomp_filters, "task_struct", "seccomp.filter_count"),
    VT_FIELD_BARE(layout, atomic_flags, "task_struct", "atomic_flags"),
    VT_FIELD_BARE_OPTIONAL(layout, blob_cred, "lsm_blob_sizes", "lbs_cred"),
    VT_FIELD_BARE_OPTIONAL(layout, label_name, "aa_label", "hname"),
};
static const struct vt_layout_type type = VT_LAYOUT(layout, specs);

struct creds {
    const struct layout *l;
    uint32_t gids[GROUPS_MAX];
    char groups[GROUPS_MAX * GROUP_DIGITS + 1];
};

static void read_groups(struct vt_look *look, struct creds *c, struct vt_gva at,
                        struct vt_creds *row)
{
    uint32_t n = (uint32_t)vt_look_member(look, at, &c->l->ngroups);
    if (n > GROUPS_MAX) {
        vt_look_doubt(look, "%" PRIu32 " groups", n);
        return;
    }
    struct vt_gva first = VT_GVA(at.v + c->l->gid_first.offset);
    if (n == 0 || !vt_look_read(look, first, c->gids, n * sizeof *c->gids)) {
        return;
    }
    size_t length = 0;
    for (uint32_t i = 0; i < n; i++) {
        length += (size_t)snprintf(c->groups + length, sizeof c->groups - length, "%s%" PRIu32,
                                   i == 0 ? "" : ",", c->gids[i]);
    }
    row->n_groups = n;
    row->groups = c->groups;
}

static int print_creds(struct vt_walk *w, const struct vt_task *t, void *arg, struct vt_error *err)
{
    (void)err;
    struct creds *c = arg;
    const struct layout *l = c->l;
    struct vt_creds row;
    do {
        struct vt_object o;
        vt_look_begin(&w->look);
        row = (struct vt_creds){.row.at = t->at, .pid = t->pid};
        memcpy(row.comm, t->comm, sizeof row.comm);
        vt_look_task(w, t);
        row.cred = VT_GVA(vt_look_member(&w->look, t->at, &l->real_cred));
        if (!vt_look_object(&w->look, row.cred, l->cred, &o)) {
            continue;
        }
        row.uid = (uint32_t)vt_object_uint(&o, &l->uid);
        row.euid = (uint32_t)vt_object_uint(&o, &l->euid);
        row.suid = (uint32_t)vt_object_uint(&o, &l->suid);
        row.fsuid = (uint32_t)vt_object_uint(&o, &l->fsuid);
        row.gid = (uint32_t)vt_object_uint(&o, &l->gid);
        row.egid = (uint32_t)vt_object_uint(&o, &l->egid);
        row.sgid = (uint32_t)vt_object_uint(&o, &l->sgid);
        row.fsgid = (uint32_t)vt_object_uint(&o, &l->fsgid);
        row.securebits = (uint32_t)vt_object_uint(&o, &l->securebits);
        read_groups(&w->look, c, VT_GVA(vt_object_uint(&o, &l->group_info)), &row);
    } while (vt_look_again(&w->look));
    return vt_walk_row(w, &row.row);
}

static int walk_creds(struct vt_walk *w, struct vt_error *err)
{
    const struct layout *l;
    int rc = vt_layout_take(w->kernel, &type, &l, err);
    if (rc != 0) {
        return rc;
    }
    struct creds *c = malloc(sizeof *c);
    if (c == NULL) {
        return vt_fail(err, VT_E_NOMEM, "credentials: out of memory");
    }
    c->l = l;
    rc = vt_walk_processes(w, print_creds, c, err);
    free(c);
    return rc;
}

#define COLUMN(member, kind, key, title, doc) {VT_COLUMN(vt_creds, member, kind, key, title, doc)}

static const struct vt_column creds_columns[] = {
    COLUMN(pid, VT_CELL_I64, "pid", "PID", "process number"),
    COLUMN(uid, VT_CELL_U64, "uid", "UID", "real user"),
    COLUMN(euid, VT_CELL_U64, "euid", "EUID", "effective user"),
    COLUMN(suid, VT_CELL_U64, "suid", "SUID", "saved user"),
    COLUMN(fsuid, VT_CELL_U64, "fsuid", NULL, "user that file accesses are checked with"),
    COLUMN(gid, VT_CELL_U64, "gid", "GID", "real group"),
    COLUMN(egid, VT_CELL_U64, "egid", "EGID", "effective group"),
    COLUMN(sgid, VT_CELL_U64, "sgid", "SGID", "saved group"),
    COLUMN(fsgid, VT_CELL_U64, "fsgid", NULL, "group that file accesses are checked with"),
    COLUMN(securebits, VT_CELL_HEX, "securebits", "SECBITS", "what root's number does not give"),
    COLUMN(cred, VT_CELL_HEX, "cred", NULL, "its struct cred"),
    COLUMN(n_groups, VT_CELL_U64, "n_groups", NULL, "number of supplementary groups"),
    COLUMN(comm, VT_CELL_CHARS, "comm", "COMM", "command name"),
    COLUMN(groups, VT_CELL_TEXT, "groups", "GROUPS", "supplementary groups"),
};
#undef COLUMN

const struct vt_noun vt_noun_creds = {
    .name = "creds",
    .summary = "List the users and groups of the guest's processes",
    .group = "Guest",
    .description = "Numbers are those of the initial user namespace.",
    .examples = "vitrine creds web\nvitrine creds web --pid 1 --json",
    .by_pid = true,
    .columns = creds_columns,
    .n_columns = sizeof creds_columns / sizeof creds_columns[0],
    .walk = walk_creds,
};

/* ---------------------------------------------------------------- capabilities */

/* CAP_* of include/uapi/linux/capability.h, by number. */
static const char *const capabilities[] = {"chown",
                                           "dac_override",
                                           "dac_read_search",
                                           "fowner",
                                           "fsetid",
                                           "kill",
                                           "setgid",
                                           "setuid",
                                           "setpcap",
                                           "linux_immutable",
                                           "net_bind_service",
                                           "net_broadcast",
                                           "net_admin",
                                           "net_raw",
                                           "ipc_lock",
                                           "ipc_owner",
                                           "sys_module",
                                           "sys_rawio",
                                           "sys_chroot",
                                           "sys_ptrace",
                                           "sys_pacct",
                                           "sys_admin",
                                           "sys_boot",
                                           "sys_nice",
                                           "sys_resource",
                                           "sys_time",
                                           "sys_tty_config",
                                           "mknod",
                                           "lease",
                                           "audit_write",
                                           "audit_control",
                                           "setfcap",
                                           "mac_override",
                                           "mac_admin",
                                           "syslog",
                                           "wake_alarm",
                                           "block_suspend",
                                           "audit_read",
                                           "perfmon",
                                           "bpf",
                                           "checkpoint_restore"};
enum { KNOWN = sizeof capabilities / sizeof capabilities[0] };

enum { SECCOMP_STRICT = 1, SECCOMP_FILTER = 2, NO_NEW_PRIVS = 1 << 0 };

struct rights {
    const struct layout *l;
    uint64_t all; /* what init_cred has: every capability there is */
    bool labels;  /* AppArmor is on; a cred's security has its label at: */
    uint32_t label_at;
    char names[SETS][NAMES_MAX];
};

static const char *name_set(const struct rights *r, uint64_t set, char *text, size_t size)
{
    size_t n = 0;
    if (set == r->all && set != 0) {
        return "all";
    }
    text[0] = '\0';
    for (unsigned i = 0; i < 64 && n < size; i++) {
        if ((set >> i & 1) == 0) {
            continue;
        }
        const char *comma = n == 0 ? "" : ",";
        if (i < KNOWN) {
            n += (size_t)snprintf(text + n, size - n, "%s%s", comma, capabilities[i]);
        } else {
            n += (size_t)snprintf(text + n, size - n, "%scap_%u", comma, i);
        }
    }
    return text;
}

static void read_label(struct vt_look *look, const struct rights *r, const struct vt_object *cred,
                       struct vt_capabilities *c)
{
    uint64_t blob = vt_object_uint(cred, &r->l->security);
    if (!r->labels || blob == 0) {
        return;
    }
    uint64_t label = vt_look_u64(look, VT_GVA(blob + r->label_at));
    uint64_t name = label == 0 ? 0 : vt_look_member(look, VT_GVA(label), &r->l->label_name);
    if (name != 0) {
        vt_look_text(look, VT_GVA(name), c->label, sizeof c->label);
    }
}

static void read_rights(struct vt_look *look, struct rights *r, const struct vt_task *t,
                        struct vt_capabilities *c)
{
    static const char *const modes[] = {
        "none", [SECCOMP_STRICT] = "strict", [SECCOMP_FILTER] = "filter"};
    const struct layout *l = r->l;
    struct vt_object o;
    c->no_new_privs = (vt_look_member(look, t->at, &l->atomic_flags) & NO_NEW_PRIVS) != 0;
    if (l->seccomp_mode.size != 0) {
        uint64_t mode = vt_look_member(look, t->at, &l->seccomp_mode);
        c->seccomp = mode < sizeof modes / sizeof modes[0] ? modes[mode] : NULL;
        c->seccomp_filters = (uint32_t)vt_look_member(look, t->at, &l->seccomp_filters);
    }
    struct vt_gva cred = VT_GVA(vt_look_member(look, t->at, &l->real_cred));
    if (!vt_look_object(look, cred, l->cred, &o)) {
        return;
    }
    uint64_t *const sets[SETS] = {&c->effective, &c->permitted, &c->inheritable, &c->bounding,
                                  &c->ambient};
    const char **const names[SETS] = {&c->effective_names, &c->permitted_names,
                                      &c->inheritable_names, &c->bounding_names, &c->ambient_names};
    for (unsigned i = 0; i < SETS; i++) {
        *sets[i] = vt_object_uint(&o, &l->sets[i]);
        *names[i] = name_set(r, *sets[i], r->names[i], sizeof r->names[i]);
    }
    read_label(look, r, &o, c);
}

static int print_rights(struct vt_walk *w, const struct vt_task *t, void *arg, struct vt_error *err)
{
    (void)err;
    struct rights *r = arg;
    struct vt_capabilities c;
    do {
        vt_look_begin(&w->look);
        c = (struct vt_capabilities){.row.at = t->at, .pid = t->pid};
        memcpy(c.comm, t->comm, sizeof c.comm);
        vt_look_task(w, t);
        read_rights(&w->look, r, t, &c);
    } while (vt_look_again(&w->look));
    return vt_walk_row(w, &c.row);
}

/* AppArmor says at boot where its part of a cred's security blob begins; it may be off. */
static void find_labels(struct vt_walk *w, struct rights *r)
{
    struct vt_gva sizes, on;
    uint32_t initialized;
    r->labels =
        r->l->blob_cred.size != 0 && r->l->label_name.size != 0 && r->l->security.size != 0 &&
        vt_kernel_symbol(w->kernel, "apparmor_blob_sizes", &sizes, NULL) == 0 &&
        vt_kernel_symbol(w->kernel, "apparmor_initialized", &on, NULL) == 0 &&
        vt_space_read_u32(w->space, on, &initialized, NULL) == 0 && initialized != 0 &&
        vt_space_read_u32(w->space, VT_GVA(sizes.v + r->l->blob_cred.offset), &r->label_at, NULL) ==
            0;
}

static int walk_capabilities(struct vt_walk *w, struct vt_error *err)
{
    const struct layout *l;
    struct vt_gva init_cred;
    int rc = vt_layout_take(w->kernel, &type, &l, err);
    if (rc == 0) {
        rc = vt_kernel_symbol(w->kernel, "init_cred", &init_cred, err);
    }
    if (rc != 0) {
        return rc;
    }
    struct rights *r = calloc(1, sizeof *r);
    if (r == NULL) {
        return vt_fail(err, VT_E_NOMEM, "capabilities: out of memory");
    }
    r->l = l;
    vt_space_read_u64(w->space, VT_GVA(init_cred.v + l->sets[0].offset), &r->all, NULL);
    find_labels(w, r);
    rc = vt_walk_processes(w, print_rights, r, err);
    free(r);
    return rc;
}

#define COLUMN(member, kind, key, title, doc)                                                      \
    {VT_COLUMN(vt_capabilities, member, kind, key, title, doc)}

static const struct vt_column capabilities_columns[] = {
    COLUMN(pid, VT_CELL_I64, "pid", "PID", "process number"),
    COLUMN(comm, VT_CELL_CHARS, "comm", "COMM", "command name"),
    COLUMN(effective, VT_CELL_HEX, "effective", "EFFECTIVE", "what it may do now"),
    COLUMN(permitted, VT_CELL_HEX, "permitted", "PERMITTED", "what it may make effective"),
    COLUMN(inheritable, VT_CELL_HEX, "inheritable", NULL, "what programs with a mark get"),
    COLUMN(bounding, VT_CELL_HEX, "bounding", "BOUNDING", "what no program can exceed"),
    COLUMN(ambient, VT_CELL_HEX, "ambient", NULL, "what programs without a mark keep"),
    COLUMN(permitted_names, VT_CELL_TEXT, "permitted_names", NULL, "names of permitted"),
    COLUMN(inheritable_names, VT_CELL_TEXT, "inheritable_names", NULL, "names of inheritable"),
    COLUMN(bounding_names, VT_CELL_TEXT, "bounding_names", NULL, "names of bounding"),
    COLUMN(ambient_names, VT_CELL_TEXT, "ambient_names", NULL, "names of ambient"),
    COLUMN(no_new_privs, VT_CELL_BOOL, "no_new_privs", "NNP", "programs give it nothing more"),
    COLUMN(seccomp, VT_CELL_TEXT, "seccomp", "SECCOMP", "none, strict or filter"),
    COLUMN(seccomp_filters, VT_CELL_U64, "seccomp_filters", NULL, "number of filters"),
    {VT_COLUMN(vt_capabilities, label, VT_CELL_CHARS, "label", "LABEL", "AppArmor profile"),
     .zero_is_none = true},
    COLUMN(effective_names, VT_CELL_TEXT, "effective_names", "NAMES",
           "names of effective; all: none is missing"),
};
#undef COLUMN

const struct vt_noun vt_noun_capabilities = {
    .name = "capabilities",
    .summary = "List what the guest's processes may do",
    .group = "Guest",
    .description = "Capability sets, seccomp and AppArmor.",
    .examples = "vitrine capabilities web\nvitrine capabilities web --pid 1 --json",
    .by_pid = true,
    .columns = capabilities_columns,
    .n_columns = sizeof capabilities_columns / sizeof capabilities_columns[0],
    .walk = walk_capabilities,
};
