/* server/assets.c - see assets.h. */
#include "server/assets.h"

#include "base/io.h"
#include "server/cache.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <nettle/sha2.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#define FILE_BYTES_MAX ((size_t)16 << 20)
#define ETAG_BYTES 16

static const char policy[] =
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob: data:; "
    "connect-src 'self'; worker-src 'self'; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'";

/* The answers of a file, to who has it and who has not. */
struct answers {
    struct vt_reply *whole, *unmodified;
};

struct vt_assets {
    int folder;            /* or -1 */
    struct answers made[]; /* of the files compiled in, once they were asked for */
};

/* ---------------------------------------------------------------- names */

bool vt_asset_name(const char *target, char name[VT_ASSET_NAME_MAX + 1])
{
    size_t n = strcspn(target, "?"), prefix = sizeof VT_ASSETS_PREFIX - 1;
    const char *from = "index.html";
    if (n != 1 || target[0] != '/') {
        if (n <= prefix || memcmp(target, VT_ASSETS_PREFIX, prefix) != 0) {
            return false;
        }
        from = target + prefix;
        n -= prefix;
    } else {
        n = strlen(from);
    }
    char before = '/';
    for (size_t i = 0; i < n; before = from[i++]) {
        bool plain = isalnum((unsigned char)from[i]) != 0 || from[i] == '_' || from[i] == '-';
        if (!plain && (before == '/' || (from[i] != '.' && from[i] != '/'))) {
            return false;
        }
    }
    if (before == '/' || n > VT_ASSET_NAME_MAX) {
        return false;
    }
    memcpy(name, from, n);
    name[n] = '\0';
    return true;
}

const char *vt_asset_type(const char *name)
{
    static const struct {
        const char *ending, *type;
    } types[] = {
        {".html", "text/html; charset=utf-8"},
        {".css", "text/css; charset=utf-8"},
        {".js", "text/javascript; charset=utf-8"},
        {".frag", "text/plain; charset=utf-8"},
        {".glsl", "text/plain; charset=utf-8"},
        {".vert", "text/plain; charset=utf-8"},
        {".svg", "image/svg+xml"},
        {".png", "image/png"},
        {".json", "application/json"},
        {".webmanifest", "application/manifest+json"},
    };
    const char *ending = strrchr(name, '.');
    for (size_t i = 0; ending != NULL && i < sizeof types / sizeof types[0]; i++) {
        if (strcmp(types[i].ending, ending) == 0) {
            return types[i].type;
        }
    }
    return NULL;
}

/* ---------------------------------------------------------------- answers */

static void drop(const struct answers *a)
{
    vt_reply_drop(a->whole);
    vt_reply_drop(a->unmodified);
}

/* `bytes` is malloc'ed and taken. False: out of memory. */
static bool make(const char *name, uint8_t *bytes, size_t size, struct answers *out)
{
    struct sha256_ctx ctx;
    uint8_t digest[ETAG_BYTES];
    char etag[2 * ETAG_BYTES + 3] = "\"";
    sha256_init(&ctx);
    sha256_update(&ctx, size, bytes);
    sha256_digest(&ctx, sizeof digest, digest);
    for (size_t i = 0; i < sizeof digest; i++) {
        snprintf(etag + 1 + 2 * i, 3, "%02x", digest[i]);
    }
    strcat(etag, "\"");
    struct answers a = {
        .whole = vt_reply_make(200, (char *)bytes, size, vt_asset_type(name)),
        .unmodified = vt_reply_make(304, NULL, 0, NULL),
    };
    struct vt_reply *both[] = {a.whole, a.unmodified};
    for (size_t i = 0; i < 2; i++) {
        if (both[i] == NULL || !vt_reply_header(both[i], "ETag", etag) ||
            !vt_reply_header(both[i], "Cache-Control", "no-cache") ||
            !vt_reply_header(both[i], "Content-Security-Policy", policy)) {
            drop(&a);
            return false;
        }
    }
    *out = a;
    return true;
}

/* To who asks. */
static struct vt_reply *of(const struct answers *a, const char *if_none_match)
{
    const char *etag = MHD_get_response_header(a->whole->mhd, "ETag");
    return vt_reply_keep(vt_etag_matches(if_none_match, etag) ? a->unmodified : a->whole);
}

