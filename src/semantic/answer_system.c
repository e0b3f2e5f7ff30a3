/* semantic/answer_system.c - answers about the guest as a whole, and what its kernel said. */
#include "semantic/answer.h"

#include <inttypes.h>
#include <math.h>
#include <sqlite3.h>
#include <stdlib.h>
#include <string.h>

/* ---------------------------------------------------------------- the guest */

/* "2 days 3 h", "3 h 4 min", "4 min 5 s" */
static const char *said_time_span(char out[48], double seconds)
{
    uint64_t s = seconds > 0 && seconds < 1e15 ? (uint64_t)seconds : 0;
    uint64_t days = s / 86400, hours = s / 3600 % 24, minutes = s / 60 % 60;
    if (days > 0) {
        snprintf(out, 48, "%" PRIu64 " %s %" PRIu64 " h", days, days == 1 ? "day" : "days", hours);
    } else if (hours > 0) {
        snprintf(out, 48, "%" PRIu64 " h %" PRIu64 " min", hours, minutes);
    } else {
        snprintf(out, 48, "%" PRIu64 " min %" PRIu64 " s", minutes, s % 60);
    }
    return out;
}

static int say_kernel(struct vt_answering *a, struct vt_error *err)
{
    uint64_t moved, physical;
    struct vt_gva va;
    struct vt_gpa pa;
    vt_answer_verb(a, "uname %s", a->target->name);
    int rc = vt_answer_sql(a, err,
                           "SELECT release, banner, build_id, text, text_physical, booted_s FROM"
                           " boots ORDER BY id DESC LIMIT 1");
    if (rc != 0) {
        return rc;
    }
    vt_kernel_text(a->target->kernel, &va, &pa);
    vt_kernel_kaslr(a->target->kernel, &moved, &physical);
    vt_say(a, "It runs Linux %s, at 0x%" PRIx64 " (physical 0x%" PRIx64 "), ",
           vt_said(a, vt_kernel_release(a->target->kernel)), va.v, pa.v);
    vt_say(a, moved != 0 ? "moved by KASLR by 0x%" PRIx64 " bytes." : "where it was linked to.",
           moved);
    vt_say(a, "\n%s", vt_said(a, vt_kernel_banner(a->target->kernel)));
    vt_answer_place(a, "kernel text", 0, va, pa, VT_PAGE_BYTES);
    return 0;
}

static int say_uptime(struct vt_answering *a, struct vt_error *err)
{
    char span[48];
    vt_answer_verb(a, "uptime %s", a->target->name);
    int rc = vt_answer_sql(a, err,
                           "SELECT uptime_s, booted, now, load1, load5, load15, running, tasks,"
                           " forks FROM live.uptime");
    if (rc != 0) {
        return rc;
    }
    const json_t *row = json_array_get(a->answer->rows, 0);
    const char *area = a->q->area;
    if (strcmp(area, "time") == 0) {
        vt_say(a, "The guest's clock says %s.", vt_said(a, vt_row_text(row, "now")));
    } else if (strcmp(area, "load") == 0) {
        vt_say(a,
               "Load %.2f over a minute, %.2f over five, %.2f over fifteen; %" PRId64 " of %" PRId64
               " threads want to run.",
               vt_row_real(row, "load1"), vt_row_real(row, "load5"), vt_row_real(row, "load15"),
               vt_row_int(row, "running"), vt_row_int(row, "tasks"));
    } else {
        vt_say(a, "It runs for %s, since %s.", said_time_span(span, vt_row_real(row, "uptime_s")),
               vt_said(a, vt_row_text(row, "booted")));
    }
    return 0;
}

/* Of the kernel's counters, the one of that name. */
static uint64_t counter(const json_t *rows, const char *name)
{
    json_t *row;
    size_t i;
    json_array_foreach(rows, i, row)
    {
        if (strcmp(vt_row_text(row, "name"), name) == 0) {
            return (uint64_t)vt_row_int(row, "bytes");
        }
    }
    return 0;
}

static int say_memory(struct vt_answering *a, struct vt_error *err)
{
    vt_answer_verb(a, "memory %s", a->target->name);
    int rc = vt_answer_sql(a, err, "SELECT name, bytes FROM live.memory WHERE bytes > 0");
    if (rc != 0) {
        return rc;
    }
    const json_t *rows = a->answer->rows;
    vt_say(a,
           "The guest has %s of RAM, %s of it for its kernel to hand out: %s free, %s of files,"
           " %s of programs' own, %s of slabs.",
           vt_said_bytes(a, vt_ram_size(a->target->ram)), vt_said_bytes(a, counter(rows, "total")),
           vt_said_bytes(a, counter(rows, "nr_free_pages")),
           vt_said_bytes(a, counter(rows, "nr_file_pages")),
           vt_said_bytes(a, counter(rows, "nr_anon_pages")),
           vt_said_bytes(a, counter(rows, "nr_slab_reclaimable") +
                                counter(rows, "nr_slab_unreclaimable")));
    return 0;
}

