/* semantic/answer_process.c - answers about processes: which run, where one is, what memory is
 * its, who uses most.
 */
#include "semantic/answer.h"
#include "semantic/roles.h"

#include <inttypes.h>
#include <math.h>
#include <sqlite3.h>
#include <stdlib.h>
#include <string.h>

/* ---------------------------------------------------------------- pages of regions */

/* Kernel stacks belong to processes, and are not their memory. */
#define OF_USER "kind <> 'kernel_stacks'"

/* "dropbear [heap]", "dropbear libc.so.6" */
static void label_region(const json_t *row, char label[160])
{
    const char *name = vt_row_text(row, "name"), *slash = strrchr(name, '/');
    const char *what = slash != NULL && slash[1] != '\0' ? slash + 1
                       : name[0] != '\0'                 ? name
                                                         : vt_row_text(row, "kind");
    snprintf(label, 160, "%.32s %.120s", vt_row_text(row, "owner"), what);
}

/* The runs of a region, "[[gva,gpa,bytes],…]", become places. What does not look so ends it: the
 * file may hold anything. */
static void add_runs(struct vt_answering *a, const json_t *row)
{
    const char *at = vt_row_text(row, "runs");
    char label[160];
    label_region(row, label);
    while (*at != '\0') {
        long long gva, gpa, bytes;
        int n = 0;
        at += strspn(at, "[], \n");
        if (sscanf(at, "%lld,%lld,%lld%n", &gva, &gpa, &bytes, &n) != 3 || n == 0 || bytes <= 0) {
            break;
        }
        vt_answer_place(a, label, (int32_t)vt_row_int(row, "pid"), VT_GVA((uint64_t)gva),
                        VT_GPA((uint64_t)gpa), (uint64_t)bytes);
        at += n;
    }
}

/* Where the pages of regions lie. `condition` says which. */
static int add_pages(struct vt_answering *a, const char *condition, struct vt_error *err)
{
    json_t *rows, *row;
    size_t i;
    bool cut = a->answer->rows_cut;
    int rc = vt_answer_look(a, &rows, err,
                            "SELECT pid, owner, kind, name, runs FROM memory_regions"
                            " WHERE %s ORDER BY pid, start",
                            condition);
    a->answer->rows_cut = cut; /* of the answer's own rows */
    if (rc == 0) {
        json_array_foreach(rows, i, row)
        {
            add_runs(a, row);
        }
        json_decref(rows);
    }
    return rc;
}

static int add_pages_of(struct vt_answering *a, const json_t *found, struct vt_error *err)
{
    char *pids = vt_answer_pids(found);
    char *condition = pids != NULL ? sqlite3_mprintf("pid IN %s AND " OF_USER, pids) : NULL;
    int rc = condition != NULL ? add_pages(a, condition, err)
                               : vt_fail(err, VT_E_NOMEM, "out of memory");
    free(pids);
    sqlite3_free(condition);
    return rc;
}

/* ---------------------------------------------------------------- what runs */

/* What of all processes is asked for; "": all. malloc'ed. */
static char *which_processes(const struct vt_question *q)
{
    static const struct {
        const char *area, *condition;
    } areas[] = {
        {"kernel", "p.kernel"},       {"user", "NOT p.kernel"},
        {"zombie", "p.state = 'Z'"},  {"stopped", "p.state IN ('T', 't')"},
        {"running", "p.state = 'R'"}, {"sleeping", "p.state IN ('S', 'D', 'I')"},
    };
    char user[48] = "", area[48] = "", then[128] = "", size[48] = "";
    char *conditions[] = {area, user, then, size};
    for (unsigned i = 0; i < sizeof areas / sizeof areas[0]; i++) {
        if (strcmp(q->area, areas[i].area) == 0) {
            snprintf(area, sizeof area, "%s", areas[i].condition);
        }
    }
    if (q->uid >= 0) {
        snprintf(user, sizeof user, "p.uid = %" PRId64, q->uid);
    }
    if (q->until_s > 0) {
        snprintf(then, sizeof then,
                 "p.first_seen <= moment AND ifnull(p.last_seen, moment) >= moment");
    }
    if (q->min_bytes >= 0) {
        snprintf(size, sizeof size, "p.rss_bytes > %" PRId64, q->min_bytes);
    }
    return vt_answer_where(conditions, 4);
}

