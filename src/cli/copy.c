/* cli/copy.c - see copy.h. */
#include "cli/copy.h"

#include "base/io.h"

#include <stdlib.h>

int vt_copy_take(const struct vt_args *args, struct vt_target *target, bool registers,
                 struct vt_copy *copy, struct vt_error *err)
{
    struct vt_error ignored;
    int rc = vt_track_open(target->vm, &copy->track, err);
    rc = rc == VT_E_UNSUPPORTED ? 0 : rc; /* by comparing, then */
    rc = rc != 0 ? rc : vt_snapshot_create(target->ram, copy->track, target->vm, &copy->snap, err);
    if (rc == 0 && vt_args_flag(args, "pause")) {
        /* Most of it while the guest runs. */
        struct vt_refresh rough = {.unchecked = true};
        rc = vt_snapshot_refresh(copy->snap, &rough, &copy->result, err);
    }
    uint64_t copied = copy->result.copied_pages, spent = copy->result.total_ns;
    uint64_t stopped_at = vt_now_ns();
    rc = rc != 0 ? rc : vt_cli_pause(args, target, err);
    rc =
        rc != 0 ? rc : vt_snapshot_refresh(copy->snap, &(struct vt_refresh){0}, &copy->result, err);
    if (rc == 0 && registers) {
        vt_dump_cpus(target->vm, &copy->cpus, &copy->n_cpus, &ignored);
    }
    bool paused = target->paused;
    int resumed = vt_target_resume(target, rc == 0 ? err : &ignored);
    copy->result.paused_ns = paused ? vt_now_ns() - stopped_at : 0;
    copy->result.copied_pages += copied;
    copy->result.total_ns += spent;
    return rc != 0 ? rc : resumed;
}

void vt_copy_fini(struct vt_copy *copy)
{
    free(copy->cpus);
    vt_snapshot_destroy(copy->snap);
    vt_track_close(copy->track);
}

static int on_progress(uint64_t done, uint64_t total, void *arg)
{
    vt_progress_share(arg, done, total);
    return vt_interrupted;
}

int vt_copy_write(const char *path, struct vt_dump *dump, enum vt_dump_format format,
                  uint64_t *stored, struct vt_error *err)
{
    struct vt_share share = {.what = "writing"};
    struct vt_new_file file;
    int rc = vt_new_file_open(&file, path, 0600, false, err);
    if (rc != 0) {
        return rc;
    }
    dump->progress = on_progress;
    dump->arg = &share;
    rc = vt_dump_write(dump, format, file.fd, path, stored, err);
    if (rc != 0) {
        vt_new_file_abandon(&file);
        return rc;
    }
    return vt_new_file_commit(&file, err);
}
