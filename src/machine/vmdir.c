/* machine/vmdir.c - see vmdir.h. vm.json's reading and writing is in vmjson.c. */
#include "machine/vmdir.h"

#include "base/io.h"
#include "base/paths.h"
#include "base/text.h"
#include "machine/cgroup.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

int vt_vmdir_path(const char *name, char path[PATH_MAX], struct vt_error *err)
{
    char root[PATH_MAX];
    if (!vt_name_is_valid(name)) {
        char shown[80];
        vt_text_printable(shown, sizeof shown, name, strlen(name));
        return vt_fail(err, VT_E_INVAL,
                       "'%s' is not a VM's name (1-32 letters, digits, '.', '_', '-')", shown);
    }
    int rc = vt_path_runtime(root, err);
    return rc != 0 ? rc : vt_path_format(path, err, "%s/%s", root, name);
}

int vt_vmdir_file(const char *dir, const char *file, char path[PATH_MAX], struct vt_error *err)
{
    return vt_path_format(path, err, "%s/%s", dir, file);
}

void vt_vmdir_ram_path(const char *name, char *path, size_t size)
{
    snprintf(path, size, "/dev/shm/qemu_ram_%s", name);
}

void vt_vmdir_segment_path(const char *plugin, const char *name, char *path, size_t size)
{
    snprintf(path, size, "/dev/shm/qemu_%s_%s", plugin, name);
}

/* As text: its device and inode. */
static bool identify(int fd, char *text, size_t size)
{
    struct stat st;
    return fstat(fd, &st) == 0 && snprintf(text, size, "%llx %llx\n", (unsigned long long)st.st_dev,
                                           (unsigned long long)st.st_ino) > 0;
}

int vt_vmdir_mark_segment(const char *dir, const char *plugin, int fd, struct vt_error *err)
{
    char mark[PATH_MAX], text[64];
    int rc = vt_vmdir_file(dir, plugin, mark, err);
    if (rc == 0 && !identify(fd, text, sizeof text)) {
        rc = vt_fail_errno(err, VT_E_IO, errno, "a segment");
    }
    return rc != 0 ? rc : vt_write_file_atomic(mark, text, strlen(text), 0600, err);
}

int vt_lock_file(const char *path, int *fd, struct vt_error *err)
{
    int f = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (f < 0) {
        return vt_fail_errno(err, vt_code_of_errno(errno), errno, "%s", path);
    }
    if (flock(f, LOCK_EX | LOCK_NB) != 0) {
        int rc = errno == EWOULDBLOCK ? vt_fail(err, VT_E_BUSY, "%s is in use", path)
                                      : vt_fail_errno(err, VT_E_IO, errno, "%s", path);
        close(f);
        return rc;
    }
    *fd = f;
    return 0;
}

int vt_registry_lock(int *fd, struct vt_error *err)
{
    char root[PATH_MAX], path[PATH_MAX];
    int rc = vt_path_runtime(root, err);
    rc = rc != 0 ? rc : vt_make_dirs(root, 0700, err);
    rc = rc != 0 ? rc : vt_path_format(path, err, "%s/.lock", root);
    if (rc != 0) {
        return rc;
    }
    struct stat st;
    if (stat(root, &st) != 0 || st.st_uid != geteuid() || (st.st_mode & 022) != 0) {
        return vt_fail(err, VT_E_PERM, "%s belongs to somebody else, or others may write to it",
                       root);
    }
    int f = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (f < 0) {
        return vt_fail_errno(err, vt_code_of_errno(errno), errno, "%s", path);
    }
    while (flock(f, LOCK_EX) != 0) {
        if (errno != EINTR) {
            rc = vt_fail_errno(err, VT_E_IO, errno, "%s", path);
            close(f);
            return rc;
        }
    }
    *fd = f;
    return 0;
}

#define REMOVE_TRIES 100u

/* Removes the files of a directory (it has no subdirectories) and the directory. Who asks QEMU
 * something makes a lock file there, perhaps just now. */
