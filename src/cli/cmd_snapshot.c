/* cli/cmd_snapshot.c - `vitrine snapshot`: a guest's RAM into a file, with a verdict. */
#include "base/io.h"
#include "base/paths.h"
#include "cli/target.h"
#include "vitrine/memory.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define WRITE_BYTES ((uint64_t)1 << 20)

static const struct vt_column columns[] = {
    {.key = "vm", .title = "VM", .kind = VT_CELL_TEXT},
    {.key = "verdict", .title = "VERDICT", .kind = VT_CELL_TEXT},
    {.key = "bytes", .title = "BYTES", .kind = VT_CELL_BYTES},
    {.key = "stored_bytes", .title = "STORED", .kind = VT_CELL_BYTES},
    {.key = "retried_pages", .title = "RETRIED", .kind = VT_CELL_U64},
    {.key = "torn_pages", .title = "TORN", .kind = VT_CELL_U64},
    {.key = "paused_ms", .title = "PAUSED MS", .kind = VT_CELL_F64, .digits = 2},
    {.key = "copy_ms", .title = "COPY MS", .kind = VT_CELL_F64, .digits = 2},
    {.key = "mode", .title = "MODE", .kind = VT_CELL_TEXT},
    {.key = "torn", .kind = VT_CELL_TEXT},
};

/* ---------------------------------------------------------------- the file */

static bool is_zero(const uint8_t *bytes, uint64_t count)
{
    return bytes[0] == 0 && memcmp(bytes, bytes + 1, count - 1) == 0;
}

/* Writes one region where its addresses say, leaving holes for pages of zeros. */
static int write_region(int fd, const char *path, const struct vt_ram_region *r,
                        const uint8_t *copy, uint64_t *stored, struct vt_error *err)
{
    const uint8_t *bytes = copy + r->offset.v;
    for (uint64_t at = 0; at < r->bytes;) {
        uint64_t end = at;
        while (end < r->bytes && end - at < WRITE_BYTES && !is_zero(bytes + end, VT_PAGE_BYTES)) {
            end += VT_PAGE_BYTES;
        }
        if (vt_interrupted) {
            return vt_fail(err, VT_E_INTERRUPTED, "interrupted");
        }
        if (end == at) {
            at += VT_PAGE_BYTES;
            continue;
        }
        if (lseek(fd, (off_t)(r->gpa.v + at), SEEK_SET) < 0) {
            return vt_fail_errno(err, VT_E_IO, errno, "%s", path);
        }
        int rc = vt_write_all(fd, bytes + at, end - at, path, err);
        if (rc != 0) {
            return rc;
        }
        *stored += end - at;
        at = end;
    }
    return 0;
}

/* The file is complete or not there: it is written beside and renamed. */
static int write_file(const char *path, const struct vt_ram *ram, const uint8_t *copy,
                      uint64_t *stored, struct vt_error *err)
{
    struct vt_new_file file;
    int rc = vt_new_file_open(&file, path, 0600, false, err);
    if (rc != 0) {
        return rc;
    }
    const struct vt_ram_region *regions;
    unsigned n = vt_ram_regions(ram, &regions);
    for (unsigned i = 0; rc == 0 && i < n; i++) {
        rc = write_region(file.fd, path, &regions[i], copy, stored, err);
    }
    if (rc == 0 && ftruncate(file.fd, (off_t)vt_ram_end(ram).v) != 0) {
        rc = vt_fail_errno(err, VT_E_IO, errno, "%s", path);
    }
    if (rc != 0) {
        vt_new_file_abandon(&file);
        return rc;
    }
    return vt_new_file_commit(&file, err);
}

/* ---------------------------------------------------------------- the verb */

/* A signal in the middle would leave the VM paused. */
static int refresh(struct vt_snapshot *snap, bool pause, struct vt_refresh_result *result,
                   struct vt_error *err)
{
    struct vt_refresh how = {.pause = pause};
    sigset_t wait, before;
    sigemptyset(&wait);
    sigaddset(&wait, SIGINT);
    sigaddset(&wait, SIGTERM);
    sigaddset(&wait, SIGHUP);
    sigprocmask(SIG_BLOCK, &wait, &before);
    int rc = vt_snapshot_refresh(snap, &how, result, err);
    sigprocmask(SIG_SETMASK, &before, NULL);
    return rc;
}

