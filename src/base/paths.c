/* base/paths.c - see paths.h. */
#include "base/paths.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

int vt_path_format(char out[PATH_MAX], struct vt_error *err, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    int n = vsnprintf(out, PATH_MAX, fmt, ap);
    va_end(ap);
    if (n < 0 || n >= PATH_MAX) {
        return vt_fail(err, VT_E_INVAL, "path too long");
    }
    return 0;
}

/* An override of vitrine's own: NULL when it is not set, VT_E_INVAL when it is not absolute. */
static int override_env(const char *name, const char **value, struct vt_error *err)
{
    const char *v = getenv(name);
    if (v != NULL && v[0] != '\0' && v[0] != '/') {
        return vt_fail(err, VT_E_INVAL, "%s: '%s' is not an absolute path", name, v);
    }
    *value = v != NULL && v[0] != '\0' ? v : NULL;
    return 0;
}

/* An environment variable that holds an absolute path; the XDG specification says to ignore
 * relative ones. */
static const char *absolute_env(const char *name)
{
    const char *v = getenv(name);
    return v != NULL && v[0] == '/' ? v : NULL;
}

struct place {
    const char *override, *root, *xdg, *home_suffix;
};

static int find(const struct place *place, char out[PATH_MAX], struct vt_error *err)
{
    const char *v;
    int rc = override_env(place->override, &v, err);
    if (rc != 0) {
        return rc;
    }
    if (v != NULL) {
        return vt_path_format(out, err, "%s", v);
    }
    if (geteuid() == 0) {
        return vt_path_format(out, err, "%s", place->root);
    }
    v = absolute_env(place->xdg);
    if (v != NULL) {
        return vt_path_format(out, err, "%s/vitrine", v);
    }
    if (place->home_suffix == NULL) {
        return vt_path_format(out, err, "/tmp/vitrine-%u", (unsigned)geteuid());
    }
    v = absolute_env("HOME");
    if (v == NULL) {
        return vt_fail(err, VT_E_NOT_FOUND, "neither %s nor HOME is set", place->xdg);
    }
    return vt_path_format(out, err, "%s/%s/vitrine", v, place->home_suffix);
}

int vt_path_runtime(char out[PATH_MAX], struct vt_error *err)
{
    static const struct place p = {"VITRINE_RUNTIME_DIR", "/run/vitrine", "XDG_RUNTIME_DIR", NULL};
    return find(&p, out, err);
}

int vt_path_cache(char out[PATH_MAX], struct vt_error *err)
{
    static const struct place p = {"VITRINE_CACHE_DIR", "/var/cache/vitrine", "XDG_CACHE_HOME",
                                   ".cache"};
    return find(&p, out, err);
}

int vt_path_state(char out[PATH_MAX], struct vt_error *err)
{
    static const struct place p = {"VITRINE_STATE_DIR", "/var/lib/vitrine", "XDG_STATE_HOME",
                                   ".local/state"};
    return find(&p, out, err);
}

int vt_path_data(char out[PATH_MAX], struct vt_error *err)
{
    static const struct place p = {"VITRINE_DATA_DIR", "/var/lib/vitrine", "XDG_DATA_HOME",
                                   ".local/share"};
    return find(&p, out, err);
}

int vt_path_lib(const char *file, char out[PATH_MAX], struct vt_error *err)
{
    char exe[PATH_MAX];
    ssize_t n = readlink("/proc/self/exe", exe, sizeof exe - 1);
    if (n < 0) {
        return vt_fail_errno(err, VT_E_IO, errno, "/proc/self/exe");
    }
    exe[n] = '\0';
    char *slash = strrchr(exe, '/');
    if (slash != NULL) {
        *slash = '\0';
    }
    /* From the build tree, installed, and for a test, which lives deeper in the build tree. */
    static const char *const beside[] = {"plugins", "guests/card", "../lib/vitrine",
                                         "../../../plugins", "../../../guests/card"};
    const char *set;
    int rc = override_env("VITRINE_LIB_DIR", &set, err);
    if (rc != 0) {
        return rc;
    }
    char path[PATH_MAX], tried[PATH_MAX] = "";
    for (size_t i = 0; i < (set != NULL ? 1 : sizeof beside / sizeof beside[0]); i++) {
        rc = set != NULL ? vt_path_format(path, err, "%s/%s", set, file)
                         : vt_path_format(path, err, "%s/%s/%s", exe, beside[i], file);
        if (rc != 0) {
            return rc;
        }
        if (access(path, R_OK) == 0) {
            memcpy(out, path, strlen(path) + 1);
            return 0;
        }
        size_t used = strlen(tried);
        snprintf(tried + used, sizeof tried - used, "%s%.*s", i == 0 ? "" : ", ",
                 (int)(strlen(path) - strlen(file) - 1), path);
    }
    return vt_fail(err, VT_E_NOT_FOUND, "%s: not in %s", file, tried);
}
