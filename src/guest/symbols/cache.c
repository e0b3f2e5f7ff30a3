/* guest/symbols/cache.c - symbol tables on disk. See cache.h.
 *
 * A file is a struct header, header.n records and header.names_bytes of names, in host order: it
 * never leaves this machine.
 */
#include "guest/symbols/cache.h"

#include "base/io.h"
#include "base/paths.h"
#include "guest/symbols/btf.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define MAGIC UINT64_C(0x0331735953545656) /* changes with the format */
#define SUFFIX ".symbols"
#define TYPES_SUFFIX ".types"

struct header {
    uint64_t magic;
    uint64_t n, names_bytes;
    struct vt_cache_key key;
};

struct record {
    int64_t value;
    uint32_t name;
    uint8_t type, absolute;
    uint16_t zero;
};

static int path_of(const char *dir, const char *build_id, const char *suffix, char path[PATH_MAX],
                   struct vt_error *err)
{
    /* It names a file: hex only. */
    if (build_id[0] == '\0' || strspn(build_id, "0123456789abcdef") != strlen(build_id)) {
        return vt_fail(err, VT_E_INVAL, "not a build id");
    }
    return vt_path_format(path, err, "%s/%s%s", dir, build_id, suffix);
}

static bool read_header(const char *path, struct header *h)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    bool good = fd >= 0 && pread(fd, h, sizeof *h, 0) == (ssize_t)sizeof *h && h->magic == MAGIC &&
                h->n > 0 && h->n <= VT_SYMBOLS_MAX && h->names_bytes > 0 &&
                h->names_bytes <= VT_SYMBOL_NAMES_MAX &&
                memchr(h->key.banner, '\0', sizeof h->key.banner) != NULL &&
                memchr(h->key.build_id, '\0', sizeof h->key.build_id) != NULL;
    vt_close(&fd);
    return good;
}

struct entry {
    char path[PATH_MAX];
    struct timespec changed;
};

static int newest_first(const void *left, const void *right)
{
    const struct entry *a = left, *b = right;
    if (a->changed.tv_sec != b->changed.tv_sec) {
        return a->changed.tv_sec > b->changed.tv_sec ? -1 : 1;
    }
    return a->changed.tv_nsec > b->changed.tv_nsec ? -1 : a->changed.tv_nsec < b->changed.tv_nsec;
}

int vt_cache_each(const char *dir, int (*fn)(const struct vt_cache_key *key, void *arg), void *arg)
{
    DIR *d = opendir(dir);
    struct entry *entries = d != NULL ? calloc(VT_CACHE_FILES_MAX, sizeof *entries) : NULL;
    size_t n = 0;
    for (struct dirent *e; entries != NULL && n < VT_CACHE_FILES_MAX && (e = readdir(d)) != NULL;) {
        size_t length = strlen(e->d_name), suffix = strlen(SUFFIX);
        struct stat st;
        if (length > suffix && strcmp(e->d_name + length - suffix, SUFFIX) == 0 &&
            vt_path_format(entries[n].path, NULL, "%s/%s", dir, e->d_name) == 0 &&
            lstat(entries[n].path, &st) == 0 && S_ISREG(st.st_mode)) {
            entries[n++].changed = st.st_mtim;
        }
    }
    int rc = 0;
    if (n > 0) {
        qsort(entries, n, sizeof *entries, newest_first);
    }
    for (size_t i = 0; i < n && rc == 0; i++) {
        struct header h;
        if (read_header(entries[i].path, &h)) {
            rc = fn(&h.key, arg);
        }
    }
    free(entries);
    if (d != NULL) {
        closedir(d);
    }
    return rc;
}

/* The last byte of all names is zero, so looking for one is safe. */
static bool is_name(const char *name)
{
    size_t length = strnlen(name, VT_SYMBOL_NAME_MAX);
    return length > 0 && length < VT_SYMBOL_NAME_MAX;
}

