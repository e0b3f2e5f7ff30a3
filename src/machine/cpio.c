/* machine/cpio.c - see cpio.h. */
#include "machine/cpio.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define HEADER_BYTES 110

void vt_cpio_init(struct vt_cpio *cpio)
{
    *cpio = (struct vt_cpio){0};
}

void vt_cpio_fini(struct vt_cpio *cpio)
{
    for (size_t i = 0; i < cpio->n; i++) {
        free(cpio->entries[i].path);
        free(cpio->entries[i].data);
    }
    free(cpio->entries);
    *cpio = (struct vt_cpio){0};
}

static bool has(const struct vt_cpio *cpio, const char *path, size_t len)
{
    for (size_t i = 0; i < cpio->n; i++) {
        if (strncmp(cpio->entries[i].path, path, len) == 0 && cpio->entries[i].path[len] == '\0') {
            return true;
        }
    }
    return false;
}

bool vt_cpio_has(const struct vt_cpio *cpio, const char *path)
{
    return has(cpio, path + 1, strlen(path) - 1);
}

/* Absolute, no empty, "." or ".." part, no slash at the end. */
static bool path_is_clean(const char *path)
{
    if (path[0] != '/') {
        return false;
    }
    for (const char *p = path; *p == '/';) {
        size_t len = strcspn(p + 1, "/");
        if (len == 0 || (len == 1 && p[1] == '.') || (len == 2 && p[1] == '.' && p[2] == '.')) {
            return false;
        }
        p += 1 + len;
    }
    return strlen(path) < 4096;
}

static int append(struct vt_cpio *cpio, const char *path, size_t len, struct vt_cpio_entry entry,
                  const void *data, struct vt_error *err)
{
    if (cpio->n == cpio->room) {
        size_t room = cpio->room == 0 ? 64 : cpio->room * 2;
        struct vt_cpio_entry *entries = realloc(cpio->entries, room * sizeof *entries);
        if (entries == NULL) {
            return vt_fail(err, VT_E_NOMEM, "initramfs: out of memory");
        }
        cpio->entries = entries;
        cpio->room = room;
    }
    entry.path = strndup(path, len);
    entry.data = malloc(entry.size + 1);
    if (entry.path == NULL || entry.data == NULL) {
        free(entry.path);
        free(entry.data);
        return vt_fail(err, VT_E_NOMEM, "initramfs: out of memory");
    }
    if (entry.size > 0) {
        memcpy(entry.data, data, entry.size);
    }
    cpio->entries[cpio->n++] = entry;
    return 0;
}

static int add(struct vt_cpio *cpio, const char *path, struct vt_cpio_entry entry, const void *data,
               struct vt_error *err)
{
    if (!path_is_clean(path)) {
        return vt_fail(err, VT_E_INVAL, "initramfs: '%s' is not a clean absolute path", path);
    }
    if (entry.size > UINT32_MAX) {
        return vt_fail(err, VT_E_LIMIT, "initramfs: %s is larger than 4 GiB", path);
    }
    path++;
    if (has(cpio, path, strlen(path))) {
        return vt_fail(err, VT_E_EXISTS, "initramfs: /%s is there twice", path);
    }
    for (const char *slash = strchr(path, '/'); slash != NULL; slash = strchr(slash + 1, '/')) {
        size_t len = (size_t)(slash - path);
        int rc = has(cpio, path, len)
                     ? 0
                     : append(cpio, path, len, (struct vt_cpio_entry){.mode = S_IFDIR | 0755}, NULL,
                              err);
        if (rc != 0) {
            return rc;
        }
    }
    return append(cpio, path, strlen(path), entry, data, err);
}

int vt_cpio_add(struct vt_cpio *cpio, const char *path, mode_t mode, const void *data, size_t size,
                struct vt_error *err)
{
    return add(cpio, path, (struct vt_cpio_entry){.mode = mode, .size = size}, data, err);
}

int vt_cpio_add_device(struct vt_cpio *cpio, const char *path, mode_t mode, unsigned major,
                       unsigned minor, struct vt_error *err)
{
    return add(cpio, path, (struct vt_cpio_entry){.mode = mode, .major = major, .minor = minor},
               NULL, err);
}

static int by_path(const void *a, const void *b)
{
    return strcmp(((const struct vt_cpio_entry *)a)->path, ((const struct vt_cpio_entry *)b)->path);
}

static size_t padded(size_t n)
{
    return (n + 3) & ~(size_t)3;
}

static size_t entry_bytes(const char *path, size_t size)
{
    return padded(HEADER_BYTES + strlen(path) + 1) + padded(size);
}

/* Thirteen fields of eight hex digits after the magic. The buffer is zeroed: padding is there. */
static uint8_t *put(uint8_t *at, size_t ino, const struct vt_cpio_entry *e)
{
    char header[HEADER_BYTES + 1];
    size_t name_bytes = strlen(e->path) + 1;
    snprintf(header, sizeof header, "070701%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X",
             (unsigned)ino, (unsigned)e->mode, 0u, 0u, S_ISDIR(e->mode) ? 2u : 1u, 0u,
             (unsigned)e->size, 0u, 0u, e->major, e->minor, (unsigned)name_bytes, 0u);
    memcpy(at, header, HEADER_BYTES);
    memcpy(at + HEADER_BYTES, e->path, name_bytes);
    memcpy(at + padded(HEADER_BYTES + name_bytes), e->data, e->size);
    return at + entry_bytes(e->path, e->size);
}

int vt_cpio_finish(struct vt_cpio *cpio, uint8_t **bytes, size_t *size, struct vt_error *err)
{
    uint8_t nothing = 0;
    struct vt_cpio_entry trailer = {.path = (char[]){"TRAILER!!!"}, .data = &nothing};
    qsort(cpio->entries, cpio->n, sizeof *cpio->entries, by_path);
    size_t total = entry_bytes(trailer.path, 0);
    for (size_t i = 0; i < cpio->n; i++) {
        total += entry_bytes(cpio->entries[i].path, cpio->entries[i].size);
    }
    uint8_t *out = calloc(1, total);
    if (out == NULL) {
        return vt_fail(err, VT_E_NOMEM, "initramfs: out of memory");
    }
    uint8_t *at = out;
    for (size_t i = 0; i < cpio->n; i++) {
        at = put(at, i + 1, &cpio->entries[i]);
    }
    put(at, 0, &trailer);
    *bytes = out;
    *size = total;
    return 0;
}