/* "0x1000,0x5000": guest-physical, or NULL; the caller frees. */
static char *torn_addresses(const struct vt_ram *ram, const struct vt_snapshot *snap)
{
    const uint64_t *pages;
    size_t n = vt_snapshot_torn(snap, &pages), size = 0;
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

static int show(const struct vt_args *args, const struct vt_target *t, const struct vt_snapshot *s,
                const struct vt_refresh_result *r, uint64_t stored, const char *mode,
                struct vt_error *err)
{
    struct vt_rows *rows;
    int rc = vt_rows_create(args, columns, sizeof columns / sizeof columns[0], &rows, err);
    if (rc != 0) {
        return vt_report(args, err);
    }
    char *torn = torn_addresses(t->ram, s);
    vt_cell_text(rows, t->name);
    vt_cell_text(rows, vt_verdict_name(r->verdict));
    vt_cell_u64(rows, vt_ram_end(t->ram).v);
    vt_cell_u64(rows, stored);
    vt_cell_u64(rows, r->retried_pages);
    vt_cell_u64(rows, r->torn_pages);
    vt_cell_f64(rows, (double)r->paused_ns / 1e6);
    vt_cell_f64(rows, (double)r->total_ns / 1e6);
    vt_cell_text(rows, mode);
    vt_cell_text(rows, torn);
    free(torn);
    return vt_rows_finish(rows);
}

static int run(const struct vt_args *args)
{
    struct vt_target t;
    struct vt_error err;
    const char *path = vt_args_operand(args, 1);
    bool pause = vt_args_flag(args, "pause");
    int result = vt_target_open(args, "snapshot", VT_TARGET_RAM, path, &t);
    if (result != 0) {
        return result;
    }
    struct vt_track *track = NULL;
    struct vt_snapshot *snap = NULL;
    struct vt_refresh_result r;
    uint64_t stored = 0;
    int rc = t.vm == NULL ? vt_fail(&err, VT_E_INVAL, "%s is a snapshot already", t.name) : 0;
    if (rc == 0) {
        rc = vt_track_open(t.vm, &track, &err);
        rc = rc == VT_E_UNSUPPORTED ? 0 : rc; /* by comparing, then */
    }
    rc = rc != 0 ? rc : vt_snapshot_create(t.ram, track, t.vm, &snap, &err);
    rc = rc != 0 ? rc : refresh(snap, pause, &r, &err);
    rc = rc != 0 ? rc : write_file(path, t.ram, vt_snapshot_bytes(snap), &stored, &err);
    if (rc == 0) {
        const char *mode = vt_track_mode_name(track != NULL ? vt_track_mode(track) : VT_TRACK_NONE);
        result = show(args, &t, snap, &r, stored, mode, &err);
    } else {
        result = vt_report(args, &err);
    }
    vt_snapshot_destroy(snap);
    vt_track_close(track);
    return vt_target_close(args, &t, result);
}

static const struct vt_option options[] = {VT_TARGET_PAUSE, {0}};

const struct vt_verb vt_verb_snapshot = {
    .name = "snapshot",
    .group = "Memory",
    .summary = "Write a guest's RAM to a file, and say how consistent it is",
    .operands = "VM FILE",
    .min_operands = 2,
    .max_operands = 2,
    .options = options,
    .description =
        "The file holds guest-physical memory from address 0: a page's offset is its\n"
        "address, and what is zero or no RAM is a hole. Every verb that looks into a guest\n"
        "takes it in place of a VM's name, written with a '/' (./FILE).\n\n"
        "The verdict: 'consistent' or, after copying some pages again, 'retried' means RAM as\n"
        "it was at one moment; 'torn' means the guest kept writing, and the pages that changed\n"
        "under the copy are listed (--json). With --pause the guest stops for the last part of\n"
        "the copy, about a millisecond, and the copy is always of one moment.",
    .examples = "vitrine snapshot web web.raw --pause\nvitrine ps ./web.raw",
    .run = run,
};
