/* guest/copy.c - see copy.h. */
#include "guest/copy.h"

#include "base/io.h"

#include <stdio.h>
#include <stdlib.h>

int vt_copy_take(struct vt_target *target, bool pause, bool registers, struct vt_copy *copy,
                 struct vt_error *err)
{
    struct vt_error ignored;
    int rc = vt_track_open(target->vm, &copy->track, err);
    rc = rc == VT_E_UNSUPPORTED ? 0 : rc; /* by comparing, then */
    rc = rc != 0 ? rc : vt_snapshot_create(target->ram, copy->track, target->vm, &copy->snap, err);
    if (rc == 0 && pause) {
        /* Most of it while the guest runs. */
        struct vt_refresh rough = {.unchecked = true};
        rc = vt_snapshot_refresh(copy->snap, &rough, &copy->result, err);
    }
    uint64_t copied = copy->result.copied_pages, spent = copy->result.total_ns;
    uint64_t stopped_at = vt_now_ns();
    rc = rc == 0 && pause ? vt_target_stop(target, err) : rc;
    rc =
        rc != 0 ? rc : vt_snapshot_refresh(copy->snap, &(struct vt_refresh){0}, &copy->result, err);
    if (rc == 0 && registers) {
        vt_dump_cpus(target->vm, &copy->cpus, &copy->n_cpus, &ignored);
    }
    bool paused = target->held != NULL;
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

int vt_copy_write(const char *path, const struct vt_dump *dump, enum vt_dump_format format,
                  uint64_t *stored, struct vt_error *err)
{
    struct vt_new_file file;
    int rc = vt_new_file_open(&file, path, 0600, false, err);
    if (rc != 0) {
        return rc;
    }
    rc = vt_dump_write(dump, format, file.fd, path, stored, err);
    if (rc != 0) {
        vt_new_file_abandon(&file);
        return rc;
    }
    return vt_new_file_commit(&file, err);
}

char *vt_copy_torn(const struct vt_copy *copy, const struct vt_ram *ram)
{
    const uint64_t *pages;
    size_t n = vt_snapshot_torn(copy->snap, &pages), size = 0;
    char *text = NULL;
    FILE *out = n > 0 ? open_memstream(&text, &size) : NULL;
    for (size_t i = 0; out != NULL && i < n; i++) {
        struct vt_gpa gpa;
        if (vt_ram_gpa(ram, VT_OFF(pages[i] << VT_PAGE_SHIFT), &gpa, NULL) == 0) {
            fprintf(out, "%s0x%llx", i > 0 ? "," : "", (unsigned long long)gpa.v);
        }
    }
    if (out != NULL) {
        fclose(out);
    }
    return text;
}
