/* cli/cmd_top.c - `vitrine top`: what each VM costs, over a real interval.
 *
 * CPU comes from /proc/<qemu>/stat, RAM from the blocks of its file, dirty pages from the tracker
 * in the VM's keeper, instructions from the counters of its trace plugin: two looks an interval
 * apart. On a terminal the table stands still and is
 * written anew in one piece.
 */
#include "cli/vm.h"
#include "vitrine/memory.h"

#include "base/io.h"
#include "base/text.h"
#include "machine/usage.h"
#include "trace/ring.h"
#include "trace/status.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

#define VMS_MAX 256
#define STATE_TIMEOUT_MS 1000

/* One look at one VM. */
struct look {
    char name[VT_VM_NAME_MAX + 1];
    uint64_t started_unix_ns; /* tells two VMs of one name apart */
    enum vt_vm_state state;
    uint64_t at_ns;
    struct vt_vm_usage usage;
    uint64_t ram_bytes;
    struct vt_track *track; /* or NULL; handed from look to look */
    uint64_t dirty_pages, dirty_at_ns;
    bool counting; /* its trace plugin counts instructions */
    uint64_t instructions, instructions_at_ns;
};

struct looks {
    struct look vm[VMS_MAX];
    unsigned n;
};

static const struct vt_column columns[] = {
    {.key = "name", .title = "NAME", .kind = VT_CELL_TEXT},
    {.key = "state", .title = "STATE", .kind = VT_CELL_TEXT},
    {.key = "cpu_percent", .title = "CPU %", .kind = VT_CELL_F64, .digits = 1},
    {.key = "ram_allocated_bytes", .title = "RAM USED", .kind = VT_CELL_BYTES},
    {.key = "ram_bytes", .title = "RAM", .kind = VT_CELL_BYTES},
    {.key = "rss_bytes", .title = "RSS", .kind = VT_CELL_BYTES},
    {.key = "dirty_pages_per_s", .title = "DIRTY P/S", .kind = VT_CELL_F64},
    {.key = "instructions_per_s", .title = "INSN/S", .kind = VT_CELL_F64},
    {.key = "uptime_s", .title = "UP S", .kind = VT_CELL_U64},
    {.key = "interval_ms", .kind = VT_CELL_U64},
};

/* ---------------------------------------------------------------- looking */

static struct look *find(struct looks *all, const struct look *now)
{
    for (unsigned i = 0; i < all->n; i++) {
        if (strcmp(all->vm[i].name, now->name) == 0 &&
            all->vm[i].started_unix_ns == now->started_unix_ns) {
            return &all->vm[i];
        }
    }
    return NULL;
}

/* Has the tracker look now, so that its count and the time of it belong together. */
static void look_at_pages(struct vt_vm *vm, struct look *l)
{
    uint32_t tick;
    struct vt_track_stats stats;
    if (l->track == NULL && (!l->usage.has_ram || vt_track_open(vm, &l->track, NULL) != 0)) {
        l->track = NULL;
        return;
    }
    if (vt_track_scan(l->track, &tick, NULL) != 0) {
        vt_track_close(l->track);
        l->track = NULL;
        return;
    }
    vt_track_stats(l->track, &stats);
    l->dirty_pages = stats.dirty_pages_total;
    l->dirty_at_ns = stats.last_scan_at_ns;
}

/* By the plugin's counters, if they count; the rings are somebody else's. */
static void look_at_instructions(const char *path, struct look *l)
{
    struct vt_trace_status status;
    if (path[0] == '\0' || vt_trace_status(path, &status, NULL) != 0) {
        return;
    }
    l->counting = status.detail != VT_TRACE_OFF;
    l->instructions += status.instructions;
    l->instructions_at_ns = vt_now_ns();
}

/* Returns false when there is no such VM any more. */
static bool look_at(const char *name, struct looks *before, struct look *l, struct vt_error *err)
{
    struct vt_vm *vm;
    if (vt_vm_open(name, &vm, err) != 0) {
        return false;
    }
    const struct vt_vm_info *info = vt_vm_info(vm);
    *l = (struct look){.started_unix_ns = info->started_unix_ns, .ram_bytes = info->ram_bytes};
    memcpy(l->name, info->name, sizeof l->name);
    if (vt_vm_query_state(vm, STATE_TIMEOUT_MS, &l->state, NULL) != 0) {
        l->state = VT_VM_UNKNOWN;
    }
    l->at_ns = vt_now_ns();
    vt_vm_usage(info, &l->usage);
    struct look *last = find(before, l);
    if (last != NULL) {
        l->track = last->track;
        last->track = NULL;
    }
    look_at_instructions(info->trace_path, l);
    look_at_pages(vm, l);
    vt_vm_close(vm);
    return true;
}