static int unpack(const char *bytes, size_t n, const struct vt_cache_key *key,
                  struct vt_symbols *symbols, struct vt_error *err)
{
    struct header h;
    if (n < sizeof h) {
        return vt_fail(err, VT_E_CORRUPT, "symbol cache: cut off");
    }
    memcpy(&h, bytes, sizeof h);
    const char *records = bytes + sizeof h;
    if (h.magic != MAGIC || h.n > VT_SYMBOLS_MAX || h.names_bytes > VT_SYMBOL_NAMES_MAX ||
        h.names_bytes == 0 || n - sizeof h != h.n * sizeof(struct record) + h.names_bytes ||
        memcmp(&h.key, key, sizeof h.key) != 0 || bytes[n - 1] != '\0') {
        return vt_fail(err, VT_E_CORRUPT, "symbol cache: not what it says");
    }
    const char *names = records + h.n * sizeof(struct record);
    struct vt_symbols s = {.n = h.n, .names_bytes = h.names_bytes};
    s.list = calloc(h.n, sizeof *s.list);
    s.names = malloc(h.names_bytes);
    int rc = s.list == NULL || s.names == NULL
                 ? vt_fail(err, VT_E_NOMEM, "symbol cache: out of memory")
                 : 0;
    for (size_t i = 0; i < h.n && rc == 0; i++) {
        struct record r;
        memcpy(&r, records + i * sizeof r, sizeof r);
        if (r.name >= h.names_bytes || !is_name(names + r.name)) {
            rc = vt_fail(err, VT_E_CORRUPT, "symbol cache: not a name");
        }
        s.list[i] = (struct vt_symbol){
            .value = r.value, .name = r.name, .type = (char)r.type, .absolute = r.absolute != 0};
    }
    if (rc == 0) {
        memcpy(s.names, names, h.names_bytes);
        rc = vt_symbols_index(&s, err);
    }
    if (rc != 0) {
        vt_symbols_fini(&s);
        return rc;
    }
    *symbols = s;
    return 0;
}

int vt_cache_load(const char *dir, const struct vt_cache_key *key, struct vt_symbols *symbols,
                  struct vt_error *err)
{
    char path[PATH_MAX], *bytes;
    size_t n,
        max = sizeof(struct header) + VT_SYMBOLS_MAX * sizeof(struct record) + VT_SYMBOL_NAMES_MAX;
    int rc = path_of(dir, key->build_id, SUFFIX, path, err);
    if (rc == 0) {
        rc = vt_read_file(path, max, &bytes, &n, err);
    }
    if (rc == 0) {
        rc = unpack(bytes, n, key, symbols, err);
        free(bytes);
    }
    return rc;
}

int vt_cache_store(const char *dir, const struct vt_cache_key *key,
                   const struct vt_symbols *symbols, struct vt_error *err)
{
    char path[PATH_MAX];
    int rc = path_of(dir, key->build_id, SUFFIX, path, err);
    if (rc == 0) {
        rc = vt_make_dirs(dir, 0700, err);
    }
    if (rc != 0) {
        return rc;
    }
    size_t n = sizeof(struct header) + symbols->n * sizeof(struct record) + symbols->names_bytes;
    char *bytes = calloc(1, n);
    if (bytes == NULL) {
        return vt_fail(err, VT_E_NOMEM, "symbol cache: out of memory");
    }
    struct header h = {
        .magic = MAGIC, .n = symbols->n, .names_bytes = symbols->names_bytes, .key = *key};
    memcpy(bytes, &h, sizeof h);
    char *records = bytes + sizeof h;
    for (size_t i = 0; i < symbols->n; i++) {
        const struct vt_symbol *s = &symbols->list[i];
        struct record r = {
            .value = s->value, .name = s->name, .type = (uint8_t)s->type, .absolute = s->absolute};
        memcpy(records + i * sizeof r, &r, sizeof r);
    }
    memcpy(records + symbols->n * sizeof(struct record), symbols->names, symbols->names_bytes);
    rc = vt_write_file_atomic(path, bytes, n, 0600, err);
    free(bytes);
    return rc;
}

int vt_cache_load_types(const char *dir, const char *build_id, uint8_t **bytes, size_t *n,
                        struct vt_error *err)
{
    char path[PATH_MAX], *text = NULL;
    int rc = path_of(dir, build_id, TYPES_SUFFIX, path, err);
    if (rc == 0) {
        rc = vt_read_file(path, VT_BTF_BYTES_MAX, &text, n, err);
    }
    if (rc == 0) {
        *bytes = (uint8_t *)text;
    }
    return rc;
}

int vt_cache_store_types(const char *dir, const char *build_id, const uint8_t *bytes, size_t n,
                         struct vt_error *err)
{
    char path[PATH_MAX];
    int rc = path_of(dir, build_id, TYPES_SUFFIX, path, err);
    if (rc == 0) {
        rc = vt_make_dirs(dir, 0700, err);
    }
    return rc == 0 ? vt_write_file_atomic(path, bytes, n, 0600, err) : rc;
}
