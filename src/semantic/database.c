/* semantic/database.c - a database to ask, with a sample in it. See vitrine/semantic.h. */
#include "base/io.h"
#include "vitrine/semantic.h"

#include <inttypes.h>
#include <poll.h>
#include <stdatomic.h>
#include <stdio.h>

#define WAIT_NS UINT64_C(5000000000)
#define WAIT_STEP_MS 20

static int sample(struct vt_sampler *sampler, struct vt_error *err)
{
    struct vt_sample taken;
    return vt_sampler_tick(sampler, &taken, err);
}

/* A file's is in memory, and ends with the sampler. */
static int open_for_file(struct vt_target *target, struct vt_database *db, struct vt_error *err)
{
    static atomic_uint opened;
    char path[64];
    snprintf(path, sizeof path, "file:/vitrine-%u?vfs=memdb", atomic_fetch_add(&opened, 1));
    const struct vt_sampler_options options = {.path = path};
    int rc = vt_sampler_create(target, &options, &db->sampler, err);
    rc = rc != 0 ? rc : sample(db->sampler, err);
    return rc != 0 ? rc : vt_sql_open(path, target, &db->sql, err);
}

/* Whoever samples it may just have begun. */
static int open_sampled(const char *path, struct vt_target *target, struct vt_sql **sql,
                        struct vt_error *err)
{
    uint64_t until = vt_now_ns() + WAIT_NS;
    for (;;) {
        int rc = vt_sql_open(path, target, sql, err);
        if (rc != VT_E_NOT_FOUND || vt_now_ns() > until) {
            return rc;
        }
        poll(NULL, 0, WAIT_STEP_MS);
    }
}

static int open_for_vm(struct vt_target *target, struct vt_database *db, struct vt_error *err)
{
    char path[VT_VM_PATH_MAX];
    struct vt_sampler *sampler;
    int rc = vt_db_path(target->name, path, err);
    if (rc != 0) {
        return rc;
    }
    rc = vt_sampler_create(target, NULL, &sampler, err);
    if (rc == VT_E_BUSY) {
        return open_sampled(path, target, &db->sql, err);
    }
    if (rc == 0) {
        rc = sample(sampler, err);
        vt_sampler_destroy(sampler);
    }
    return rc != 0 ? rc : vt_sql_open(path, target, &db->sql, err);
}

static int open_past(struct vt_target *target, struct vt_database *db, struct vt_error *err)
{
    char path[VT_VM_PATH_MAX];
    int rc = vt_db_path(target->name, path, err);
    return rc != 0 ? rc : vt_sql_open(path, target, &db->sql, err);
}

int vt_database_open(struct vt_target *target, struct vt_database *db, struct vt_error *err)
{
    struct vt_database opened = {0};
    int rc = target->ended        ? open_past(target, &opened, err)
             : target->vm == NULL ? open_for_file(target, &opened, err)
                                  : open_for_vm(target, &opened, err);
    if (rc != 0) {
        vt_database_close(&opened);
        return rc;
    }
    *db = opened;
    return 0;
}

void vt_database_close(struct vt_database *db)
{
    vt_sql_close(db->sql);
    vt_sampler_destroy(db->sampler);
    *db = (struct vt_database){0};
}