/* All VMs, or those named; one that is named must exist, one that is not may come and go. */
static int look_around(const struct vt_args *args, struct looks *before, struct looks *all,
                       struct vt_error *err)
{
    all->n = 0;
    for (unsigned i = 0; i < vt_args_operands(args); i++) {
        if (!look_at(vt_args_operand(args, i), before, &all->vm[all->n], err)) {
            return (int)err->code;
        }
        all->n++;
    }
    if (vt_args_operands(args) > 0) {
        return 0;
    }
    char **names;
    size_t n;
    int rc = vt_vm_names(&names, &n, err);
    if (rc != 0) {
        return rc;
    }
    for (size_t i = 0; i < n && all->n < VMS_MAX; i++) {
        all->n += look_at(names[i], before, &all->vm[all->n], err);
    }
    vt_vm_names_free(names, n);
    return 0;
}

static void forget(struct looks *all)
{
    for (unsigned i = 0; i < all->n; i++) {
        vt_track_close(all->vm[i].track);
    }
    all->n = 0;
}

/* ---------------------------------------------------------------- showing */

static void show_vm(struct vt_rows *rows, const struct look *before, const struct look *now)
{
    struct timespec t;
    clock_gettime(CLOCK_REALTIME, &t);
    uint64_t real_ns = (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
    uint64_t ns = before != NULL ? now->at_ns - before->at_ns : 0;
    vt_cell_text(rows, now->name);
    vt_cell_text(rows, vt_vm_state_name(now->state));
    if (ns > 0 && before->usage.has_process && now->usage.has_process &&
        now->usage.cpu_ns >= before->usage.cpu_ns) {
        vt_cell_f64(rows, 100.0 * (double)(now->usage.cpu_ns - before->usage.cpu_ns) / (double)ns);
    } else {
        vt_cell_none(rows);
    }
    if (now->usage.has_ram) {
        vt_cell_u64(rows, now->usage.ram_allocated_bytes);
    } else {
        vt_cell_none(rows);
    }
    vt_cell_u64(rows, now->ram_bytes);
    if (now->usage.has_process) {
        vt_cell_u64(rows, now->usage.rss_bytes);
    } else {
        vt_cell_none(rows);
    }
    if (before != NULL && now->track != NULL && before->dirty_at_ns > 0 &&
        now->dirty_at_ns > before->dirty_at_ns) {
        vt_cell_f64(rows, (double)(now->dirty_pages - before->dirty_pages) /
                              ((double)(now->dirty_at_ns - before->dirty_at_ns) / 1e9));
    } else {
        vt_cell_none(rows);
    }
    if (before != NULL && before->counting && now->counting &&
        now->instructions_at_ns > before->instructions_at_ns &&
        now->instructions >= before->instructions) {
        vt_cell_f64(rows,
                    (double)(now->instructions - before->instructions) /
                        ((double)(now->instructions_at_ns - before->instructions_at_ns) / 1e9));
    } else {
        vt_cell_none(rows);
    }
    vt_cell_u64(
        rows, real_ns > now->started_unix_ns ? (real_ns - now->started_unix_ns) / 1000000000u : 0);
    if (ns > 0) {
        vt_cell_u64(rows, ns / 1000000);
    } else {
        vt_cell_none(rows);
    }
}

static int show(const struct vt_args *args, struct looks *before, const struct looks *now)
{
    struct vt_rows *rows;
    struct vt_error err;
    if (vt_rows_create(args, columns, sizeof columns / sizeof columns[0], &rows, &err) != 0) {
        return vt_report(args, &err);
    }
    for (unsigned i = 0; i < now->n; i++) {
        show_vm(rows, find(before, &now->vm[i]), &now->vm[i]);
    }
    return vt_rows_finish(rows);
}

/* ---------------------------------------------------------------- the terminal */

struct screen {
    bool on;
    struct termios before;
};

/* The other screen, no cursor, keys without Enter. Signals still come as signals. */
static void screen_enter(struct screen *s)
{
    struct termios t;
    s->on = tcgetattr(STDIN_FILENO, &s->before) == 0;
    if (s->on) {
        t = s->before;
        t.c_lflag &= ~(tcflag_t)(ICANON | ECHO);
        tcsetattr(STDIN_FILENO, TCSANOW, &t);
        setvbuf(stdout, NULL, _IOFBF, 1 << 16);
        fputs("\x1b[?1049h\x1b[?25l", stdout);
    }
}

static void screen_leave(const struct screen *s)
{
    if (s->on) {
        fputs("\x1b[?25h\x1b[?1049l", stdout);
        fflush(stdout);
        tcsetattr(STDIN_FILENO, TCSANOW, &s->before);
    }
}

/* Waits for the next look; false when the person wants to leave. */
static bool wait_next(const struct screen *s, uint64_t until_ns)
{
    while (vt_interrupted == 0 && vt_now_ns() < until_ns) {
        struct pollfd p = {.fd = s->on ? STDIN_FILENO : -1, .events = POLLIN};
        char key;
        if (poll(&p, 1, vt_poll_timeout(until_ns)) > 0 &&
            (read(STDIN_FILENO, &key, 1) != 1 || key == 'q' || key == 0x1b)) {
            return false;
        }
    }
    return vt_interrupted == 0;
}

/* `count` tables, each over one interval; 0: until the person leaves. */
static int watch(const struct vt_args *args, uint64_t interval_ns, uint64_t count,
                 const struct screen *screen)
{
    struct looks *all = calloc(2, sizeof *all);
    struct vt_error err;
    if (all == NULL) {
        vt_fail(&err, VT_E_NOMEM, "out of memory");
        return vt_report(args, &err);
    }
    int rc = look_around(args, &all[1], &all[0], &err) == 0 ? 0 : vt_report(args, &err);
    uint64_t next = vt_now_ns();
    for (uint64_t i = 0; rc == 0 && (count == 0 || i < count); i++) {
        if (screen->on && i == 0) {
            fputs("\x1b[H\x1b[J", stdout);
            rc = show(args, &all[0], &all[0]);
            fflush(stdout);
        }
        next += interval_ns;
        if (!wait_next(screen, next)) {
            break;
        }
        if (look_around(args, &all[i % 2], &all[(i + 1) % 2], &err) != 0) {
            rc = vt_report(args, &err);
            break;
        }
        fputs(screen->on ? "\x1b[H\x1b[J" : "", stdout);
        rc = show(args, &all[i % 2], &all[(i + 1) % 2]);
        fflush(stdout);
        forget(&all[i % 2]); /* VMs that are gone still had their tracker */
    }
    forget(&all[0]);
    forget(&all[1]);
    free(all);
    return rc;
}

static int run(const struct vt_args *args)
{
    uint64_t interval_ns, count;
    bool terminal = isatty(STDIN_FILENO) && isatty(STDOUT_FILENO) && !vt_args_json(args);
    bool endless = terminal || vt_args_json(args);
    int rc = vt_args_duration(args, "interval", 1000000000, &interval_ns);
    rc = rc != 0 ? rc : vt_args_u64(args, "count", endless ? 0 : 1, &count);
    if (rc != 0) {
        return rc;
    }
    if (interval_ns < 10000000 || interval_ns > UINT64_C(3600000000000)) {
        return vt_usage_error(args, "--interval: between 10ms and 1h");
    }
    if (vt_args_flag(args, "once")) {
        count = 1;
    }
    struct screen screen = {0};
    if (terminal && count != 1) {
        screen_enter(&screen);
    }
    rc = watch(args, interval_ns, count, &screen);
    screen_leave(&screen);
    return rc;
}

static const struct vt_option options[] = {
    {"once", NULL, "show one table and end", false},
    {"interval", "TIME", "time between two looks (default: 1s)", false},
    {"count", "N", "end after N tables (0: never)", false},
    {0},
};

const struct vt_verb vt_verb_top = {
    .name = "top",
    .group = "Machines",
    .summary = "Show what each VM costs: CPU, RAM, dirty pages",
    .operands = "[VM...]",
    .max_operands = VMS_MAX,
    .options = options,
    .description =
        "Every figure is measured over the interval before it. CPU counts the whole QEMU\n"
        "process, 100 being one core; RAM USED is what the guest has touched; DIRTY P/S\n"
        "counts each page of 4 KiB once for each scan of the tracker that found it written:\n"
        "one a look, more when somebody else asks for more. INSN/S is known while the VM counts:\n"
        "'vitrine trace VM --mode count --leave' makes it, at a price, --mode off ends it.\n\n"
        "On a terminal the table is refreshed in place and q leaves; elsewhere one table\n"
        "is printed. With JSON one array is printed a line for each look, without end\n"
        "unless --once or --count say so.",
    .examples = "  vitrine top\n"
                "  vitrine top --json --interval 500ms --count 10",
    .run = run,
};