#define PROCESS_COLUMNS                                                                            \
    "p.pid, p.ppid, p.name, p.state, p.uid, p.threads, p.rss_bytes, p.started_s, p.task,"          \
    " p.kernel, p.page_table, p.args"

static int list_processes(struct vt_answering *a, struct vt_error *err)
{
    const struct vt_question *q = a->q;
    char *which = which_processes(q);
    const char *order = strcmp(q->area, "newest") == 0   ? "p.started_s DESC, p.pid DESC"
                        : strcmp(q->area, "oldest") == 0 ? "p.started_s, p.pid"
                                                         : "p.pid";
    bool some = strcmp(q->area, "newest") == 0 || strcmp(q->area, "oldest") == 0;
    char limit[32] = "";
    if (q->limit > 0 || some) {
        snprintf(limit, sizeof limit, " LIMIT %" PRId64, q->limit > 0 ? q->limit : 10);
    }
    int rc;
    if (which == NULL) {
        return vt_fail(err, VT_E_NOMEM, "out of memory");
    }
    if (strcmp(q->area, "tree") == 0) {
        vt_answer_verb(a, "pstree %s", a->target->name);
        rc = vt_answer_sql(a, err,
                           "SELECT pid, ppid, depth, state, uid, threads, tree FROM live.pstree");
    } else if (q->until_s > 0) {
        rc = vt_answer_sql(a, err,
                           "SELECT " PROCESS_COLUMNS ", p.first_seen, p.last_seen"
                           " FROM processes_history p, (SELECT time - %lld AS moment FROM sample)"
                           "%s ORDER BY %s%s",
                           (long long)q->until_s, which, order, limit);
    } else {
        vt_answer_verb(a, "ps %s", a->target->name);
        rc = vt_answer_sql(a, err, "SELECT " PROCESS_COLUMNS " FROM processes p%s ORDER BY %s%s",
                           which, order, limit);
    }
    free(which);
    return rc;
}

/* "dropbear (pid 88), sh (pid 91) and 3 more" of those that are no kernel threads. */
static void say_some(struct vt_answering *a, const json_t *rows, bool kernel_too, size_t most)
{
    json_t *row;
    size_t i, n = 0, said = 0;
    json_array_foreach(rows, i, row)
    {
        n += kernel_too || vt_row_int(row, "kernel") == 0;
    }
    json_array_foreach(rows, i, row)
    {
        if (!kernel_too && vt_row_int(row, "kernel") != 0) {
            continue;
        }
        if (said == most && n > most + 1) {
            vt_say(a, " and %zu more", n - most);
            return;
        }
        vt_say(a, "%s%s", vt_said_comma(said, n > most + 1 ? n + 1 : n), vt_said_process(a, row));
        said++;
    }
}