static int say_cpus(struct vt_answering *a, struct vt_error *err)
{
    json_t *row;
    size_t i;
    vt_answer_verb(a, "cpus %s", a->target->name);
    int rc = vt_answer_sql(a, err,
                           "SELECT cpu, online, idle, pid, comm, runnable, user_s, sys_s, idle_s,"
                           " model_name FROM live.cpus");
    if (rc != 0) {
        return rc;
    }
    uint64_t online = 0;
    json_array_foreach(a->answer->rows, i, row)
    {
        online += vt_row_int(row, "online") != 0;
    }
    row = json_array_get(a->answer->rows, 0);
    vt_say(a, "The guest has %s online (%s).", vt_said_count(a, online, "CPU", "CPUs"),
           vt_said(a, vt_row_text(row, "model_name")));
    json_array_foreach(a->answer->rows, i, row)
    {
        if (vt_row_int(row, "online") != 0 && i < 16) {
            vt_say(a, " CPU %" PRId64 " %s%s.", vt_row_int(row, "cpu"),
                   vt_row_int(row, "idle") != 0 ? "is idle" : "runs ",
                   vt_row_int(row, "idle") != 0 ? "" : vt_said(a, vt_row_text(row, "comm")));
        }
    }
    return 0;
}

static int say_name(struct vt_answering *a, struct vt_error *err)
{
    const struct vt_kernel *kernel = a->target->kernel;
    struct vt_member name;
    struct vt_gva at;
    char text[64 + 1] = "";
    int rc = vt_kernel_symbol(kernel, "init_uts_ns", &at, err);
    rc = rc != 0 ? rc : vt_kernel_member(kernel, "uts_namespace", "name.nodename", &name, err);
    if (rc == 0) {
        size_t bytes = name.size < sizeof text ? name.size : sizeof text - 1;
        rc = vt_space_read(vt_kernel_space(kernel), VT_GVA(at.v + name.offset), text, bytes, err);
        text[bytes - 1] = '\0';
    }
    if (rc != 0) {
        return rc;
    }
    vt_say(a, "Its host name is %s.", vt_said(a, text));
    return 0;
}

/* A long of the kernel's; false where it has no such symbol. */
static bool kernel_long(const struct vt_kernel *kernel, const char *name, uint64_t *value)
{
    struct vt_gva at;
    return vt_kernel_symbol(kernel, name, &at, NULL) == 0 &&
           vt_space_read_u64(vt_kernel_space(kernel), at, value, NULL) == 0;
}

static int say_swap(struct vt_answering *a, struct vt_error *err)
{
    const struct vt_kernel *kernel = a->target->kernel;
    uint64_t total, free_pages, swapped = 0;
    json_t *row;
    size_t i;
    vt_answer_verb(a, "maps %s", a->target->name);
    int rc = vt_answer_sql(a, err,
                           "SELECT pid, owner AS name, sum(swapped_bytes) AS swapped_bytes"
                           " FROM memory_regions WHERE swapped_bytes > 0 AND pid > 0"
                           " GROUP BY pid ORDER BY swapped_bytes DESC, pid");
    if (rc != 0) {
        return rc;
    }
    json_array_foreach(a->answer->rows, i, row)
    {
        swapped += (uint64_t)vt_row_int(row, "swapped_bytes");
    }
    if (!kernel_long(kernel, "total_swap_pages", &total) ||
        !kernel_long(kernel, "nr_swap_pages", &free_pages)) {
        vt_say(a, "This kernel does not say how much swap there is.");
    } else if (total == 0) {
        vt_say(a, "The guest has no swap.");
    } else {
        free_pages = free_pages < total ? free_pages : total;
        vt_say(a, "%s of %s of swap are used.",
               vt_said_bytes(a, (total - free_pages) * VT_PAGE_BYTES),
               vt_said_bytes(a, total * VT_PAGE_BYTES));
    }
    vt_say(a, " Of processes' memory %s %s swapped out", vt_said_bytes(a, swapped),
           swapped == 1 ? "is" : "are");
    for (i = 0; i < json_array_size(a->answer->rows) && i < 5; i++) {
        row = json_array_get(a->answer->rows, i);
        vt_say(a, "%s%s %s", i == 0 ? ": " : ", ", vt_said_process(a, row),
               vt_said_bytes(a, (uint64_t)vt_row_int(row, "swapped_bytes")));
    }
    vt_say(a, ".");
    return 0;
}

