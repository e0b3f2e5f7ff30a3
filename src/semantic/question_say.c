/* semantic/question_say.c - a reading in plain words, intents' names, and what can be asked.
 *
 * Two readings of an ambiguous question always differ in their words: everything a question holds
 * is said. And a reading is itself a question that is understood as just that, so that one of them
 * can be asked.
 */
#include "semantic/question.h"

#include "base/text.h"

#include <ctype.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

struct line {
    char *at;
    size_t left;
};

static void say(struct line *line, const char *format, ...) __attribute__((format(printf, 2, 3)));
static void say(struct line *line, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    int n = vsnprintf(line->at, line->left, format, args);
    va_end(args);
    size_t bytes = n > 0 ? (size_t)n : 0;
    bytes = bytes < line->left ? bytes : line->left - 1;
    line->at += bytes;
    line->left -= bytes;
}

/* How many bytes of the text are whole characters within `most`. */
static int whole(const char *text, size_t most)
{
    size_t bytes = strlen(text), n = 0;
    for (size_t step; n < bytes; n += step) {
        step = vt_utf8_length(text + n, bytes - n);
        if (step == 0 || n + step > most) {
            break;
        }
    }
    return (int)n;
}
#define CLIP(text) whole(text, 56), text

/* A name as it can be asked for: quoted where it could be taken for something else. */
static void say_name(struct line *line, const char *name)
{
    const struct vt_role *role;
    bool plain = vt_program_find(name, &role) != NULL || strlen(name) < 5;
    for (const char *p = name; *p != '\0'; p++) {
        plain &= isalnum((unsigned char)*p) || *p == '_' || *p == '.';
    }
    char lower[sizeof((struct vt_question){0}.name)];
    for (size_t i = 0; i < sizeof lower; i++) {
        lower[i] = (char)tolower((unsigned char)name[i]);
        if (name[i] == '\0') {
            break;
        }
    }
    plain &= !vt_lexicon_knows(lower) && !isdigit((unsigned char)name[0]);
    say(line, plain ? "%.*s" : "\"%.*s\"", CLIP(name));
}

static void say_path(struct line *line, const char *path)
{
    say(line, strpbrk(path, " ,;:?!'`()") == NULL ? "%.*s" : "\"%.*s\"", CLIP(path));
}

static bool has_who(const struct vt_question *q)
{
    return q->pid >= 0 || q->name[0] != '\0' || q->role[0] != '\0';
}

static void say_who(struct line *line, const struct vt_question *q)
{
    const struct vt_role *role = vt_role_find(q->role);
    if (q->pid >= 0) {
        say(line, "process %" PRId64, q->pid);
    } else if (q->name[0] != '\0') {
        say_name(line, q->name);
    } else if (role != NULL) {
        say(line, "the %s", role->noun);
    }
}

static void say_whose(struct line *line, const struct vt_question *q, const char *everybody)
{
    say(line, " of ");
    if (has_who(q)) {
        say_who(line, q);
    } else {
        say(line, "%s", everybody);
    }
}

static void say_seconds(struct line *line, int64_t seconds)
{
    static const struct {
        int64_t seconds;
        const char *name;
    } units[] = {{86400, "day"}, {3600, "hour"}, {60, "minute"}, {1, "second"}};
    for (size_t i = 0; i < sizeof units / sizeof *units; i++) {
        if (seconds % units[i].seconds == 0 && (seconds > 0 || units[i].seconds == 1)) {
            int64_t n = seconds / units[i].seconds;
            say(line, "%" PRId64 " %s%s", n, units[i].name, n == 1 ? "" : "s");
            return;
        }
    }
}

static void say_clock(struct line *line, int64_t seconds)
{
    say(line, "%02" PRId64 ":%02" PRId64, seconds / 3600 % 24, seconds / 60 % 60);
    if (seconds % 60 != 0) {
        say(line, ":%02" PRId64, seconds % 60);
    }
}