int vt_answer_processes(struct vt_answering *a, struct vt_error *err)
{
    const struct vt_question *q = a->q;
    json_t *rows = NULL;
    int rc;
    if (q->role[0] != '\0' || q->name[0] != '\0') {
        rc = vt_answer_subjects(a, true, &rows, err);
    } else {
        rc = list_processes(a, err);
        rows = rc == 0 ? json_incref(a->answer->rows) : NULL;
    }
    if (rc != 0) {
        return rc;
    }
    size_t n = json_array_size(rows), kernel = 0, i;
    json_t *row;
    json_array_foreach(rows, i, row)
    {
        kernel += vt_row_int(row, "kernel") != 0;
    }
    bool past = q->until_s > 0, plain = q->area[0] == '\0' && q->uid < 0 && q->min_bytes < 0;
    const char *where = past ? "ran" : n == 1 ? "runs" : "run";
    char of[128] = "";
    if (q->uid >= 0) {
        snprintf(of, sizeof of, " of user %" PRId64, q->uid);
    }
    if (q->min_bytes >= 0) {
        size_t used = strlen(of);
        snprintf(of + used, sizeof of - used, " with more than %s resident",
                 vt_said_bytes(a, (uint64_t)q->min_bytes));
    }
    if (q->role[0] != '\0' && n == 0) {
        json_decref(rows);
        return 0; /* said */
    }
    if (strcmp(q->area, "tree") == 0) {
        vt_say(a, "%s, each below its parent.", vt_said_count(a, n, "process", "processes"));
    } else if (strcmp(q->area, "kernel") == 0) {
        vt_say(a, "%s%s %s.", vt_said_count(a, n, "kernel thread", "kernel threads"), of, where);
    } else if (strcmp(q->area, "newest") == 0 || strcmp(q->area, "oldest") == 0) {
        vt_say(a, "The %s processes: ", q->area);
        say_some(a, rows, true, 10);
        vt_say(a, ".");
    } else if (!plain && strcmp(q->area, "user") != 0) {
        vt_say(a, "%s%s%s%s", vt_said_count(a, n, "process", "processes"), of,
               q->area[0] != '\0' ? n == 1 ? " is " : " are " : " ",
               q->area[0] != '\0' ? q->area : where);
        vt_say(a, n > 0 ? ": " : ".");
        say_some(a, rows, true, 8);
        vt_say(a, n > 0 ? "." : "");
    } else {
        vt_say(a, "%s%s %s", vt_said_count(a, n, "process", "processes"), of, where);
        if (past && !isnan(a->to_s)) {
            vt_say(a, " at %s", vt_said_time(a, a->to_s));
        } else if (past) {
            vt_say(a, " %" PRId64 " s before the last sample", q->until_s);
        }
        if (kernel > 0) {
            vt_say(a, ": %s and %s. Programs", vt_said_count(a, n - kernel, "program", "programs"),
                   vt_said_count(a, kernel, "kernel thread", "kernel threads"));
        }
        vt_say(a, n > kernel ? ": " : "");
        say_some(a, rows, false, 8);
        vt_say(a, ".");
    }
    if (past) {
        rc = 0;
    } else if (q->highlight) {
        rc = add_pages_of(a, rows, err);
    } else {
        vt_answer_objects(a, rows, "task", "task_struct");
    }
    json_decref(rows);
    return rc;
}

/* ---------------------------------------------------------------- where one is */

static void say_listens(struct vt_answering *a, const char *listens)
{
    size_t n = 1, i = 0;
    for (const char *at = strchr(listens, ' '); at != NULL; at = strchr(at + 1, ' ')) {
        n++;
    }
    for (const char *at = listens; *at != '\0' && i < 8; i++) {
        size_t length = strcspn(at, " ");
        char one[160];
        snprintf(one, sizeof one, "%.*s", (int)(length < sizeof one ? length : sizeof one - 1), at);
        vt_say(a, "%s%s", vt_said_comma(i, n), vt_said(a, one));
        at += length;
        at += *at == ' ';
    }
}

static void say_found(struct vt_answering *a, const json_t *row, bool first)
{
    const struct vt_question *q = a->q;
    const struct vt_role *role = q->role[0] != '\0' ? vt_role_find(q->role) : NULL;
    const char *evidence = vt_row_text(row, "evidence"), *listens = vt_row_text(row, "listens");
    bool named = strncmp(evidence, "its ", 4) == 0;
    vt_say(a, "%s%s ", first ? "" : "\n", vt_said_process(a, row));
    if (role == NULL) {
        vt_say(a, "runs");
    } else if (named) {
        vt_say(a, "%s, by %s", role->title,
               strncmp(evidence, "its c", 5) == 0 ? "its command line" : "its name");
    } else {
        vt_say(a, "may be one, too: its name says nothing");
    }
    if (listens[0] != '\0') {
        vt_say(a, "; it listens on ");
        say_listens(a, listens);
    }
    if (vt_row_int(row, "kernel") == 0) {
        vt_say(a, "; %s resident in %s", vt_said_bytes(a, (uint64_t)vt_row_int(row, "rss_bytes")),
               vt_said_count(a, (uint64_t)vt_row_int(row, "regions"), "region", "regions"));
    } else {
        vt_say(a, "; it is a kernel thread");
    }
    vt_say(a, ".");
}

