/* semantic/path.c - where a VM's database is. */
#include "base/paths.h"
#include "base/text.h"
#include "vitrine/semantic.h"

#include <string.h>

int vt_db_path(const char *vm_name, char path[VT_VM_PATH_MAX], struct vt_error *err)
{
    char dir[PATH_MAX], full[PATH_MAX];
    if (!vt_name_is_valid(vm_name)) {
        return vt_fail(err, VT_E_INVAL, "'%.64s' is not a VM's name", vm_name);
    }
    int rc = vt_path_data(dir, err);
    if (rc == 0) {
        rc = vt_path_format(full, err, "%s/%s.db", dir, vm_name);
    }
    if (rc == 0 && strlen(full) >= VT_VM_PATH_MAX) {
        rc = vt_fail(err, VT_E_INVAL, "path too long");
    }
    if (rc == 0) {
        memcpy(path, full, strlen(full) + 1);
    }
    return rc;
}