/* "10 MiB": the largest unit that says it whole. */
static void say_size(struct line *line, int64_t bytes)
{
    static const char *const units[] = {"B", "KiB", "MiB", "GiB", "TiB"};
    size_t unit = 0;
    while (unit < 4 && bytes > 0 && bytes % 1024 == 0) {
        bytes /= 1024;
        unit++;
    }
    say(line, "%" PRId64 " %s", bytes, units[unit]);
}

static void say_time(struct line *line, const struct vt_question *q)
{
    const char *day = q->yesterday ? " yesterday" : "";
    if (q->yesterday && q->since_clock == 0 && q->until_clock == 86400) {
        say(line, " yesterday");
    } else if (q->since_clock >= 0) {
        say(line, q->until_clock >= 0 ? "%s between " : "%s since ", day);
        say_clock(line, q->since_clock);
        if (q->until_clock >= 0) {
            say(line, " and ");
            say_clock(line, q->until_clock);
        }
    } else if (q->until_clock >= 0) {
        say(line, q->since_s >= 0 ? "%s before " : "%s at ", day);
        say_clock(line, q->until_clock);
    } else if (q->since_s == VT_QUESTION_EVER) {
        say(line, ", ever");
    } else if (q->since_s >= 0 && q->until_s >= 0) {
        say(line, " between ");
        say_seconds(line, q->since_s);
        say(line, " and ");
        say_seconds(line, q->until_s);
        say(line, " ago");
    } else if (q->since_s >= 0) {
        say(line, " in the last ");
        say_seconds(line, q->since_s);
    } else if (q->until_s >= 0) {
        say(line, ", ");
        say_seconds(line, q->until_s);
        say(line, " ago");
    }
}

/* An area in words: the first of a pair is the area's name, the second what is said. */
static const char *words_for(const char *area, const char *const *pairs)
{
    for (; pairs[0] != NULL; pairs += 2) {
        if (strcmp(pairs[0], area) == 0) {
            return pairs[1];
        }
    }
    return area;
}
#define WORDS_FOR(area, ...) words_for(area, (const char *const[]){__VA_ARGS__, NULL})

static void say_processes(struct line *line, const struct vt_question *q)
{
    say(line, "%s%s", q->count ? "how many are " : "",
        WORDS_FOR(q->area, "", "the processes", "kernel", "the kernel threads", "user",
                  "the user processes", "zombie", "the zombies", "stopped", "the stopped processes",
                  "running", "the processes that run on a CPU", "sleeping",
                  "the sleeping processes", "newest", "the processes started last", "oldest",
                  "the processes started first", "tree", "the tree of processes"));
}

static void say_find(struct line *line, const struct vt_question *q)
{
    bool plain = q->area[0] == '\0' && !q->count;
    bool named = q->name[0] != '\0' && q->pid < 0;
    say(line, "%s%s%s",
        WORDS_FOR(q->area, "", "", "parent", "the parent of ", "ancestors", "the ancestors of ",
                  "children", "the children of ", "user", "which user runs ", "arguments",
                  "the command line of "),
        plain      ? "where "
        : q->count ? "how many "
                   : "",
        plain && named ? "the process " : "");
    say_who(line, q);
    say(line, "%s", plain ? " is" : q->count ? " there are" : "");
}

static void say_memory(struct line *line, const struct vt_question *q)
{
    if (q->path[0] != '\0') {
        say(line, "where ");
        say_path(line, q->path);
        say(line, " is mapped");
        if (has_who(q)) {
            say(line, " by ");
            say_who(line, q);
        }
        return;
    }
    say(line, "%s",
        WORDS_FOR(q->area, "", "the memory", "stack", "the stack", "heap", "the heap", "code",
                  "the code", "data", "the data", "files", "the mapped files", "libraries",
                  "the libraries", "anon", "the anonymous memory", "executable",
                  "the executable memory", "writable", "the writable memory", "shared",
                  "the shared memory"));
    if (q->min_bytes < 0 || has_who(q)) {
        say_whose(line, q, "every process");
    }
}