#define ANCESTORS                                                                                  \
    "WITH RECURSIVE up(pid, depth) AS (SELECT ppid, 1 FROM processes WHERE pid IN %s"              \
    " UNION SELECT p.ppid, up.depth + 1 FROM up JOIN processes p ON p.pid = up.pid"                \
    " WHERE up.depth < 64) SELECT " PROCESS_COLUMNS ", min(up.depth) AS depth"                     \
    " FROM up JOIN processes p ON p.pid = up.pid GROUP BY p.pid ORDER BY depth"

static int say_relatives(struct vt_answering *a, const json_t *found, struct vt_error *err)
{
    bool ancestors = strcmp(a->q->area, "ancestors") == 0;
    bool parent = strcmp(a->q->area, "parent") == 0;
    char *pids = vt_answer_pids(found);
    if (pids == NULL) {
        return vt_fail(err, VT_E_NOMEM, "out of memory");
    }
    int rc = vt_answer_sql(a, err,
                           ancestors ? ANCESTORS
                           : parent  ? "SELECT " PROCESS_COLUMNS " FROM processes p WHERE p.pid IN"
                                       " (SELECT ppid FROM processes WHERE pid IN %s) ORDER BY p.pid"
                                     : "SELECT " PROCESS_COLUMNS
                                      " FROM processes p WHERE p.ppid IN %s ORDER BY p.pid",
                           pids);
    free(pids);
    if (rc != 0) {
        return rc;
    }
    size_t n = json_array_size(a->answer->rows);
    if (ancestors) {
        vt_say(a, n == 0 ? " The kernel started it." : " Its ancestors, the nearest first: ");
    } else if (parent) {
        vt_say(a, n == 0 ? " The kernel started it." : " Its parent is ");
    } else {
        vt_say(a, n == 0 ? " It has no children." : " Its children are ");
    }
    say_some(a, a->answer->rows, true, 10);
    vt_say(a, n > 0 ? "." : "");
    return 0;
}

int vt_answer_find_process(struct vt_answering *a, struct vt_error *err)
{
    const struct vt_question *q = a->q;
    json_t *found, *row;
    size_t i;
    int rc = vt_answer_subjects(a, true, &found, err);
    if (rc != 0 || json_array_size(found) == 0) {
        if (rc == 0) {
            json_decref(found);
        }
        return rc;
    }
    const json_t *first = json_array_get(found, 0);
    json_array_foreach(found, i, row)
    {
        if (i == VT_ANSWER_SUBJECTS_MAX) {
            vt_say(a, "\nand %zu more.", json_array_size(found) - i);
            break;
        }
        say_found(a, row, i == 0);
    }
    if (strcmp(q->area, "user") == 0) {
        vt_say(a, " It runs as user %" PRId64 ".", vt_row_int(first, "uid"));
    } else if (strcmp(q->area, "threads") == 0) {
        vt_say(a, " It has %s.",
               vt_said_count(a, (uint64_t)vt_row_int(first, "threads"), "thread", "threads"));
    } else if (strcmp(q->area, "arguments") == 0) {
        vt_say(a, " Its command line: %s", vt_said(a, vt_row_text(first, "args")));
    } else if (strcmp(q->area, "parent") == 0 || strcmp(q->area, "children") == 0 ||
               strcmp(q->area, "ancestors") == 0) {
        rc = say_relatives(a, found, err);
    }
    rc = rc != 0 ? rc : add_pages_of(a, found, err);
    json_decref(found);
    return rc;
}

/* ---------------------------------------------------------------- its memory */

static const char *region_condition(const char *area)
{
    static const struct {
        const char *area, *condition;
    } areas[] = {
        {"stack", " AND kind = 'stack'"},
        {"heap", " AND kind = 'heap'"},
        {"code", " AND kind = 'code'"},
        {"data", " AND kind = 'data'"},
        {"anon", " AND kind = 'anon'"},
        {"files", " AND name LIKE '/%'"},
        {"libraries", " AND name LIKE '%.so%'"},
        {"executable", " AND permissions LIKE '__x%'"},
        {"writable", " AND permissions LIKE '_w%'"},
        {"shared", " AND permissions LIKE '___s'"},
    };
    for (unsigned i = 0; i < sizeof areas / sizeof areas[0]; i++) {
        if (strcmp(area, areas[i].area) == 0) {
            return areas[i].condition;
        }
    }
    return "";
}

