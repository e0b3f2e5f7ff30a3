/* machine/screen.c - a VM's screens: QEMU's graphic consoles, one a head of a display device, and
 * what they show.
 */
#include "vitrine/machine.h"

#include "base/io.h"
#include "machine/qmp.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define SCREENS_MAX 128u
/** A picture of 16384 by 16384 pixels as PPM. */
#define DUMP_BYTES_MAX ((off_t)1 << 30)
#define DUMP_TIMEOUT_MS 60000

/* ---------------------------------------------------------------- which there are */

/* A property of a console, or NULL: text consoles have other ones. */
static json_t *property(struct vt_qmp *qmp, const char *console, const char *name)
{
    json_t *value = NULL;
    vt_qmp_execute(qmp, "qom-get", json_pack("{s:s, s:s}", "path", console, "property", name),
                   vt_deadline_ms(VT_QMP_TIMEOUT_MS), &value, NULL);
    return value;
}

/* Devices that were given an id lie below /machine/peripheral and carry it as their name. */
static void name_device(const char *path, struct vt_screen *screen)
{
    static const char named[] = "/machine/peripheral/";
    const char *id = strncmp(path, named, sizeof named - 1) == 0 ? path + sizeof named - 1 : "";
    if (strlen(path) < sizeof screen->path) {
        strcpy(screen->path, path);
    }
    if (strlen(id) < sizeof screen->device && strchr(id, '/') == NULL) {
        strcpy(screen->device, id);
    }
}

static bool ask_screen(struct vt_qmp *qmp, const char *name, struct vt_screen *screen)
{
    char console[96];
    *screen = (struct vt_screen){0};
    snprintf(console, sizeof console, "/backend/%s", name);
    json_t *device = property(qmp, console, "device"), *head = property(qmp, console, "head");
    bool graphic = json_is_string(device) && json_string_value(device)[0] != '\0';
    if (graphic) {
        name_device(json_string_value(device), screen);
        json_int_t n = json_integer_value(head);
        screen->head = n > 0 && n < UINT16_MAX ? (unsigned)n : 0;
    }
    json_decref(device);
    json_decref(head);
    return graphic;
}

static int compare(const void *a, const void *b)
{
    const struct vt_screen *x = a, *y = b;
    int order = strcmp(x->path, y->path);
    return order != 0 ? order : (x->head > y->head) - (x->head < y->head);
}

int vt_vm_screens(struct vt_vm *vm, struct vt_screen **list, size_t *n, struct vt_error *err)
{
    struct vt_qmp *qmp;
    json_t *children, *child;
    size_t i, found = 0;
    int rc = vt_vm_qmp(vm, &qmp, err);
    if (rc != 0) {
        return rc;
    }
    rc = vt_qmp_execute(qmp, "qom-list", json_pack("{s:s}", "path", "/backend"),
                        vt_deadline_ms(VT_QMP_TIMEOUT_MS), &children, err);
    if (rc != 0) {
        vt_qmp_close(qmp);
        return rc;
    }
    struct vt_screen *all = calloc(SCREENS_MAX, sizeof *all);
    json_array_foreach(children, i, child)
    {
        const char *name = json_string_value(json_object_get(child, "name"));
        if (all != NULL && found < SCREENS_MAX && name != NULL && strlen(name) < 64 &&
            strncmp(name, "console[", 8) == 0 && ask_screen(qmp, name, &all[found])) {
            found++;
        }
    }
    json_decref(children);
    vt_qmp_close(qmp);
    if (all == NULL) {
        return vt_fail(err, VT_E_NOMEM, "screens: out of memory");
    }
    qsort(all, found, sizeof *all, compare);
    *list = all;
    *n = found;
    return 0;
}

/* ---------------------------------------------------------------- what they show */

/* QEMU may open no file here: it gets one. An fd set hands out descriptors of just the access that
 * is asked for, so it is a write-only one. */
static int lend(struct vt_qmp *qmp, int fd, json_int_t *fdset, struct vt_error *err)
{
    char path[64];
    json_t *reply;
    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    int writable = open(path, O_WRONLY | O_CLOEXEC);
    if (writable < 0) {
        return vt_fail_errno(err, VT_E_IO, errno, "%s", path);
    }
    int rc = vt_qmp_execute_fd(qmp, "add-fd", NULL, writable, vt_deadline_ms(VT_QMP_TIMEOUT_MS),
                               &reply, err);
    close(writable);
    if (rc == 0) {
        *fdset = json_integer_value(json_object_get(reply, "fdset-id"));
        json_decref(reply);
    }
    return rc;
}

static int dump_into(struct vt_qmp *qmp, int fd, const struct vt_screen *screen, bool png,
                     struct vt_error *err)
{
    json_int_t fdset = -1;
    char name[64];
    int rc = lend(qmp, fd, &fdset, err);
    if (rc != 0) {
        return rc;
    }
    snprintf(name, sizeof name, "/dev/fdset/%" JSON_INTEGER_FORMAT, fdset);
    json_t *arguments = json_pack("{s:s, s:s}", "filename", name, "format", png ? "png" : "ppm");
    if (screen->device[0] != '\0') {
        json_object_set_new(arguments, "device", json_string(screen->device));
        json_object_set_new(arguments, "head", json_integer((json_int_t)screen->head));
    }
    rc = vt_qmp_execute(qmp, "screendump", arguments, vt_deadline_ms(DUMP_TIMEOUT_MS), NULL, err);
    vt_qmp_execute(qmp, "remove-fd", json_pack("{s:I}", "fdset-id", fdset),
                   vt_deadline_ms(VT_QMP_TIMEOUT_MS), NULL, NULL);
    return rc;
}

static int take(int fd, uint8_t **bytes, size_t *n, struct vt_error *err)
{
    struct stat st;
    if (fstat(fd, &st) != 0 || lseek(fd, 0, SEEK_SET) != 0) {
        return vt_fail_errno(err, VT_E_IO, errno, "a screen's picture");
    }
    if (st.st_size <= 0 || st.st_size > DUMP_BYTES_MAX) {
        return vt_fail(err, VT_E_PROTOCOL, "a screen's picture has %lld bytes",
                       (long long)st.st_size);
    }
    uint8_t *all = malloc((size_t)st.st_size);
    if (all == NULL) {
        return vt_fail(err, VT_E_NOMEM, "a screen's picture: out of memory");
    }
    int rc = vt_read_all(fd, all, (size_t)st.st_size, "a screen's picture", err);
    if (rc != 0) {
        free(all);
        return rc;
    }
    *bytes = all;
    *n = (size_t)st.st_size;
    return 0;
}

int vt_vm_screendump(struct vt_vm *vm, const struct vt_screen *screen, bool png, uint8_t **bytes,
                     size_t *n, struct vt_error *err)
{
    struct vt_qmp *qmp;
    int fd = memfd_create("vitrine-screen", MFD_CLOEXEC);
    if (fd < 0) {
        return vt_fail_errno(err, VT_E_IO, errno, "memfd_create");
    }
    int rc = vt_vm_qmp(vm, &qmp, err);
    if (rc == 0) {
        rc = dump_into(qmp, fd, screen, png, err);
        vt_qmp_close(qmp);
    }
    rc = rc != 0 ? rc : take(fd, bytes, n, err);
    close(fd);
    return rc;
}