static void say_kernel_memory(struct line *line, const struct vt_question *q)
{
    if (q->name[0] != '\0') {
        say(line, "the slab cache ");
        say_name(line, q->name);
        return;
    }
    say(line, "%s%s", q->count ? "how many are " : "",
        WORDS_FOR(q->area, "", "all of the kernel's memory", "allocations",
                  "the kernel's memory allocations", "slab", "the kernel's slab caches", "vmalloc",
                  "the kernel's vmalloc areas", "page_tables", "the kernel's page tables",
                  "modules", "the memory of the kernel's modules", "stacks",
                  "the memory of the kernel stacks", "code", "the kernel's code", "data",
                  "the kernel's data", "page_cache", "the page cache", "free",
                  "where free memory is"));
}

static void say_changes(struct line *line, const struct vt_question *q)
{
    say(line, q->area[0] != '\0' ? "what changed in the %s" : "what changed%s", q->area);
    if (q->path[0] != '\0') {
        say(line, " at ");
        say_path(line, q->path);
    }
    if (has_who(q)) {
        say_whose(line, q, "");
    }
}

static void say_ports(struct line *line, const struct vt_question *q)
{
    if (q->port >= 0) {
        say(line, " %s port %" PRId64, q->intent == VT_INTENT_LISTENERS ? "on" : "at", q->port);
    }
    if (strcmp(q->area, "tcp") == 0 || strcmp(q->area, "udp") == 0 ||
        strcmp(q->area, "unix") == 0) {
        say(line, " (%s)", q->area);
    }
}

static void say_listeners(struct line *line, const struct vt_question *q)
{
    if (has_who(q)) {
        say(line, "%s", q->count ? "on how many ports " : "where ");
        say_who(line, q);
        say(line, " listens");
    } else {
        say(line, "%s", q->count ? "how many listen" : "who listens");
    }
    say_ports(line, q);
}

static void say_connections(struct line *line, const struct vt_question *q)
{
    say(line, "%s%s", q->count ? "how many are " : "",
        strcmp(q->area, "all") == 0 ? "all sockets" : "the connections");
    say_ports(line, q);
    if (q->host[0] != '\0') {
        say(line, " with %s", q->host);
    }
    if (has_who(q)) {
        say_whose(line, q, "");
    }
}

static void say_files(struct line *line, const struct vt_question *q)
{
    bool deleted = strcmp(q->area, "deleted") == 0;
    if (q->path[0] != '\0') {
        say(line, has_who(q) ? "whether " : "who");
        if (has_who(q)) {
            say_who(line, q);
        }
        say(line, " has ");
        say_path(line, q->path);
        say(line, " open");
        return;
    }
    say(line, "%sthe %sopen files", q->count ? "how many are " : "", deleted ? "deleted but " : "");
    say_whose(line, q, "every process");
}

static void say_symbol(struct line *line, const struct vt_question *q)
{
    if (q->address == UINT64_MAX) {
        say(line, "where the kernel symbol %.*s is", CLIP(q->name));
        return;
    }
    say(line, "what is at 0x%" PRIx64, q->address);
    if (has_who(q)) {
        say(line, " in ");
        say_who(line, q);
    }
}

static void say_log(struct line *line, const struct vt_question *q)
{
    say(line, "%sthe kernel's %s", q->count ? "how many are " : "",
        WORDS_FOR(q->area, "", "messages", "errors", "errors", "warnings", "warnings"));
    if (q->name[0] != '\0') {
        say(line, " about ");
        say_name(line, q->name);
    }
}

static void say_history(struct line *line, const struct vt_question *q)
{
    bool all = q->area[0] == '\0';
    say(line, "%s%s", q->count ? "how many of " : "",
        all          ? "the history of "
        : has_who(q) ? "when "
                     : "what processes ");
    if (has_who(q)) {
        say_who(line, q);
    } else if (all) {
        say(line, "processes");
    }
    say(line, "%s%s", has_who(q) && !all ? " " : "", q->area);
}

