/* machine/discover.c - see discover.h. */
#include "machine/discover.h"

#include "base/io.h"
#include "base/paths.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define CMDLINE_MAX ((size_t)1 << 20)
#define UNIX_TABLE_MAX ((size_t)32 << 20)

/* ---- command lines ---- */

static const char *base_name(const char *program)
{
    const char *slash = strrchr(program, '/');
    return slash != NULL ? slash + 1 : program;
}

static bool is_qemu(const char *program)
{
    const char *base = base_name(program);
    return strncmp(base, "qemu-system-", 12) == 0 || strcmp(base, "qemu-kvm") == 0 ||
           strcmp(base, "kvm") == 0;
}

/* "key=value" of a list with commas; ",," is a comma in a value. With an empty key: the first
 * item, whatever it is. */
static bool get_value(const char *list, const char *key, char *out, size_t size)
{
    size_t key_bytes = strlen(key);
    for (bool first = true;; first = false) {
        bool wanted =
            key_bytes == 0 ? first : strncmp(list, key, key_bytes) == 0 && list[key_bytes] == '=';
        const char *from = wanted && key_bytes > 0 ? list + key_bytes + 1 : list;
        size_t n = 0;
        bool fits = true;
        for (list = from; *list != '\0'; list++) {
            if (*list == ',') {
                list++;
                if (*list != ',') {
                    break;
                }
            }
            fits = n + 1 < size;
            if (wanted && fits) {
                out[n++] = *list;
            }
        }
        if (wanted) {
            out[n] = '\0';
            return fits;
        }
        if (*list == '\0') {
            return false;
        }
    }
}

struct chardevs {
    struct {
        char id[64];
        struct vt_monitor where;
    } all[32];
    unsigned n;
};

static void add_monitor(struct vt_cmdline *parsed, const struct vt_monitor *where)
{
    if (parsed->n_monitors < VT_DISCOVER_MONITORS_MAX) {
        parsed->monitors[parsed->n_monitors++] = *where;
    }
}

static void add_by_id(struct vt_cmdline *parsed, const struct chardevs *chardevs, const char *id)
{
    for (unsigned i = 0; i < chardevs->n; i++) {
        if (strcmp(chardevs->all[i].id, id) == 0) {
            add_monitor(parsed, &chardevs->all[i].where);
        }
    }
}

static void take_chardev(struct chardevs *chardevs, const char *value)
{
    char number[16];
    if (strncmp(value, "socket,", 7) != 0 || chardevs->n == 32 ||
        !get_value(value, "id", chardevs->all[chardevs->n].id, sizeof chardevs->all[0].id)) {
        return;
    }
    struct vt_monitor *where = &chardevs->all[chardevs->n].where;
    *where = (struct vt_monitor){.fd = -1};
    if (get_value(value, "fd", number, sizeof number) && isdigit((unsigned char)number[0])) {
        where->fd = atoi(number);
    } else if (!get_value(value, "path", where->path, sizeof where->path)) {
        return;
    }
    chardevs->n++;
}

static void take_monitor(struct vt_cmdline *parsed, const struct chardevs *chardevs,
                         const char *option, const char *value)
{
    char text[64];
    struct vt_monitor where = {.fd = -1};
    if (strcmp(option, "mon") == 0) {
        if (get_value(value, "mode", text, sizeof text) && strcmp(text, "control") == 0 &&
            (get_value(value, "chardev", text, sizeof text) ||
             get_value(value, "", text, sizeof text))) {
            add_by_id(parsed, chardevs, text);
        }
    } else if (strncmp(value, "chardev:", 8) == 0) {
        add_by_id(parsed, chardevs, value + 8);
    } else if (strncmp(value, "unix:", 5) == 0 &&
               get_value(value + 5, "", where.path, sizeof where.path)) {
        add_monitor(parsed, &where);
    }
}

/* Calls nothing twice: one pass for the chardevs, which a monitor may name before they come. */
static void each_option(const char *cmdline, size_t bytes, struct vt_cmdline *parsed,
                        struct chardevs *chardevs, bool second)
{
    const char *end = cmdline + bytes;
    for (const char *arg = cmdline; arg < end;) {
        const char *value = arg + strlen(arg) + 1;
        if (value >= end) {
            return;
        }
        const char *option = arg[0] == '-' ? arg + 1 + (arg[1] == '-') : "";
        if (!second && strcmp(option, "chardev") == 0) {
            take_chardev(chardevs, value);
        } else if (!second && strcmp(option, "name") == 0 &&
                   !get_value(value, "guest", parsed->name, sizeof parsed->name)) {
            get_value(value, "", parsed->name, sizeof parsed->name);
        } else if (second && (strcmp(option, "mon") == 0 || strcmp(option, "qmp") == 0 ||
                              strcmp(option, "qmp-pretty") == 0)) {
            take_monitor(parsed, chardevs, option, value);
        }
        arg = value;
    }
}

