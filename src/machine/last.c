/* machine/last.c - see last.h. */
#include "machine/last.h"

#include "base/io.h"
#include "base/paths.h"
#include "base/text.h"
#include "machine/vmdir.h"

#include <stdlib.h>
#include <string.h>

#define FILE_MAX_BYTES ((size_t)256 << 10)

static int record_path(const char *name, bool make, char path[PATH_MAX], struct vt_error *err)
{
    char state[PATH_MAX], dir[PATH_MAX];
    int rc = vt_name_is_valid(name) ? 0 : vt_fail(err, VT_E_INVAL, "'%.64s' is no VM's name", name);
    rc = rc != 0 ? rc : vt_path_state(state, err);
    rc = rc != 0 ? rc : vt_path_format(dir, err, "%s/last", state);
    rc = rc != 0 || !make ? rc : vt_make_dirs(dir, 0700, err);
    return rc != 0 ? rc : vt_path_format(path, err, "%s/%s", dir, name);
}

int vt_last_write(const char *name, const json_t *config, struct vt_error *err)
{
    char path[PATH_MAX];
    int rc = record_path(name, true, path, err);
    if (rc != 0) {
        return rc;
    }
    char *text = json_dumps(config, JSON_COMPACT);
    if (text == NULL) {
        return vt_fail(err, VT_E_NOMEM, "out of memory");
    }
    rc = vt_write_file_atomic(path, text, strlen(text), 0600, err);
    free(text);
    return rc;
}

int vt_last_read(const char *name, json_t **config, struct vt_error *err)
{
    char path[PATH_MAX], *text;
    json_error_t why;
    int rc = record_path(name, false, path, err);
    rc = rc != 0 ? rc : vt_read_file(path, FILE_MAX_BYTES, &text, NULL, err);
    if (rc == VT_E_NOT_FOUND) {
        return vt_fail(err, VT_E_NOT_FOUND, "no VM named '%s' has been started before", name);
    }
    if (rc != 0) {
        return rc;
    }
    json_t *found = json_loads(text, JSON_REJECT_DUPLICATES, &why);
    free(text);
    if (found == NULL) {
        return vt_fail(err, VT_E_CORRUPT, "%s: %s", path, why.text);
    }
    *config = found;
    return 0;
}

int vt_vm_start_again(const char *name, const struct vt_keeper_service *const *services,
                      const volatile int *stop, struct vt_error *err)
{
    struct vt_vm_config config;
    const char **args;
    json_t *json;
    int rc = vt_last_read(name, &json, err);
    if (rc != 0) {
        return rc;
    }
    rc = vt_vm_config_from_json(json, &config, &args, err);
    if (rc == 0) {
        config.name = name;
        rc = vt_vm_start(&config, services, stop, err);
        free(args);
    }
    json_decref(json);
    return rc;
}
