/* machine/ended.c - see ended.h. The file's time is the time it ended. */
#include "machine/ended.h"

#include "base/io.h"
#include "base/paths.h"
#include "base/text.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define LINE_MAX_BYTES 300

static int record_path(const char *name, bool make, char path[PATH_MAX], struct vt_error *err)
{
    char state[PATH_MAX], dir[PATH_MAX];
    int rc = vt_path_state(state, err);
    rc = rc != 0 ? rc : vt_path_format(dir, err, "%s/ended", state);
    rc = rc != 0 || !make ? rc : vt_make_dirs(dir, 0700, err);
    return rc != 0 ? rc : vt_path_format(path, err, "%s/%s", dir, name);
}

int vt_ended_write(const char *name, const char *why, struct vt_error *err)
{
    char path[PATH_MAX], shown[LINE_MAX_BYTES];
    vt_text_printable(shown, sizeof shown, why, strlen(why));
    int rc = record_path(name, true, path, err);
    return rc != 0 ? rc : vt_write_file_atomic(path, shown, strlen(shown), 0600, err);
}

void vt_ended_forget(const char *name)
{
    char path[PATH_MAX];
    if (record_path(name, false, path, NULL) == 0) {
        unlink(path);
    }
}

static void format_age(char *text, size_t size, time_t seconds)
{
    if (seconds < 120) {
        snprintf(text, size, "%lld s", (long long)(seconds > 0 ? seconds : 0));
    } else if (seconds < 120 * 60) {
        snprintf(text, size, "%lld min", (long long)seconds / 60);
    } else {
        snprintf(text, size, "%lld h", (long long)seconds / 3600);
    }
}

bool vt_ended_read(const char *name, char *text, size_t size)
{
    char path[PATH_MAX], age[32];
    char *why;
    struct stat st;
    if (record_path(name, false, path, NULL) != 0 || stat(path, &st) != 0 ||
        vt_read_file(path, LINE_MAX_BYTES, &why, NULL, NULL) != 0) {
        return false;
    }
    format_age(age, sizeof age, time(NULL) - st.st_mtime);
    snprintf(text, size, "QEMU ended %s ago: %s", age, why);
    free(why);
    return true;
}