/* QEMU may be run by the dynamic loader (a private installation): its name then comes a little
 * later, after the loader's options. */
#define LOADER_ARGS 6

bool vt_discover_parse(const char *cmdline, size_t bytes, struct vt_cmdline *parsed)
{
    if (bytes == 0 || cmdline[bytes - 1] != '\0') {
        return false;
    }
    const char *arg = cmdline, *end = cmdline + bytes;
    int tries = strncmp(base_name(arg), "ld-", 3) == 0 ? LOADER_ARGS : 1;
    bool found = false;
    for (; tries > 0 && arg < end && !found; tries--) {
        found = is_qemu(arg);
        arg += strlen(arg) + 1;
    }
    if (!found) {
        return false;
    }
    struct chardevs *chardevs = calloc(1, sizeof *chardevs);
    if (chardevs == NULL) {
        return false;
    }
    *parsed = (struct vt_cmdline){.n_monitors = 0};
    each_option(arg, bytes - (size_t)(arg - cmdline), parsed, chardevs, false);
    each_option(arg, bytes - (size_t)(arg - cmdline), parsed, chardevs, true);
    free(chardevs);
    return true;
}

/* ---- sockets ---- */

/* A line of /proc/net/unix: "num: refs protocol flags type state inode path". */
struct unix_socket {
    unsigned long inode;
    bool listening, connected;
    const char *path;
};

#define SO_ACCEPTCON_FLAG 0x10000u
#define STATE_CONNECTED 3u

/* Calls `fn` for each socket with a path until it returns true. The table's lines end with it. */
static bool each_socket(char *table, bool (*fn)(const struct unix_socket *s, void *arg), void *arg)
{
    char *rest = table;
    for (char *line; (line = strsep(&rest, "\n")) != NULL;) {
        unsigned flags, state;
        int at = 0;
        struct unix_socket s;
        if (sscanf(line, "%*[^:]: %*x %*x %x %*x %x %lu %n", &flags, &state, &s.inode, &at) == 3 &&
            at > 0 && line[at] != '\0') {
            s.listening = (flags & SO_ACCEPTCON_FLAG) != 0;
            s.connected = state == STATE_CONNECTED;
            s.path = line + at;
            if (fn(&s, arg)) {
                return true;
            }
        }
    }
    return false;
}

static bool for_sockets(bool (*fn)(const struct unix_socket *s, void *arg), void *arg)
{
    char *table;
    if (vt_read_file("/proc/net/unix", UNIX_TABLE_MAX, &table, NULL, NULL) != 0) {
        return false;
    }
    bool found = each_socket(table, fn, arg);
    free(table);
    return found;
}

struct listener {
    const char *path;
    unsigned long inode; /* found by path */
    char found[VT_VM_PATH_MAX];
};

static bool match_path(const struct unix_socket *s, void *arg)
{
    struct listener *l = arg;
    if (!s->listening || strcmp(s->path, l->path) != 0) {
        return false;
    }
    l->inode = s->inode;
    return true;
}

static bool match_inode(const struct unix_socket *s, void *arg)
{
    struct listener *l = arg;
    if (!s->listening || s->inode != l->inode || s->path[0] != '/' ||
        strlen(s->path) >= sizeof l->found) {
        return false;
    }
    strcpy(l->found, s->path);
    return true;
}

/* An accepted connection carries its listener's path. */
static bool match_held(const struct unix_socket *s, void *arg)
{
    const char *path = arg;
    return s->connected && strcmp(s->path, path) == 0;
}

bool vt_discover_listens(const char *path)
{
    struct listener l = {.path = path};
    return for_sockets(match_path, &l);
}

static unsigned long fd_inode(pid_t pid, int fd)
{
    char path[64], target[64];
    unsigned long inode;
    snprintf(path, sizeof path, "/proc/%d/fd/%d", (int)pid, fd);
    ssize_t n = readlink(path, target, sizeof target - 1);
    target[n > 0 ? n : 0] = '\0';
    return sscanf(target, "socket:[%lu]", &inode) == 1 ? inode : 0;
}

static bool process_holds(pid_t pid, unsigned long inode)
{
    char path[64];
    snprintf(path, sizeof path, "/proc/%d/fd", (int)pid);
    DIR *d = opendir(path);
    bool found = false;
    for (struct dirent *e; d != NULL && !found && (e = readdir(d)) != NULL;) {
        found = isdigit((unsigned char)e->d_name[0]) && fd_inode(pid, atoi(e->d_name)) == inode;
    }
    if (d != NULL) {
        closedir(d);
    }
    return found;
}

/* ---- processes ---- */

static bool read_cmdline(pid_t pid, struct vt_cmdline *parsed)
{
    char path[64];
    char *text;
    size_t bytes;
    snprintf(path, sizeof path, "/proc/%d/cmdline", (int)pid);
    if (vt_read_file(path, CMDLINE_MAX, &text, &bytes, NULL) != 0) {
        return false;
    }
    bool qemu = vt_discover_parse(text, bytes, parsed);
    free(text);
    return qemu;
}