/* "code 1.2 MiB, heap 64 KiB" of what is resident, by kind, in the order of their first region. */
static void say_kinds(struct vt_answering *a, const json_t *rows)
{
    struct {
        const char *kind;
        uint64_t bytes;
    } kinds[16];
    size_t n = 0, i;
    json_t *row;
    json_array_foreach(rows, i, row)
    {
        const char *kind = vt_row_text(row, "kind");
        size_t k = 0;
        while (k < n && strcmp(kinds[k].kind, kind) != 0) {
            k++;
        }
        if (k == n && n < sizeof kinds / sizeof kinds[0]) {
            kinds[n].kind = kind;
            kinds[n++].bytes = 0;
        }
        if (k < n) {
            kinds[k].bytes += (uint64_t)vt_row_int(row, "resident_bytes");
        }
    }
    const char *before = ": ";
    for (size_t k = 0; k < n; k++) {
        if (kinds[k].bytes > 0) {
            vt_say(a, "%s%s %s", before, vt_said(a, kinds[k].kind),
                   vt_said_bytes(a, kinds[k].bytes));
            before = ", ";
        }
    }
}

/* Who has a file mapped, each once; rows are in the order of pids. */
static void say_mappers(struct vt_answering *a, const json_t *rows)
{
    uint64_t resident = 0, processes = 0;
    int64_t last = -1;
    json_t *row;
    size_t i;
    vt_say(a, "%s is mapped in ", vt_said(a, a->q->path));
    json_array_foreach(rows, i, row)
    {
        int64_t pid = vt_row_int(row, "pid");
        resident += (uint64_t)vt_row_int(row, "resident_bytes");
        if (pid != last && ++processes <= 8) {
            char name[80];
            snprintf(name, sizeof name, "%s", vt_said(a, vt_row_text(row, "owner")));
            vt_say(a, "%s%s (pid %" PRId64 ")", processes == 1 ? "" : ", ", name, pid);
        }
        last = pid;
    }
    vt_say(a, "%s: %s, %s resident.", processes > 8 ? ", …" : "",
           vt_said_count(a, i, "region", "regions"), vt_said_bytes(a, resident));
}

static void say_memory(struct vt_answering *a, const json_t *found, const json_t *rows)
{
    const struct vt_question *q = a->q;
    size_t n = json_array_size(rows), i;
    uint64_t bytes = 0, resident = 0;
    json_t *row;
    json_array_foreach(rows, i, row)
    {
        bytes += vt_row_address(row, "end") - vt_row_address(row, "start");
        resident += (uint64_t)vt_row_int(row, "resident_bytes");
    }
    for (i = 0; i < json_array_size(found) && i < 4; i++) {
        vt_say(a, "%s%s", vt_said_comma(i, json_array_size(found)),
               vt_said_process(a, json_array_get(found, i)));
    }
    if (json_array_size(found) > 4) {
        vt_say(a, "and %zu more", json_array_size(found) - 4);
    }
    if (found == NULL && q->path[0] != '\0' && n > 0) {
        say_mappers(a, rows);
        return;
    }
    if (found == NULL) {
        vt_say(a, "All processes together");
    }
    if (n == 0) {
        vt_say(a, " %s no such memory%s%s.", json_array_size(found) == 1 ? "has" : "have",
               q->area[0] != '\0' ? ": " : "", q->area);
        return;
    }
    vt_say(a, " %s %s%s%s, %s, %s resident", json_array_size(found) == 1 ? "has" : "have",
           vt_said_count(a, n, "region", "regions"), q->area[0] != '\0' ? " of " : "", q->area,
           vt_said_bytes(a, bytes), vt_said_bytes(a, resident));
    if (q->min_bytes >= 0) {
        vt_say(a, ", each larger than %s", vt_said_bytes(a, (uint64_t)q->min_bytes));
    }
    if (n <= 3) {
        json_array_foreach(rows, i, row)
        {
            vt_say(a, "%s%s-%s %s", i == 0 ? ": " : ", ", vt_row_text(row, "start"),
                   vt_row_text(row, "end"), vt_said(a, vt_row_text(row, "name")));
        }
    } else if (resident > 0) {
        say_kinds(a, rows);
    }
    vt_say(a, ".");
}

