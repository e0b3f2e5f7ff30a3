/* memory/audit.c - one line for every look into a guest.
 *
 * A line is made in memory and appended by a single write to an O_APPEND file, so lines of
 * programs that run at once never mix.
 */
#include "vitrine/memory.h"

#include "base/io.h"
#include "base/json_writer.h"
#include "base/paths.h"

#include <errno.h>
#include <fcntl.h>
#include <pwd.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define DETAIL_MAX 1024

static void put_time(struct vt_json_writer *w)
{
    struct timespec now;
    struct tm utc;
    char day[32], text[64];
    clock_gettime(CLOCK_REALTIME, &now);
    gmtime_r(&now.tv_sec, &utc);
    strftime(day, sizeof day, "%Y-%m-%dT%H:%M:%S", &utc);
    snprintf(text, sizeof text, "%s.%03ldZ", day, now.tv_nsec / 1000000);
    vt_json_kv_string(w, "time", text);
}

static void put_user(struct vt_json_writer *w)
{
    struct passwd entry, *found = NULL;
    char room[4096];
    uid_t uid = getuid();
    vt_json_kv_u64(w, "uid", uid);
    getpwuid_r(uid, &entry, room, sizeof room, &found);
    vt_json_kv_string(w, "user", found != NULL ? found->pw_name : NULL);
}

static int append(const char *line, size_t n, struct vt_error *err)
{
    char dir[PATH_MAX], path[PATH_MAX];
    int rc = vt_path_state(dir, err);
    if (rc == 0) {
        rc = vt_make_dirs(dir, 0700, err);
    }
    if (rc == 0) {
        rc = vt_path_format(path, err, "%s/audit.log", dir);
    }
    if (rc != 0) {
        return rc;
    }
    int fd = open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    ssize_t written = fd >= 0 ? write(fd, line, n) : -1;
    if (written != (ssize_t)n) {
        int why = written < 0 ? errno : ENOSPC;
        vt_close(&fd);
        return vt_fail_errno(err, fd < 0 ? vt_code_of_errno(why) : VT_E_IO, why, "audit log %s",
                             path);
    }
    vt_close(&fd);
    return 0;
}

int vt_audit(const char *vm, const char *operation, struct vt_error *err, const char *detail_fmt,
             ...)
{
    const char *setting = getenv("VITRINE_AUDIT");
    if (setting != NULL && strcmp(setting, "off") == 0) {
        return 0;
    }
    char detail[DETAIL_MAX], *line = NULL;
    size_t n = 0;
    va_list ap;
    va_start(ap, detail_fmt);
    vsnprintf(detail, sizeof detail, detail_fmt, ap);
    va_end(ap);
    FILE *out = open_memstream(&line, &n);
    if (out == NULL) {
        return vt_fail(err, VT_E_NOMEM, "audit log: out of memory");
    }
    struct vt_json_writer w;
    vt_json_init(&w, out, false);
    vt_json_object(&w);
    put_time(&w);
    put_user(&w);
    vt_json_kv_i64(&w, "pid", getpid());
    vt_json_kv_string(&w, "vm", vm);
    vt_json_kv_string(&w, "operation", operation);
    vt_json_kv_string(&w, "detail", detail);
    vt_json_object_end(&w);
    vt_json_finish(&w);
    int rc = fclose(out) == 0 ? append(line, n, err)
                              : vt_fail(err, VT_E_NOMEM, "audit log: out of memory");
    free(line);
    return rc;
}
