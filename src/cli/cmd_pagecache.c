/* cli/cmd_pagecache.c - `vitrine pagecache`: files with pages in RAM, and the content of one.
 *
 * What a guest's file holds goes into a file only, never to a terminal.
 */
#include "cli/nouns.h"

#include "base/io.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/types.h>
#include <unistd.h>

static const struct vt_column columns[] = {
    {.key = "path", .title = "PATH", .kind = VT_CELL_TEXT},
    {.key = "device", .title = "DEVICE", .kind = VT_CELL_TEXT},
    {.key = "inode", .title = "INODE", .kind = VT_CELL_U64},
    {.key = "bytes", .title = "SIZE", .kind = VT_CELL_BYTES},
    {.key = "pages", .title = "PAGES", .kind = VT_CELL_U64},
    {.key = "present_pages", .title = "PRESENT", .kind = VT_CELL_U64},
    {.key = "evicted_pages", .title = "EVICTED", .kind = VT_CELL_U64},
    {.key = "unready_pages", .kind = VT_CELL_U64},
    {.key = "trust", .title = "TRUST", .kind = VT_CELL_TEXT},
    {.key = "why", .kind = VT_CELL_TEXT},
    {.key = "output", .title = "OUTPUT", .kind = VT_CELL_TEXT},
};

/* The file that is meant; how many there are of that name. */
struct found {
    unsigned n;
    struct vt_gva inode;
    uint64_t number;
    char device[24], path[4224];
};

static int on_file(const struct vt_row *row, void *arg)
{
    const struct vt_cached_file *file = (const struct vt_cached_file *)row;
    struct found *found = arg;
    if (found->n++ == 0) {
        found->inode = row->at;
        found->number = file->inode;
        memcpy(found->device, file->device, sizeof found->device);
        snprintf(found->path, sizeof found->path, "%s", file->path != NULL ? file->path : "");
    }
    return 0;
}

static int find(struct vt_target *t, const char *text, struct found *found, struct vt_error *err)
{
    struct vt_noun_query query = {.text = text};
    struct vt_noun_result result;
    int rc =
        vt_noun_walk(t->kernel, vt_noun_find("pagecache"), &query, on_file, found, &result, err);
    if (rc == 0 && found->n == 0) {
        rc = vt_fail(err, VT_E_NOT_FOUND, "no page of %s is in RAM%s%s", text,
                     result.torn ? ", or it was not found: " : "", result.torn ? result.why : "");
    }
    if (rc == 0 && found->n > 1) {
        rc = vt_fail(err, VT_E_INVAL, "%u files have that path: name one by MAJOR:MINOR:INODE",
                     found->n);
    }
    return rc;
}

struct output {
    int fd;
    const char *path;
    struct vt_error *err;
};

static int on_page(uint64_t offset, const uint8_t *bytes, size_t n, void *arg)
{
    struct output *out = arg;
    if (vt_interrupted) {
        return vt_fail(out->err, VT_E_INTERRUPTED, "interrupted");
    }
    if (lseek(out->fd, (off_t)offset, SEEK_SET) < 0) {
        return vt_fail_errno(out->err, VT_E_IO, errno, "%s", out->path);
    }
    return vt_write_all(out->fd, bytes, n, out->path, out->err);
}

static int show(const struct vt_args *args, const struct found *found,
                const struct vt_file_pages *pages, const char *output, struct vt_error *err)
{
    struct vt_rows *rows;
    if (vt_rows_create(args, columns, sizeof columns / sizeof columns[0], &rows, err) != 0) {
        return vt_report(args, err);
    }
    vt_cell_text(rows, found->path[0] != '\0' ? found->path : NULL);
    vt_cell_text(rows, found->device);
    vt_cell_u64(rows, found->number);
    vt_cell_u64(rows, pages->bytes);
    vt_cell_u64(rows, pages->pages);
    vt_cell_u64(rows, pages->present);
    vt_cell_u64(rows, pages->evicted);
    vt_cell_u64(rows, pages->unready);
    vt_cell_text(rows, vt_trust_name(pages->torn ? VT_TRUST_TORN : VT_TRUST_OK));
    vt_cell_text(rows, pages->torn ? pages->why : NULL);
    vt_cell_text(rows, output);
    int status = vt_rows_finish(rows);
    if (pages->present < pages->pages) {
        fprintf(stderr,
                "vitrine pagecache: %" PRIu64 " of %" PRIu64
                " pages were in RAM; the others are zeros in %s\n",
                pages->present, pages->pages, output);
    }
    if (pages->torn) {
        fprintf(stderr, "vitrine pagecache: some of it may be missing: %s\n", pages->why);
    }
    return status;
}

static int extract(const struct vt_args *args, struct vt_target *t, const char *text,
                   const char *path)
{
    struct vt_error err;
    struct found found = {0};
    struct vt_file_pages pages;
    struct vt_new_file file;
    int rc = vt_cli_pause(args, t, &err);
    if (rc == 0) {
        rc = find(t, text, &found, &err);
    }
    if (rc == 0) {
        rc = vt_new_file_open(&file, path, 0600, false, &err);
    }
    if (rc != 0) {
        return vt_report(args, &err);
    }
    struct output out = {.fd = file.fd, .path = path, .err = &err};
    rc = vt_linux_file_pages(t->kernel, found.inode, on_page, &out, &pages, &err);
    if (rc == 0 && ftruncate(file.fd, (off_t)pages.bytes) != 0) {
        rc = vt_fail_errno(&err, VT_E_IO, errno, "%s", path);
    }
    if (rc != 0) {
        vt_new_file_abandon(&file);
        return vt_report(args, &err);
    }
    rc = vt_new_file_commit(&file, &err);
    return rc == 0 ? show(args, &found, &pages, path, &err) : vt_report(args, &err);
}

static int run(const struct vt_args *args)
{
    const char *text = vt_args_operand(args, 1), *path = vt_args_value(args, "extract");
    struct vt_noun_query query = {.text = text};
    struct vt_target t;
    if (path != NULL && text == NULL) {
        return vt_usage_error(args, "--extract: which file? Name it by path or inode");
    }
    int result = vt_cli_open(args, "pagecache", VT_CLI_KERNEL, text != NULL ? text : "", &t);
    if (result != 0) {
        return result;
    }
    result = path != NULL ? extract(args, &t, text, path)
                          : vt_noun_print(args, &t, vt_noun_find("pagecache"), &query);
    return vt_cli_close(args, &t, result);
}

static const struct vt_option options[] = {
    {"extract", "FILE", "write what is in RAM of the one file to FILE", false},
    VT_CLI_PAUSE,
    {0},
};

const struct vt_verb vt_verb_pagecache = {
    .name = "pagecache",
    .group = "Memory",
    .summary = "List files with pages in RAM, or extract one",
    .operands = "VM [PATH|MAJOR:MINOR:INODE]",
    .min_operands = 1,
    .max_operands = 2,
    .options = options,
    .description =
        "Every file of every file system that has pages in the page cache; the files of\n"
        "tmpfs, ramfs and an initramfs are nothing else. PATH is what is seen from the root\n"
        "of the initial mount namespace.\n\n"
        "With --extract the one file is written as far as it is in RAM. Pages that are not, be\n"
        "they holes of the file or never read from disk, are zeros, and it is said how many.",
    .examples = "vitrine pagecache web\n"
                "vitrine pagecache web /bin/busybox --extract busybox\n"
                "vitrine pagecache web 0:2:24 --extract busybox --json",
    .run = run,
};