int vt_answer_process_memory(struct vt_answering *a, struct vt_error *err)
{
    const struct vt_question *q = a->q;
    json_t *found = NULL;
    char *pids = NULL;
    int rc = 0;
    if (vt_answer_has_subject(q)) {
        rc = vt_answer_subjects(a, true, &found, err);
        if (rc != 0 || json_array_size(found) == 0) {
            json_decref(rc == 0 ? found : NULL);
            return rc;
        }
        pids = vt_answer_pids(found);
        vt_answer_verb(a, "maps %s --pid %" PRId64, a->target->name,
                       vt_row_int(json_array_get(found, 0), "pid"));
    } else {
        vt_answer_verb(a, "maps %s", a->target->name);
    }
    char size[48] = "";
    if (q->min_bytes >= 0) {
        snprintf(size, sizeof size, " AND \"end\" - start > %" PRId64, q->min_bytes);
    }
    char *whose = pids != NULL ? sqlite3_mprintf("pid IN %s AND " OF_USER "%s", pids, size)
                               : sqlite3_mprintf("pid > 0 AND " OF_USER "%s", size);
    char *condition = q->path[0] != '\0'
                          ? sqlite3_mprintf("%s%s AND instr(name, %Q) > 0", whose,
                                            region_condition(q->area), q->path)
                          : sqlite3_mprintf("%s%s", whose, region_condition(q->area));
    if (whose == NULL || condition == NULL) {
        rc = vt_fail(err, VT_E_NOMEM, "out of memory");
    }
    if (rc == 0) {
        rc = vt_answer_sql(a, err,
                           "SELECT pid, owner, start, \"end\", permissions, kind, name,"
                           " resident_bytes, dirty_bytes, swapped_bytes FROM memory_regions"
                           " WHERE %s ORDER BY pid, start",
                           condition);
    }
    if (rc == 0) {
        say_memory(a, found, a->answer->rows);
        rc = add_pages(a, condition, err);
    }
    free(pids);
    sqlite3_free(whose);
    sqlite3_free(condition);
    json_decref(found);
    return rc;
}

/* ---------------------------------------------------------------- who uses most */

/* How an amount is said. */
enum amount { AMOUNT_COUNT, AMOUNT_BYTES, AMOUNT_SECONDS };

struct most {
    const char *area, *of, *key;
    enum amount amount;
    bool things;           /* not processes: rows have a name, or a path */
    const char *at, *type; /* of a thing: the kernel's object of each row */
    const char *sql;
};

/* Taken by the condition of a user (on p.pid), and how many. */
static const struct most mosts[] = {
    {"memory", "memory", "rss_bytes", AMOUNT_BYTES, false, NULL, NULL,
     "SELECT pid, name, rss_bytes, threads, regions, args FROM processes p WHERE NOT kernel%s"
     " ORDER BY rss_bytes DESC, pid LIMIT %lld"},
    {"cpu", "CPU time", "cpu_s", AMOUNT_SECONDS, false, NULL, NULL,
     "SELECT p.pid, p.name, sum(t.user_s + t.system_s) AS cpu_s, sum(t.user_s) AS user_s,"
     " sum(t.system_s) AS system_s FROM threads t JOIN processes p ON p.pid = t.pid%s"
     " GROUP BY p.pid ORDER BY cpu_s DESC, p.pid LIMIT %lld"},
    {"files", "open files", "files", AMOUNT_COUNT, false, NULL, NULL,
     "SELECT pid, name, count(*) AS files FROM files p WHERE typeof(fd) = 'integer'%s"
     " GROUP BY pid ORDER BY files DESC, pid LIMIT %lld"},
    {"sockets", "sockets", "sockets", AMOUNT_COUNT, false, NULL, NULL,
     "SELECT pid, name, count(*) AS sockets FROM sockets p WHERE pid > 0%s"
     " GROUP BY pid ORDER BY sockets DESC, pid LIMIT %lld"},
    {"threads", "threads", "threads", AMOUNT_COUNT, false, NULL, NULL,
     "SELECT pid, name, threads FROM processes p WHERE 1%s ORDER BY threads DESC, pid LIMIT %lld"},
    {"file_sizes", "open files", "bytes", AMOUNT_BYTES, true, "file", "file",
     "SELECT path, max(bytes) AS bytes, pid, name, count(*) AS times_open, file FROM files p"
     " WHERE kind = 'regular' AND bytes > 0%s GROUP BY path ORDER BY bytes DESC, path LIMIT %lld"},
    {"slabs", "slab caches", "bytes", AMOUNT_BYTES, true, "at", "kmem_cache",
     "SELECT name, bytes, active_objects, objects, object_bytes, slabs, at FROM live.slabs"
     " WHERE 1%s ORDER BY bytes DESC, name LIMIT %lld"},
    {"modules", "modules", "bytes", AMOUNT_BYTES, true, "module", "module",
     "SELECT name, size_bytes AS bytes, refs, used_by, state, module FROM modules p WHERE 1%s"
     " ORDER BY bytes DESC, name LIMIT %lld"},
};