/* Calls `fn` for each process that looks like QEMU until it returns true. */
static bool each_qemu(bool (*fn)(pid_t pid, const struct vt_cmdline *parsed, void *arg), void *arg)
{
    struct vt_cmdline *parsed = malloc(sizeof *parsed);
    DIR *d = parsed != NULL ? opendir("/proc") : NULL;
    bool found = false;
    for (struct dirent *e; d != NULL && !found && (e = readdir(d)) != NULL;) {
        pid_t pid = isdigit((unsigned char)e->d_name[0]) ? atoi(e->d_name) : 0;
        found = pid > 0 && read_cmdline(pid, parsed) && fn(pid, parsed, arg);
    }
    if (d != NULL) {
        closedir(d);
    }
    free(parsed);
    return found;
}

struct holder {
    unsigned long inode;
    pid_t pid;
};

static bool match_holder(pid_t pid, const struct vt_cmdline *parsed, void *arg)
{
    struct holder *h = arg;
    (void)parsed;
    if (!process_holds(pid, h->inode)) {
        return false;
    }
    h->pid = pid;
    return true;
}

pid_t vt_discover_pid(const char *path)
{
    struct listener l = {.path = path};
    if (!for_sockets(match_path, &l)) {
        return 0;
    }
    struct holder h = {.inode = l.inode};
    each_qemu(match_holder, &h);
    return h.pid;
}

/* The absolute path of a monitor's socket; false when it has none. */
static bool locate(pid_t pid, const struct vt_monitor *m, char *out, size_t size)
{
    struct listener l = {.path = ""};
    if (m->fd >= 0) {
        l.inode = fd_inode(pid, m->fd);
        return l.inode != 0 && for_sockets(match_inode, &l) &&
               (size_t)snprintf(out, size, "%s", l.found) < size;
    }
    if (m->path[0] == '/') {
        return (size_t)snprintf(out, size, "%s", m->path) < size;
    }
    char link[64], cwd[PATH_MAX];
    snprintf(link, sizeof link, "/proc/%d/cwd", (int)pid);
    ssize_t n = readlink(link, cwd, sizeof cwd - 1);
    if (n <= 0) {
        return false;
    }
    cwd[n] = '\0';
    return (size_t)snprintf(out, size, "%s/%s", cwd, m->path) < size;
}

#define FOREIGN_MAX 1024

struct search {
    struct vt_foreign_vm *list;
    size_t n;
    pid_t *ours;
    size_t n_ours;
};

/* A free socket is better than a held one. */
static bool take_foreign(pid_t pid, const struct vt_cmdline *parsed, void *arg)
{
    struct search *s = arg;
    for (size_t i = 0; i < s->n_ours; i++) {
        if (s->ours[i] == pid) {
            return false;
        }
    }
    struct vt_foreign_vm *f = &s->list[s->n++];
    *f = (struct vt_foreign_vm){.qemu_pid = pid};
    snprintf(f->name, sizeof f->name, "%s", parsed->name);
    for (unsigned i = 0; i < parsed->n_monitors && (f->qmp_path[0] == '\0' || f->held); i++) {
        char path[VT_VM_PATH_MAX];
        if (locate(pid, &parsed->monitors[i], path, sizeof path)) {
            strcpy(f->qmp_path, path);
            f->held = for_sockets(match_held, path);
        }
    }
    return s->n == FOREIGN_MAX;
}

static int list_ours(pid_t **pids, size_t *n, struct vt_error *err)
{
    char **names;
    size_t count, used = 0;
    int rc = vt_vm_names(&names, &count, err);
    if (rc != 0) {
        return rc;
    }
    pid_t *list = calloc(count + 1, sizeof *list);
    for (size_t i = 0; list != NULL && i < count; i++) {
        struct vt_vm *vm;
        if (vt_vm_open(names[i], &vm, NULL) == 0) {
            list[used++] = vt_vm_info(vm)->qemu_pid;
            vt_vm_close(vm);
        }
    }
    vt_vm_names_free(names, count);
    if (list == NULL) {
        return vt_fail(err, VT_E_NOMEM, "looking for VMs: out of memory");
    }
    *pids = list;
    *n = used;
    return 0;
}

int vt_vm_discover(struct vt_foreign_vm **list, size_t *n, struct vt_error *err)
{
    struct search s = {.list = calloc(FOREIGN_MAX, sizeof *s.list)};
    if (s.list == NULL) {
        return vt_fail(err, VT_E_NOMEM, "looking for VMs: out of memory");
    }
    int rc = list_ours(&s.ours, &s.n_ours, err);
    if (rc != 0) {
        free(s.list);
        return rc;
    }
    each_qemu(take_foreign, &s);
    free(s.ours);
    *list = s.list;
    *n = s.n;
    return 0;
}
