/* machine/cgroup.c - see cgroup.h. */
#include "machine/cgroup.h"

#include "base/io.h"
#include "base/paths.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <mntent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define PARENT "vitrine"
#define PERIOD_US 100000u

int vt_cgroup_find(const char *mounts, char root[PATH_MAX], struct vt_error *err)
{
    FILE *f = setmntent(mounts, "re");
    if (f == NULL) {
        return vt_fail_errno(err, VT_E_UNSUPPORTED, errno, "%s", mounts);
    }
    struct mntent entry;
    char text[4096];
    int rc = -1;
    while (rc != 0 && getmntent_r(f, &entry, text, sizeof text) != NULL) {
        if (strcmp(entry.mnt_type, "cgroup2") == 0) {
            rc = vt_path_format(root, NULL, "%s", entry.mnt_dir);
        }
    }
    endmntent(f);
    return rc == 0 ? 0
                   : vt_fail(err, VT_E_UNSUPPORTED, "limits need cgroup v2, which is not mounted");
}

static bool has_word(const char *words, const char *word)
{
    size_t n = strlen(word);
    for (const char *p = words; (p = strstr(p, word)) != NULL; p += n) {
        if ((p == words || p[-1] == ' ') && strchr(" \n", p[n]) != NULL) {
            return true;
        }
    }
    return false;
}

static int check_controllers(const char *root, const struct vt_limits *limits, struct vt_error *err)
{
    char path[PATH_MAX];
    char *words;
    int rc = vt_path_format(path, err, "%s/cgroup.controllers", root);
    rc = rc != 0 ? rc : vt_read_file(path, 4096, &words, NULL, err);
    if (rc != 0) {
        return rc;
    }
    const char *missing = limits->cpu_percent != 0 && !has_word(words, "cpu")       ? "cpu"
                          : limits->memory_bytes != 0 && !has_word(words, "memory") ? "memory"
                                                                                    : NULL;
    free(words);
    return missing == NULL ? 0
                           : vt_fail(err, VT_E_UNSUPPORTED,
                                     "this host cannot limit %s: the cgroup v2 at %s lacks the %s "
                                     "controller",
                                     missing, root, missing);
}

static int write_value(const char *dir, const char *file, const char *value, struct vt_error *err)
{
    char path[PATH_MAX];
    int rc = vt_path_format(path, err, "%s/%s", dir, file);
    if (rc != 0) {
        return rc;
    }
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    if (fd < 0) {
        return vt_fail_errno(err, vt_code_of_errno(errno), errno, "%s", path);
    }
    rc = vt_write_all(fd, value, strlen(value), path, err);
    close(fd);
    return rc;
}

/* Limits exist in a group only when its parent hands the controllers down. */
static int hand_down(const char *dir, const struct vt_limits *limits, struct vt_error *err)
{
    int rc = 0;
    if (limits->cpu_percent != 0) {
        rc = write_value(dir, "cgroup.subtree_control", "+cpu", err);
    }
    if (rc == 0 && limits->memory_bytes != 0) {
        rc = write_value(dir, "cgroup.subtree_control", "+memory", err);
    }
    return rc;
}

static int make_group(const char *path, struct vt_error *err)
{
    return mkdir(path, 0755) == 0 || errno == EEXIST
               ? 0
               : vt_fail_errno(err, vt_code_of_errno(errno), errno, "%s", path);
}

static int set_limits(const char *path, const struct vt_limits *limits, pid_t pid,
                      struct vt_error *err)
{
    char value[64];
    int rc = 0;
    if (limits->cpu_percent != 0) {
        snprintf(value, sizeof value, "%u %u", limits->cpu_percent * (PERIOD_US / 100), PERIOD_US);
        rc = write_value(path, "cpu.max", value, err);
    }
    if (rc == 0 && limits->memory_bytes != 0) {
        snprintf(value, sizeof value, "%" PRIu64, limits->memory_bytes);
        rc = write_value(path, "memory.max", value, err);
    }
    snprintf(value, sizeof value, "%d", (int)pid);
    return rc != 0 ? rc : write_value(path, "cgroup.procs", value, err);
}

int vt_cgroup_create(const char *root, const char *name, const struct vt_limits *limits, pid_t pid,
                     char path[PATH_MAX], struct vt_error *err)
{
    char parent[PATH_MAX];
    int rc = check_controllers(root, limits, err);
    rc = rc != 0 ? rc : vt_path_format(parent, err, "%s/" PARENT, root);
    rc = rc != 0 ? rc : vt_path_format(path, err, "%s/%s", parent, name);
    rc = rc != 0 ? rc : hand_down(root, limits, err);
    rc = rc != 0 ? rc : make_group(parent, err);
    if (rc != 0) {
        return rc;
    }
    rc = hand_down(parent, limits, err);
    rc = rc != 0 ? rc : make_group(path, err);
    rc = rc != 0 ? rc : set_limits(path, limits, pid, err);
    if (rc != 0) {
        vt_cgroup_remove(path);
    }
    return rc;
}

void vt_cgroup_remove(const char *path)
{
    char parent[PATH_MAX];
    const char *slash = strrchr(path, '/');
    rmdir(path);
    if (slash != NULL && vt_path_format(parent, NULL, "%.*s", (int)(slash - path), path) == 0) {
        rmdir(parent); /* refuses while there are others */
    }
}