static void remove_tree(const char *path)
{
    for (unsigned tries = 0; tries < REMOVE_TRIES; tries++) {
        DIR *d = opendir(path);
        if (d == NULL) {
            return;
        }
        for (struct dirent *e; (e = readdir(d)) != NULL;) {
            unlinkat(dirfd(d), e->d_name, 0); /* "." and ".." refuse */
        }
        closedir(d);
        if (rmdir(path) == 0 || (errno != ENOTEMPTY && errno != EEXIST)) {
            return;
        }
    }
}

/* The RAM file of a VM whose keeper was killed. Its keeper held a lock on it, so one that is
 * locked now belongs to another VM of that name (another runtime directory's). */
static void remove_orphaned_ram(const char *dir, const char *name)
{
    char ram[64], mark[PATH_MAX];
    vt_vmdir_ram_path(name, ram, sizeof ram);
    if (vt_vmdir_file(dir, "ram", mark, NULL) != 0 || access(mark, F_OK) != 0) {
        return;
    }
    int fd = open(ram, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    if (fd >= 0 && flock(fd, LOCK_EX | LOCK_NB) == 0) {
        unlink(ram);
    }
    vt_close(&fd);
}

/* Its lock belongs to whoever steers it, so the file itself must be the one that was marked. */
static void remove_orphaned_segment(const char *dir, const char *plugin, const char *name)
{
    char segment[64], mark[PATH_MAX], found[64];
    char *text;
    vt_vmdir_segment_path(plugin, name, segment, sizeof segment);
    if (vt_vmdir_file(dir, plugin, mark, NULL) != 0 ||
        vt_read_file(mark, sizeof found, &text, NULL, NULL) != 0) {
        return;
    }
    int fd = open(segment, O_PATH | O_CLOEXEC | O_NOFOLLOW);
    if (fd >= 0 && identify(fd, found, sizeof found) && strcmp(found, text) == 0) {
        unlink(segment);
    }
    vt_close(&fd);
    free(text);
}

static void remove_orphaned_cgroup(const char *dir)
{
    char mark[PATH_MAX];
    char *path;
    if (vt_vmdir_file(dir, "cgroup", mark, NULL) == 0 &&
        vt_read_file(mark, PATH_MAX, &path, NULL, NULL) == 0) {
        vt_cgroup_remove(path);
        free(path);
    }
}

/* Takes the VM's lock when it is free and cleans up; VT_E_BUSY when the VM lives. Under the
 * registry lock, so nobody can have made the directory anew meanwhile. */
static int clean_if_stale(const char *dir, const char *name, struct vt_error *err)
{
    char lock[PATH_MAX];
    int fd;
    int rc = vt_vmdir_file(dir, "lock", lock, err);
    rc = rc != 0 ? rc : vt_lock_file(lock, &fd, err);
    if (rc == 0) {
        remove_orphaned_ram(dir, name);
        remove_orphaned_segment(dir, "trace", name);
        remove_orphaned_segment(dir, "hybrid", name);
        remove_orphaned_cgroup(dir);
        remove_tree(dir);
        close(fd);
    }
    return rc;
}

int vt_vmdir_create(const char *name, struct vt_vmdir *dir, struct vt_error *err)
{
    char lock[PATH_MAX], fresh[PATH_MAX];
    int registry;
    *dir = (struct vt_vmdir){.lock_fd = -1};
    int rc = vt_vmdir_path(name, dir->path, err);
    rc = rc != 0 ? rc : vt_vmdir_file(dir->path, "lock", lock, err);
    rc = rc != 0 ? rc : vt_registry_lock(&registry, err);
    if (rc != 0) {
        return rc;
    }
    bool made = mkdir(dir->path, 0700) == 0;
    if (!made && errno != EEXIST) {
        rc = vt_fail_errno(err, vt_code_of_errno(errno), errno, "%s", dir->path);
    } else if (!made && access(lock, F_OK) == 0) {
        rc = clean_if_stale(dir->path, name, err);
        if (rc == VT_E_BUSY) {
            rc = vt_fail(err, VT_E_EXISTS, "a VM named '%s' is running already", name);
        } else if (rc == 0 && mkdir(dir->path, 0700) != 0) {
            rc = vt_fail_errno(err, vt_code_of_errno(errno), errno, "%s", dir->path);
        }
    }
    /* Who sees "lock" finds it locked. */
    rc = rc != 0 ? rc : vt_vmdir_file(dir->path, "lock.new", fresh, err);
    rc = rc != 0 ? rc : vt_lock_file(fresh, &dir->lock_fd, err);
    if (rc == 0 && rename(fresh, lock) != 0) {
        rc = vt_fail_errno(err, vt_code_of_errno(errno), errno, "%s", lock);
        vt_close(&dir->lock_fd);
    }
    close(registry);
    return rc;
}

void vt_vmdir_remove(struct vt_vmdir *dir)
{
    int registry = -1;
    if (dir->lock_fd < 0) {
        return;
    }
    vt_registry_lock(&registry, NULL);
    remove_tree(dir->path);
    vt_close(&dir->lock_fd);
    vt_close(&registry);
}

void vt_vm_clean_stale(void)
{
    char **names;
    size_t n;
    int registry;
    if (vt_vm_names(&names, &n, NULL) != 0) {
        return;
    }
    if (n > 0 && vt_registry_lock(&registry, NULL) == 0) {
        for (size_t i = 0; i < n; i++) {
            char path[PATH_MAX];
            if (vt_vmdir_path(names[i], path, NULL) == 0) {
                clean_if_stale(path, names[i], NULL);
            }
        }
        close(registry);
    }
    vt_vm_names_free(names, n);
}

int vt_vmdir_is_live(const char *name, bool *live, struct vt_error *err)
{
    char dir[PATH_MAX], lock[PATH_MAX];
    int rc = vt_vmdir_path(name, dir, err);
    rc = rc != 0 ? rc : vt_vmdir_file(dir, "lock", lock, err);
    if (rc != 0) {
        return rc;
    }
    int fd = open(lock, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0) {
        return errno == ENOENT ? vt_fail(err, VT_E_NOT_FOUND, "no VM named '%s'", name)
                               : vt_fail_errno(err, vt_code_of_errno(errno), errno, "%s", lock);
    }
    /* A shared lock, so that two who look at once do not take each other for the keeper. */
    *live = flock(fd, LOCK_SH | LOCK_NB) != 0;
    close(fd);
    return 0;
}

static int by_name(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

#define VMS_MAX 4096

int vt_vm_names(char ***names, size_t *n, struct vt_error *err)
{
    char root[PATH_MAX];
    int rc = vt_path_runtime(root, err);
    if (rc != 0) {
        return rc;
    }
    char **list = calloc(VMS_MAX, sizeof *list);
    if (list == NULL) {
        return vt_fail(err, VT_E_NOMEM, "%s: out of memory", root);
    }
    size_t count = 0;
    DIR *d = opendir(root);
    if (d == NULL && errno != ENOENT) {
        rc = vt_fail_errno(err, vt_code_of_errno(errno), errno, "%s", root);
    }
    for (struct dirent *e; d != NULL && count < VMS_MAX && (e = readdir(d)) != NULL;) {
        char lock[PATH_MAX];
        if (!vt_name_is_valid(e->d_name) ||
            vt_path_format(lock, NULL, "%s/%s/lock", root, e->d_name) != 0 ||
            access(lock, F_OK) != 0) {
            continue;
        }
        list[count] = strdup(e->d_name);
        if (list[count] == NULL) {
            rc = vt_fail(err, VT_E_NOMEM, "%s: out of memory", root);
            break;
        }
        count++;
    }
    if (d != NULL) {
        closedir(d);
    }
    if (rc != 0) {
        vt_vm_names_free(list, count);
        return rc;
    }
    qsort(list, count, sizeof *list, by_name);
    *names = list;
    *n = count;
    return 0;
}

void vt_vm_names_free(char **names, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        free(names[i]);
    }
    free(names);
}