static struct vt_reply *compiled_in(struct vt_assets *assets, const char *name,
                                    const char *if_none_match)
{
    const struct vt_embedded *f = vt_web_files;
    while (f->name != NULL && strcmp(f->name, name) != 0) {
        f++;
    }
    if (f->name == NULL) {
        return vt_reply_problem(404, NULL);
    }
    struct answers *a = &assets->made[f - vt_web_files];
    if (a->whole == NULL) {
        uint8_t *bytes = malloc(f->size + 1);
        if (bytes == NULL) {
            return NULL;
        }
        memcpy(bytes, f->bytes, f->size);
        if (!make(name, bytes, f->size, a)) {
            return NULL;
        }
    }
    return of(a, if_none_match);
}

/* Links may lead to other files of the folder, not out of it. */
static int read_below(int folder, const char *name, uint8_t **bytes, size_t *size,
                      struct vt_error *err)
{
    struct open_how how = {.flags = O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY,
                           .resolve = RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS};
    struct stat st;
    int rc = 0, fd = (int)syscall(SYS_openat2, folder, name, &how, sizeof how);
    if (fd < 0 || fstat(fd, &st) != 0 || !S_ISREG(st.st_mode)) {
        rc = vt_fail(err, VT_E_NOT_FOUND, "no file %s", name);
    } else if ((size_t)st.st_size > FILE_BYTES_MAX) {
        rc = vt_fail(err, VT_E_LIMIT, "%s is too large", name);
    } else {
        uint8_t *to = malloc((size_t)st.st_size + 1);
        rc = to == NULL ? vt_fail(err, VT_E_NOMEM, "out of memory")
                        : vt_read_all(fd, to, (size_t)st.st_size, name, err);
        if (rc == 0) {
            *bytes = to;
            *size = (size_t)st.st_size;
        } else {
            free(to);
        }
    }
    vt_close(&fd);
    return rc;
}

static struct vt_reply *read_now(const struct vt_assets *assets, const char *name,
                                 const char *if_none_match)
{
    struct answers a;
    struct vt_error err;
    uint8_t *bytes = NULL;
    size_t size = 0;
    if (read_below(assets->folder, name, &bytes, &size, &err) != 0) {
        return err.code == VT_E_NOT_FOUND ? vt_reply_problem(404, NULL) : vt_reply_error(&err);
    }
    if (!make(name, bytes, size, &a)) {
        return NULL;
    }
    struct vt_reply *reply = of(&a, if_none_match);
    drop(&a);
    return reply;
}

struct vt_reply *vt_assets_reply(struct vt_assets *assets, const char *name,
                                 const char *if_none_match)
{
    if (vt_asset_type(name) == NULL) {
        return vt_reply_problem(404, NULL);
    }
    return assets->folder >= 0 ? read_now(assets, name, if_none_match)
                               : compiled_in(assets, name, if_none_match);
}

/* ---------------------------------------------------------------- life */

static size_t count(void)
{
    size_t n = 0;
    while (vt_web_files[n].name != NULL) {
        n++;
    }
    return n;
}

int vt_assets_create(const char *folder, struct vt_assets **assets, struct vt_error *err)
{
    struct vt_assets *a = calloc(1, sizeof *a + count() * sizeof a->made[0]);
    if (a == NULL) {
        return vt_fail(err, VT_E_NOMEM, "out of memory");
    }
    a->folder = -1;
    if (folder != NULL) {
        a->folder = open(folder, O_PATH | O_DIRECTORY | O_CLOEXEC);
        if (a->folder < 0) {
            int rc = vt_fail_errno(err, vt_code_of_errno(errno), errno, "%s", folder);
            free(a);
            return rc;
        }
    }
    *assets = a;
    return 0;
}

void vt_assets_destroy(struct vt_assets *assets)
{
    if (assets == NULL) {
        return;
    }
    for (size_t i = 0, n = count(); i < n; i++) {
        drop(&assets->made[i]);
    }
    vt_close(&assets->folder);
    free(assets);
}