int vt_answer_system(struct vt_answering *a, struct vt_error *err)
{
    const char *area = a->q->area;
    int rc = vt_answer_kernel(a, err);
    if (rc != 0) {
        return rc;
    }
    if (strcmp(area, "memory") == 0) {
        return say_memory(a, err);
    }
    if (strcmp(area, "name") == 0) {
        return say_name(a, err);
    }
    if (strcmp(area, "swap") == 0) {
        return say_swap(a, err);
    }
    if (strcmp(area, "cpus") == 0) {
        return say_cpus(a, err);
    }
    if (strcmp(area, "uptime") == 0 || strcmp(area, "time") == 0 || strcmp(area, "load") == 0) {
        return say_uptime(a, err);
    }
    return say_kernel(a, err);
}

/* ---------------------------------------------------------------- its log */

#define LOG_LINES 50
#define LOG_SAID 6

int vt_answer_log(struct vt_answering *a, struct vt_error *err)
{
    const struct vt_question *q = a->q;
    bool errors = strcmp(q->area, "errors") == 0, warnings = strcmp(q->area, "warnings") == 0;
    vt_answer_verb(a, "dmesg %s", a->target->name);
    char *text = q->name[0] != '\0'
                     ? sqlite3_mprintf(" AND instr(lower(text), lower(%Q)) > 0", q->name)
                     : sqlite3_mprintf("");
    char *when = q->since_s >= 0 && q->since_s != VT_QUESTION_EVER
                     ? sqlite3_mprintf(" AND time >= (SELECT uptime_s FROM live.uptime) - %lld",
                                       (long long)q->since_s)
                     : sqlite3_mprintf("");
    if (when != NULL && q->until_s > 0) {
        char *more = sqlite3_mprintf("%s AND time <= (SELECT uptime_s FROM live.uptime) - %lld",
                                     when, (long long)q->until_s);
        sqlite3_free(when);
        when = more;
    }
    /* The last ones, in their order. Of a priority, the low three bits are the level: 3 is an
     * error, 4 a warning. */
    int rc =
        text == NULL || when == NULL
            ? vt_fail(err, VT_E_NOMEM, "out of memory")
            : vt_answer_sql(a, err,
                            "SELECT * FROM (SELECT seq, time, level, text FROM live.dmesg"
                            " WHERE priority & 7 <= %d%s%s"
                            " ORDER BY seq DESC LIMIT %lld) ORDER BY seq",
                            errors     ? 3
                            : warnings ? 4
                                       : 7,
                            text, when, q->limit > 0 ? (long long)q->limit : (long long)LOG_LINES);
    sqlite3_free(text);
    sqlite3_free(when);
    if (rc != 0) {
        return rc;
    }
    json_t *rows = a->answer->rows, *counts;
    rc = vt_answer_look(a, &counts, err,
                        "SELECT count(*) AS n, sum(priority & 7 <= 3) AS errors,"
                        " sum(priority & 7 = 4) AS warnings FROM live.dmesg");
    if (rc != 0) {
        return rc;
    }
    const json_t *all = json_array_get(counts, 0);
    vt_say(a, "The kernel's log has %s: %s and %s.",
           vt_said_count(a, (uint64_t)vt_row_int(all, "n"), "message", "messages"),
           vt_said_count(a, (uint64_t)vt_row_int(all, "errors"), "error", "errors"),
           vt_said_count(a, (uint64_t)vt_row_int(all, "warnings"), "warning", "warnings"));
    json_decref(counts);
    size_t n = json_array_size(rows);
    if (n == 0) {
        vt_say(a, " None is of the kind asked for.");
    } else {
        vt_say(a, " The last%s:", errors ? " errors" : warnings ? " warnings and errors" : "");
    }
    for (size_t i = n > LOG_SAID ? n - LOG_SAID : 0; i < n; i++) {
        const json_t *row = json_array_get(rows, i);
        vt_say(a, "\n  [%.6f] %s: %s", vt_row_real(row, "time"),
               vt_said(a, vt_row_text(row, "level")), vt_said(a, vt_row_text(row, "text")));
    }
    return 0;
}
