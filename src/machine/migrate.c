/* machine/migrate.c - see migrate.h. */
#include "machine/migrate.h"

#include "base/io.h"
#include "base/text.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define FD_NAME "vitrine-migration"

static bool has_file_uri(const struct vt_qmp *qmp)
{
    unsigned major = 0, minor = 0;
    return sscanf(vt_qmp_version(qmp), "%u.%u", &major, &minor) == 2 &&
           (major > 8 || (major == 8 && minor >= 2));
}

static int enable_events(struct vt_qmp *qmp, struct vt_error *err)
{
    json_t *capabilities =
        json_pack("{s:[{s:s, s:b}]}", "capabilities", "capability", "events", "state", 1);
    return vt_qmp_execute(qmp, "migrate-set-capabilities", capabilities,
                          vt_deadline_ms(VT_QMP_TIMEOUT_MS), NULL, err);
}

/* Gives QEMU the descriptor; `uri` names it. *fdset is -1 for a named one, which is used up. */
static int lend(struct vt_qmp *qmp, int fd, json_int_t *fdset, char *uri, size_t uri_size,
                struct vt_error *err)
{
    uint64_t deadline = vt_deadline_ms(VT_QMP_TIMEOUT_MS);
    off_t at = lseek(fd, 0, SEEK_CUR);
    if (at < 0) {
        return vt_fail_errno(err, VT_E_IO, errno, "the state's file");
    }
    *fdset = -1;
    if (!has_file_uri(qmp)) {
        snprintf(uri, uri_size, "fd:" FD_NAME);
        return vt_qmp_execute_fd(qmp, "getfd", json_pack("{s:s}", "fdname", FD_NAME), fd, deadline,
                                 NULL, err);
    }
    json_t *reply;
    int rc = vt_qmp_execute_fd(qmp, "add-fd", NULL, fd, deadline, &reply, err);
    if (rc != 0) {
        return rc;
    }
    json_t *id = json_object_get(reply, "fdset-id");
    if (json_is_integer(id)) {
        *fdset = json_integer_value(id);
        snprintf(uri, uri_size, "file:/dev/fdset/%" JSON_INTEGER_FORMAT ",offset=%lld", *fdset,
                 (long long)at);
    } else {
        rc = vt_fail(err, VT_E_PROTOCOL, "add-fd: a reply without an fdset-id");
    }
    json_decref(reply);
    return rc;
}

static void take_back(struct vt_qmp *qmp, json_int_t fdset)
{
    if (fdset >= 0) {
        vt_qmp_execute(qmp, "remove-fd", json_pack("{s:I}", "fdset-id", fdset),
                       vt_deadline_ms(VT_QMP_TIMEOUT_MS), NULL, NULL);
    }
}

/* 1 when it is done, 0 while it goes on. */
static int check(struct vt_qmp *qmp, struct vt_error *err)
{
    json_t *reply;
    int rc =
        vt_qmp_execute(qmp, "query-migrate", NULL, vt_deadline_ms(VT_QMP_TIMEOUT_MS), &reply, err);
    if (rc != 0) {
        return rc;
    }
    const char *status = json_string_value(json_object_get(reply, "status"));
    const char *why = json_string_value(json_object_get(reply, "error-desc"));
    if (status != NULL && strcmp(status, "completed") == 0) {
        rc = 1;
    } else if (status != NULL &&
               (strcmp(status, "failed") == 0 || strcmp(status, "cancelled") == 0)) {
        char shown[200] = "no reason given";
        if (why != NULL) {
            vt_text_printable(shown, sizeof shown, why, strlen(why));
        }
        rc = vt_fail(err, VT_E_IO, "QEMU: migration %s: %s", status, shown);
    }
    json_decref(reply);
    return rc;
}

static int await_completion(struct vt_qmp *qmp, uint64_t deadline_ns, struct vt_error *err)
{
    int rc;
    while ((rc = check(qmp, err)) == 0) {
        /* An event that came since query-migrate was sent counts: none is missed. */
        rc = vt_qmp_wait_event(qmp, "MIGRATION", deadline_ns, err);
        if (rc != 0) {
            break;
        }
    }
    return rc > 0 ? 0 : rc;
}

int vt_migrate_out(struct vt_qmp *qmp, int fd, struct vt_error *err)
{
    /* QEMU looks in the set for a descriptor of the very access mode it wants: write-only. */
    char path[64], uri[96];
    json_int_t fdset;
    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    int writer = open(path, O_WRONLY | O_CLOEXEC);
    if (writer < 0 || lseek(writer, lseek(fd, 0, SEEK_CUR), SEEK_SET) < 0) {
        int rc = vt_fail_errno(err, VT_E_IO, errno, "the state's file");
        vt_close(&writer);
        return rc;
    }
    int rc = enable_events(qmp, err);
    rc = rc != 0 ? rc : lend(qmp, writer, &fdset, uri, sizeof uri, err);
    vt_close(&writer);
    if (rc != 0) {
        return rc;
    }
    /* The guest stands still: nothing is gained by sparing the disk. */
    vt_qmp_execute(qmp, "migrate-set-parameters",
                   json_pack("{s:I}", "max-bandwidth", (json_int_t)1 << 40),
                   vt_deadline_ms(VT_QMP_TIMEOUT_MS), NULL, NULL);
    rc = vt_qmp_execute(qmp, "migrate", json_pack("{s:s}", "uri", uri),
                        vt_deadline_ms(VT_QMP_TIMEOUT_MS), NULL, err);
    rc = rc != 0 ? rc : await_completion(qmp, VT_NO_DEADLINE, err);
    if (rc == VT_E_INTERRUPTED) {
        vt_qmp_set_cancel(qmp, NULL);
        vt_qmp_execute(qmp, "migrate_cancel", NULL, vt_deadline_ms(VT_QMP_TIMEOUT_MS), NULL, NULL);
        await_completion(qmp, vt_deadline_ms(VT_QMP_TIMEOUT_MS), NULL);
    }
    take_back(qmp, fdset);
    return rc;
}

int vt_migrate_in(struct vt_qmp *qmp, int fd, uint64_t deadline_ns, struct vt_error *err)
{
    char uri[96];
    json_int_t fdset;
    int rc = enable_events(qmp, err);
    rc = rc != 0 ? rc : lend(qmp, fd, &fdset, uri, sizeof uri, err);
    if (rc != 0) {
        return rc;
    }
    rc = vt_qmp_execute(qmp, "migrate-incoming", json_pack("{s:s}", "uri", uri), deadline_ns, NULL,
                        err);
    rc = rc != 0 ? rc : await_completion(qmp, deadline_ns, err);
    take_back(qmp, fdset);
    return rc;
}
