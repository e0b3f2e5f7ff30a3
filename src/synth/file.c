/* synth/file.c - kernels in a directory, named by what they are. See vitrine/synth.h and file.h.
 */
#include "synth/file.h"

#include "base/io.h"
#include "base/paths.h"

#include <dirent.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#define XXH_INLINE_ALL
#include <xxhash.h>

#define FILE_BYTES_MAX ((size_t)16 << 20)

/* What vt_json_* writes, as text of the caller's. */
static int to_text(const struct vt_synth_kernel *k, const char *hash, char **text, size_t *bytes,
                   struct vt_error *err)
{
    char *out = NULL;
    size_t n = 0;
    FILE *to = open_memstream(&out, &n);
    if (to == NULL) {
        return vt_fail(err, VT_E_NOMEM, "a kernel as JSON");
    }
    struct vt_json_writer w;
    vt_json_init(&w, to, hash != NULL);
    vt_json_object(&w);
    if (hash != NULL) {
        vt_json_kv_string(&w, "hash", hash);
        vt_json_kv_hex(&w, "head", k->loop.head);
    }
    vt_synth_json_content(k, &w);
    if (hash != NULL) {
        vt_synth_json_proof(k, &w);
    }
    vt_json_object_end(&w);
    vt_json_finish(&w);
    bool bad = ferror(to) != 0;
    if (fclose(to) != 0 || bad) {
        free(out);
        return vt_fail(err, VT_E_NOMEM, "a kernel as JSON");
    }
    *text = out;
    *bytes = n;
    return 0;
}

int vt_synth_content_hash(const struct vt_synth_kernel *k, char hash[33], struct vt_error *err)
{
    char *text;
    size_t bytes;
    int rc = to_text(k, NULL, &text, &bytes, err);
    if (rc == 0) {
        XXH128_hash_t h = XXH3_128bits(text, bytes);
        snprintf(hash, 33, "%016" PRIx64 "%016" PRIx64, (uint64_t)h.high64, (uint64_t)h.low64);
        free(text);
    }
    return rc;
}

int vt_synth_save(const struct vt_synth_kernel *k, const char *directory, char *path, size_t room,
                  struct vt_error *err)
{
    char hash[33], to[PATH_MAX], *text;
    size_t bytes;
    int rc = vt_synth_content_hash(k, hash, err);
    rc = rc != 0 ? rc : vt_path_format(to, err, "%s/%s.json", directory, hash);
    rc = rc != 0 ? rc : vt_make_dirs(directory, 0700, err);
    rc = rc != 0 ? rc : to_text(k, hash, &text, &bytes, err);
    if (rc != 0) {
        return rc;
    }
    rc = vt_write_file_atomic(to, text, bytes, 0644, err);
    free(text);
    if (rc == 0 && path != NULL) {
        snprintf(path, room, "%s", to);
    }
    return rc;
}

/* ---------------------------------------------------------------- reading */

int vt_synth_read(const char *text, size_t bytes, struct vt_synth_kernel **out,
                  struct vt_error *err)
{
    json_error_t why;
    json_t *object = json_loadb(text, bytes, JSON_REJECT_DUPLICATES, &why);
    struct vt_synth_kernel *k = object != NULL ? calloc(1, sizeof *k) : NULL;
    if (k == NULL) {
        int rc = object == NULL
                     ? vt_fail(err, VT_E_CORRUPT, "line %d: no JSON: %.100s", why.line, why.text)
                     : vt_fail(err, VT_E_NOMEM, "a kernel");
        json_decref(object);
        return rc;
    }
    char hash[33];
    int rc = vt_synth_json_read(object, k, err);
    rc = rc != 0 ? rc : vt_synth_content_hash(k, hash, err);
    if (rc == 0) {
        const char *said = json_string_value(json_object_get(object, "hash"));
        if (said == NULL || strcmp(said, hash) != 0) {
            rc = vt_fail(err, VT_E_CORRUPT, "its hash is not that of its content: it was changed");
        }
    }
    json_decref(object);
    if (rc != 0) {
        vt_synth_kernel_destroy(k);
        return rc;
    }
    *out = k;
    return 0;
}