static void say_noun(struct line *line, const struct vt_question *q)
{
    say(line, "%sthe %s", q->count ? "how many are " : "",
        WORDS_FOR(q->area, "env", "environment", "creds", "users and groups", "net",
                  "network interfaces", "bpf", "BPF programs", "bpfmaps", "BPF maps", "bpflinks",
                  "BPF links", "idt", "interrupt table", "ttys", "terminal lines", "cgroups",
                  "control groups", "zones", "memory zones", "syscalls", "system call table",
                  "neighbours", "neighbours on the network", "netfilter", "packet hooks"));
    if (has_who(q)) {
        say_whose(line, q, "");
    }
}

static void say_intent(struct line *line, const struct vt_question *q)
{
    switch (q->intent) {
    case VT_INTENT_PROCESSES:
        say_processes(line, q);
        break;
    case VT_INTENT_FIND_PROCESS:
        say_find(line, q);
        break;
    case VT_INTENT_PROCESS_MEMORY:
        say_memory(line, q);
        break;
    case VT_INTENT_PAGE_TABLES:
        say(line, "the page tables");
        say_whose(line, q, "every process");
        if (q->address != UINT64_MAX) {
            say(line, " around 0x%" PRIx64, q->address);
        }
        break;
    case VT_INTENT_KERNEL_STACKS:
        say(line, "the kernel stacks");
        say_whose(line, q, "all tasks");
        break;
    case VT_INTENT_KERNEL_MEMORY:
        say_kernel_memory(line, q);
        break;
    case VT_INTENT_CHANGES:
        say_changes(line, q);
        break;
    case VT_INTENT_LISTENERS:
        say_listeners(line, q);
        break;
    case VT_INTENT_BIGGEST:
        say(line, "%s",
            WORDS_FOR(q->area, "memory", "who uses most memory", "cpu", "who uses most CPU time",
                      "page_tables", "who uses most page tables", "files", "who uses most files",
                      "sockets", "who uses most sockets", "threads", "who uses most threads",
                      "file_sizes", "the biggest open files", "slabs", "the biggest slab caches",
                      "modules", "the biggest modules"));
        break;
    case VT_INTENT_RECENT_WRITES:
        say(line, "the %smemory written lately", strcmp(q->area, "kernel") == 0 ? "kernel's " : "");
        if (has_who(q)) {
            say(line, " by ");
            say_who(line, q);
        }
        break;
    case VT_INTENT_MODULES:
        say(line, "the kernel %s", q->name[0] != '\0' ? "module " : "modules");
        if (q->name[0] != '\0') {
            say_name(line, q->name);
        }
        break;
    case VT_INTENT_MOUNTS:
        say(line, "the mounted %s%sfile systems", q->area, q->area[0] != '\0' ? " " : "");
        if (q->path[0] != '\0') {
            say(line, " at ");
            say_path(line, q->path);
        }
        break;
    case VT_INTENT_FILES:
        say_files(line, q);
        break;
    case VT_INTENT_CONNECTIONS:
        say_connections(line, q);
        break;
    case VT_INTENT_SYMBOL:
        say_symbol(line, q);
        break;
    case VT_INTENT_SYSTEM:
        say(line, "%s",
            WORDS_FOR(q->area, "kernel", "which kernel runs", "uptime", "how long the VM is up",
                      "memory", "how much memory there is and how much is free", "cpus",
                      "which CPUs the VM has", "time", "the VM's clock", "load",
                      "how busy the VM is", "swap", "how much swap is used", "name",
                      "the host name"));
        break;
    case VT_INTENT_LOG:
        say_log(line, q);
        break;
    case VT_INTENT_SUSPICIOUS:
        say(line, "%s",
            WORDS_FOR(q->area, "", "what is suspicious", "processes",
                      "processes that hide or look wrong", "modules",
                      "modules that hide or look wrong", "syscalls", "hooked system calls", "code",
                      "code injected into processes", "hooks", "hooks in the kernel", "network",
                      "who sees the network's packets, or hides on it"));
        if (has_who(q)) {
            say_whose(line, q, "");
        }
        break;
    case VT_INTENT_HISTORY:
        say_history(line, q);
        break;
    case VT_INTENT_NOUN:
        say_noun(line, q);
        break;
    case VT_INTENTS:
        break;
    }
}