static void say_amount(struct vt_answering *a, const struct most *m, const json_t *row)
{
    switch (m->amount) {
    case AMOUNT_BYTES:
        vt_say(a, "%s", vt_said_bytes(a, (uint64_t)vt_row_int(row, m->key)));
        break;
    case AMOUNT_SECONDS:
        vt_say(a, "%.2f s", vt_row_real(row, m->key));
        break;
    case AMOUNT_COUNT:
        vt_say(a, "%" PRId64, vt_row_int(row, m->key));
        break;
    }
}

static void say_mosts(struct vt_answering *a, const struct most *m)
{
    const json_t *rows = a->answer->rows;
    size_t n = json_array_size(rows);
    char of[48] = "";
    if (a->q->uid >= 0) {
        snprintf(of, sizeof of, " of user %" PRId64, a->q->uid);
    }
    if (n == 0) {
        vt_say(a, m->things ? "There are no %s%s." : "Nobody uses any %s%s.", m->of, of);
        return;
    }
    vt_say(a, m->things ? "The biggest %s%s: " : "Most %s%s: ", m->of, of);
    for (size_t i = 0; i < n && i < 5; i++) {
        const json_t *row = json_array_get(rows, i);
        const char *path = vt_row_text(row, "path");
        vt_say(a, "%s%s ", i == 0 ? "" : ", ",
               !m->things ? vt_said_process(a, row)
                          : vt_said(a, path[0] != '\0' ? path : vt_row_text(row, "name")));
        say_amount(a, m, row);
    }
    vt_say(a, n > 5 ? ", …" : ".");
}

int vt_answer_biggest(struct vt_answering *a, struct vt_error *err)
{
    const struct vt_question *q = a->q;
    const struct most *m = &mosts[0];
    char user[80] = "";
    if (strcmp(q->area, "page_tables") == 0) {
        return vt_answer_page_tables(a, err);
    }
    for (size_t i = 0; i < sizeof mosts / sizeof mosts[0]; i++) {
        m = strcmp(q->area, mosts[i].area) == 0 ? &mosts[i] : m;
    }
    if (q->uid >= 0) {
        snprintf(user, sizeof user,
                 " AND p.pid IN (SELECT pid FROM processes WHERE uid = %" PRId64 ")", q->uid);
    }
    int rc = vt_answer_sql(a, err, m->sql, user, q->limit > 0 ? (long long)q->limit : 10LL);
    if (rc != 0) {
        return rc;
    }
    say_mosts(a, m);
    if (m->things) {
        vt_answer_objects(a, a->answer->rows, m->at, m->type);
    }
    if (m == &mosts[0] && json_array_size(a->answer->rows) > 0) {
        json_t *sum;
        rc = vt_answer_look(a, &sum, err, "SELECT sum(rss_bytes) AS bytes FROM processes");
        if (rc == 0) {
            vt_say(a, "\nAll processes together: %s",
                   vt_said_bytes(a, (uint64_t)vt_row_int(json_array_get(sum, 0), "bytes")));
            if (!a->target->ended) {
                vt_say(a, " of %s RAM", vt_said_bytes(a, vt_ram_size(a->target->ram)));
            }
            vt_say(a, ", pages they share counted for each.");
            json_decref(sum);
            rc = add_pages_of(a, a->answer->rows, err);
        }
    }
    return rc;
}