int vt_synth_load(const char *path, struct vt_synth_kernel **k, struct vt_error *err)
{
    char *text;
    size_t bytes;
    struct vt_error why;
    int rc = vt_read_file(path, FILE_BYTES_MAX, &text, &bytes, err);
    if (rc != 0) {
        return rc;
    }
    rc = vt_synth_read(text, bytes, k, &why);
    free(text);
    return rc == 0 ? 0 : vt_fail(err, why.code, "%s: %s", path, why.message);
}

static bool same_obligation(const struct vt_obligation *a, const struct vt_obligation *b)
{
    return strcmp(a->name, b->name) == 0 && strcmp(a->hash, b->hash) == 0 && a->result == b->result;
}

int vt_synth_verify(struct vt_synth_kernel *k, const struct vt_proof_options *options,
                    struct vt_error *err)
{
    struct vt_obligation *said = k->obligations;
    uint32_t n = k->n_obligations;
    k->obligations = NULL;
    k->n_obligations = 0;
    int rc = vt_synth_prove(k, options, err);
    bool same = n == k->n_obligations;
    for (uint32_t i = 0; i < n && same; i++) {
        same = same_obligation(&said[i], &k->obligations[i]);
    }
    free(said);
    if (rc == 0 && !same) {
        k->proven = false;
        rc = vt_fail(err, VT_E_CORRUPT, "the proof that it claims is not its own");
    }
    return rc;
}

/* Whether the text names the loop: most files of a directory are of others. */
static bool mentions(const char *text, size_t bytes, const char *hash)
{
    return memmem(text, bytes, hash, strlen(hash)) != NULL;
}

static int try_file(const char *path, const char *hash, const struct vt_proof_options *options,
                    struct vt_synth_kernel **out, struct vt_error *err)
{
    char *text;
    size_t bytes;
    struct vt_synth_kernel *k = NULL;
    if (vt_read_file(path, FILE_BYTES_MAX, &text, &bytes, NULL) != 0) {
        return VT_E_NOT_FOUND;
    }
    int rc = mentions(text, bytes, hash) ? vt_synth_read(text, bytes, &k, NULL) : VT_E_NOT_FOUND;
    free(text);
    if (rc == 0 && strcmp(k->loop.hash, hash) != 0) {
        rc = VT_E_NOT_FOUND;
    }
    rc = rc != 0 ? rc : vt_synth_prove(k, options, err);
    if (rc != 0) {
        vt_synth_kernel_destroy(k);
        return rc == VT_E_INTERRUPTED ? rc : VT_E_NOT_FOUND;
    }
    *out = k;
    return 0;
}

int vt_synth_find(const char *directory, const char *hash, const struct vt_proof_options *options,
                  struct vt_synth_kernel **k, char *path, size_t room, struct vt_error *err)
{
    DIR *files = opendir(directory);
    int rc = VT_E_NOT_FOUND;
    for (struct dirent *one;
         files != NULL && rc == VT_E_NOT_FOUND && (one = readdir(files)) != NULL;) {
        size_t n = strlen(one->d_name);
        char file[PATH_MAX];
        if (n > 5 && strcmp(one->d_name + n - 5, ".json") == 0 &&
            vt_path_format(file, NULL, "%s/%s", directory, one->d_name) == 0) {
            rc = try_file(file, hash, options, k, err);
            if (rc == 0 && path != NULL) {
                snprintf(path, room, "%s", file);
            }
        }
    }
    if (files != NULL) {
        closedir(files);
    }
    return rc == VT_E_NOT_FOUND
               ? vt_fail(err, rc, "%s: no kernel of the loop %s that is proven", directory, hash)
               : rc;
}