void vt_question_say(struct vt_question *q)
{
    struct line line = {q->reading, sizeof q->reading};
    say_intent(&line, q);
    if (q->uid == 0) {
        say(&line, ", of root");
    } else if (q->uid > 0) {
        say(&line, ", of user %" PRId64, q->uid);
    }
    if (q->min_bytes >= 0) {
        say(&line, " larger than ");
        say_size(&line, q->min_bytes);
    }
    say_time(&line, q);
    if (q->limit > 0) {
        bool last = q->intent == VT_INTENT_LOG || q->intent == VT_INTENT_HISTORY;
        say(&line, ", the %s %" PRId64, last ? "last" : "first", q->limit);
    }
    if (q->highlight) {
        say(&line, ", highlighted");
    }
    q->reading[whole(q->reading, sizeof q->reading)] = '\0';
}

static const struct {
    const char *name;
    const char *example;
} intents[VT_INTENTS] = {
    [VT_INTENT_PROCESSES] = {"processes", "What processes are running?"},
    [VT_INTENT_FIND_PROCESS] = {"find_process", "Where is the SSH daemon?"},
    [VT_INTENT_PROCESS_MEMORY] = {"process_memory", "Where is the heap of nginx?"},
    [VT_INTENT_PAGE_TABLES] = {"page_tables", "Show me the page tables for PID 42"},
    [VT_INTENT_KERNEL_STACKS] = {"kernel_stacks", "Kernel stack of process 1"},
    [VT_INTENT_KERNEL_MEMORY] = {"kernel_memory", "Highlight kernel memory allocations"},
    [VT_INTENT_CHANGES] = {"changes", "What changed in the last 5 minutes?"},
    [VT_INTENT_LISTENERS] = {"listeners", "Who is listening on port 22?"},
    [VT_INTENT_BIGGEST] = {"biggest", "Top 5 memory users"},
    [VT_INTENT_RECENT_WRITES] = {"recent_writes", "What wrote to memory recently?"},
    [VT_INTENT_MODULES] = {"modules", "Which kernel modules are loaded?"},
    [VT_INTENT_MOUNTS] = {"mounts", "Which file systems are mounted?"},
    [VT_INTENT_FILES] = {"files", "Who has /var/log/messages open?"},
    [VT_INTENT_CONNECTIONS] = {"connections", "Show the established connections"},
    [VT_INTENT_SYMBOL] = {"symbol", "Where is init_task?"},
    [VT_INTENT_SYSTEM] = {"system", "Which kernel version is this?"},
    [VT_INTENT_LOG] = {"log", "Are there errors in the kernel log?"},
    [VT_INTENT_SUSPICIOUS] = {"suspicious", "Is anything hidden?"},
    [VT_INTENT_HISTORY] = {"history", "When did nginx start?"},
    [VT_INTENT_NOUN] = {"noun", "Show the network interfaces"},
};

const char *vt_intent_name(enum vt_intent intent)
{
    return (unsigned)intent < VT_INTENTS ? intents[intent].name : "unknown";
}

void vt_question_examples(void (*fn)(enum vt_intent intent, const char *example, void *arg),
                          void *arg)
{
    for (unsigned i = 0; i < VT_INTENTS; i++) {
        fn((enum vt_intent)i, intents[i].example, arg);
    }
}
