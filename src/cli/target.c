/* cli/target.c - the VM operand of verbs. See target.h. */
#include "cli/target.h"

#include "base/text.h"
#include "vitrine/semantic.h"

#include <inttypes.h>

int vt_cli_pause(const struct vt_args *args, struct vt_target *t, struct vt_error *err)
{
    return vt_args_flag(args, "pause") ? vt_target_stop(t, err) : 0;
}

int vt_cli_open(const struct vt_args *args, const char *operation, enum vt_cli_need need,
                const char *detail, struct vt_target *target)
{
    return vt_cli_open_named(args, vt_args_operand(args, 0), operation, need, detail, target);
}

int vt_cli_open_named(const struct vt_args *args, const char *name, const char *operation,
                      enum vt_cli_need need, const char *detail, struct vt_target *target)
{
    struct vt_error err;
    struct vt_target t = {0};
    int rc = need == VT_CLI_DATABASE ? vt_database_target(name, operation, detail, &t, &err)
                                     : vt_target_open(name, operation, detail, &t, &err);
    if (rc == 0 && need == VT_CLI_KERNEL) {
        rc = vt_target_kernel(&t, &err);
    }
    if (rc != 0) {
        return vt_cli_close(args, &t, vt_report(args, &err));
    }
    *target = t;
    return 0;
}

int vt_cli_close(const struct vt_args *args, struct vt_target *target, int result)
{
    struct vt_error err;
    return vt_target_close(target, &err) != 0 ? vt_report(args, &err) : result;
}

int vt_cli_space(const struct vt_args *args, struct vt_target *target, struct vt_space *space,
                 struct vt_error *err)
{
    const char *text = vt_args_value(args, "pid");
    uint64_t pid = 0;
    int rc = text != NULL ? vt_parse_u64(text, &pid, err) : 0;
    if (rc == 0 && text != NULL && (pid == 0 || pid > INT32_MAX)) {
        rc = vt_fail(err, VT_E_NOT_FOUND, "%s has no process %" PRIu64, target->name, pid);
    }
    return rc != 0 ? rc : vt_target_space(target, (int32_t)pid, space, err);
}
