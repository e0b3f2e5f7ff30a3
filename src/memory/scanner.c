/* memory/scanner.c - choosing between PAGEMAP_SCAN and hashing. See scanner.h. */
#include "memory/scanner.h"

#include <stdio.h>
#include <stdlib.h>

struct vt_scanner {
    struct vt_ram *ram;
    struct vt_pagemap_scan *pagemap; /* one of the two */
    struct vt_hash_scan *hash;
};

int vt_scanner_create(pid_t qemu_pid, const char *ram_path, struct vt_scanner **scanner, char *why,
                      size_t why_bytes, struct vt_error *err)
{
    struct vt_scanner *s = calloc(1, sizeof *s);
    if (s == NULL) {
        return vt_fail(err, VT_E_NOMEM, "no memory for the tracker");
    }
    int rc = vt_ram_open(ram_path, NULL, 0, &s->ram, err);
    if (rc == 0) {
        struct vt_error reason = {0};
        int tried = vt_pagemap_scan_create(qemu_pid, ram_path, s->ram, &s->pagemap, &reason);
        snprintf(why, why_bytes, "%s", tried == 0 ? "" : reason.message);
        rc = tried == 0 ? 0 : vt_hash_scan_create(s->ram, &s->hash, err);
    }
    if (rc != 0) {
        vt_scanner_destroy(s);
        return rc;
    }
    *scanner = s;
    return 0;
}

void vt_scanner_destroy(struct vt_scanner *scanner)
{
    if (scanner == NULL) {
        return;
    }
    vt_pagemap_scan_destroy(scanner->pagemap);
    vt_hash_scan_destroy(scanner->hash);
    vt_ram_close(scanner->ram);
    free(scanner);
}

enum vt_track_mode vt_scanner_mode(const struct vt_scanner *scanner)
{
    return scanner->pagemap != NULL ? VT_TRACK_PAGEMAP : VT_TRACK_HASH;
}

uint64_t vt_scanner_ram_bytes(const struct vt_scanner *scanner)
{
    return vt_ram_size(scanner->ram);
}

int vt_scanner_step(struct vt_scanner *scanner, struct vt_table *table, uint32_t tick,
                    uint64_t *dirty_pages, struct vt_error *err)
{
    if (scanner->hash != NULL) {
        return vt_hash_scan_step(scanner->hash, table, tick, dirty_pages, err);
    }
    int rc = vt_pagemap_scan_run(scanner->pagemap, table, tick, dirty_pages, err);
    return rc == 0 ? 1 : rc;
}
