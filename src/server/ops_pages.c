/* server/ops_pages.c - operations between memory and pages of the RAM file, which pictures are made
 * of: memory_runs (where something lies), page_at (what lies somewhere).
 */
#include "base/text.h"
#include "guest/linux/pages.h"
#include "guest/linux/slab.h"
#include "server/ops_parts.h"
#include "vitrine/linux.h"
#include "volume/classes.h"
#include "volume/contents.h"
#include "volume/highlights.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define RUNS_DEFAULT 16384u
#define RUNS_MAX 131072u
#define USES_MAX 32u
#define BLOCK_PAGES                                                                                \
    1024u /* the allocator's largest block: a page may be what an earlier one said */

/* ---------------------------------------------------------------- gathering */

int vt_gathered_add(struct vt_gathered *all, struct vt_gpa gpa, uint64_t bytes,
                    struct vt_error *err)
{
    struct vt_gpa_run *last = all->runs != NULL && all->n > 0 ? &all->runs[all->n - 1] : NULL;
    if (last != NULL && last->gpa.v + last->bytes == gpa.v) {
        last->bytes += bytes;
        return 0;
    }
    if (all->runs == NULL || all->n == all->room) {
        size_t room = all->room == 0 ? 256 : 2 * all->room;
        struct vt_gpa_run *more = realloc(all->runs, room * sizeof *more);
        if (more == NULL) {
            return vt_fail(err, VT_E_NOMEM, "out of memory");
        }
        all->runs = more;
        all->room = room;
    }
    all->runs[all->n++] = (struct vt_gpa_run){gpa, bytes};
    return 0;
}

struct gathering {
    struct vt_op_call *call;
    struct vt_gathered *all;
    struct vt_error *err;
};

static int on_memory(const struct vt_memory_run *run, void *arg)
{
    struct gathering *g = arg;
    int rc = vt_call_check(g->call, g->err);
    return rc != 0 ? rc : vt_gathered_add(g->all, run->gpa, run->bytes, g->err);
}

int vt_call_gather(struct vt_op_call *call, const char *area, int32_t pid, struct vt_gathered *all,
                   struct vt_error *err)
{
    struct gathering g = {call, all, err};
    enum vt_memory_kind kind = VT_MEMORY_PROCESS;
    int rc = area != NULL ? vt_memory_kind_parse(area, pid != 0, &kind, err) : 0;
    rc = rc != 0 ? rc : vt_lease_kernel(call->host, call->lease, err);
    return rc != 0
               ? rc
               : vt_linux_memory_runs(call->lease->target.kernel, kind, pid, on_memory, &g, err);
}

static int gather_answer(struct vt_op_call *call, struct vt_gathered *all, struct vt_error *err)
{
    struct vt_answer answer;
    int rc = vt_call_ask(call, &answer, err);
    if (rc != 0) {
        return rc;
    }
    rc = answer.understood ? 0 : vt_fail(err, VT_E_INVAL, "question: %.250s", answer.text);
    for (size_t i = 0; rc == 0 && i < answer.n_all_places; i++) {
        rc = vt_gathered_add(all, answer.places[i].gpa, answer.places[i].bytes, err);
    }
    vt_answer_fini(&answer);
    return rc;
}

/* ---------------------------------------------------------------- memory_runs */

/* Guest-physical runs as pages of the RAM file; those of devices were never gathered. */
static void write_runs(struct vt_op_call *call, const struct vt_gpa_run *runs, size_t n)
{
    struct vt_json_writer *w = call->out;
    const struct vt_ram *ram = call->lease->target.ram;
    uint64_t limit = vt_call_u64(call, "limit", RUNS_DEFAULT), written = 0, bytes = 0;
    bool cut = false;
    vt_json_object(w);
    vt_json_key(w, "runs");
    vt_json_array(w);
    for (size_t i = 0; i < n; i++) {
        uint64_t at = runs[i].gpa.v, left = runs[i].bytes, run;
        struct vt_off off;
        bytes += left;
        for (; left > 0 && vt_ram_offset(ram, VT_GPA(at), &off, &run, NULL) == 0;) {
            run = run < left ? run : left;
            if (written == limit) {
                cut = true;
                break;
            }
            vt_json_object(w);
            vt_json_kv_u64(w, "first", off.v >> VT_PAGE_SHIFT);
            vt_json_kv_u64(w, "pages", run >> VT_PAGE_SHIFT);
            vt_json_object_end(w);
            written++;
            at += run;
            left -= run;
        }
    }
    vt_json_array_end(w);
    vt_json_kv_u64(w, "bytes", bytes);
    vt_json_kv_bool(w, "cut", cut);
    vt_json_object_end(w);
}

static int memory_runs(struct vt_op_call *call, struct vt_error *err)
{
    const char *area = vt_call_text(call, "area"), *question = vt_call_text(call, "question");
    int32_t pid = vt_call_pid(call);
    struct vt_gathered all = {0};
    const struct vt_ram_region *regions;
    struct vt_gpa_run *joined = NULL;
    size_t n = 0;
    if ((question != NULL) == (area != NULL || pid != 0)) {
        return vt_fail(err, VT_E_INVAL, "either a question, or a pid, an area or both");
    }
    int rc = question != NULL ? gather_answer(call, &all, err)
                              : vt_call_gather(call, area, pid, &all, err);
    if (rc == 0 && all.n > 0) {
        unsigned n_regions = vt_ram_regions(call->lease->target.ram, &regions);
        rc = vt_runs_join(all.runs, all.n, regions, n_regions, &joined, &n, err);
    }
    if (rc == 0) {
        write_runs(call, joined, n);
    }
    free(joined);
    free(all.runs);
    return rc;
}

static const struct vt_param runs_params[] = {
    VT_PARAM_PID,
    VT_PARAM_AREA,
    {.name = "question",
     .kind = VT_PARAM_TEXT,
     .min = 1,
     .max = VT_QUESTION_MAX,
     .doc = "instead: the places of its answer",
     .example = "where is the stack of sshd?"},
    {.name = "limit",
     .kind = VT_PARAM_UINT,
     .min = 1,
     .max = RUNS_MAX,
     .doc = "runs at most; 16384 when not given"},
    {0},
};

static const char runs_result[] =
    "{\"type\": \"object\", \"additionalProperties\": false, \"required\": [\"runs\", \"bytes\","
    " \"cut\"], \"properties\": {"
    "\"runs\": {\"type\": \"array\", \"description\": \"ascending, not touching but where the RAM"
    " file's regions meet\", \"items\": {\"type\": \"object\", \"additionalProperties\": false,"
    " \"required\": [\"first\", \"pages\"], \"properties\": {"
    "\"first\": {\"type\": \"integer\", \"description\": \"page of the RAM file\"},"
    "\"pages\": {\"type\": \"integer\"}}}},"
    "\"bytes\": {\"type\": \"integer\", \"description\": \"of all of them\"},"
    "\"cut\": {\"type\": \"boolean\", \"description\": \"there are more runs than the limit\"}}}";

/* ---------------------------------------------------------------- page_at */

/* Who uses a page, and as what. */
struct use {
    enum vt_memory_kind kind;
    int32_t pid;
    uint64_t gva;
    unsigned flags, level;
    char name[256], symbol[160];
};

struct looking {
    struct vt_op_call *call;
    struct vt_kernel *kernel;
    struct vt_gpa gpa; /* of the page */
    uint64_t within;   /* the byte of it that was asked for */
    enum vt_linux_page_kind page;
    unsigned n;
    bool cut;
    struct use uses[USES_MAX];
    char slab[64];
    struct vt_error *err;
};

static void name_symbol(struct looking *l, struct use *use)
{
    const char *name, *module;
    uint64_t distance;
    char type;
    if (vt_kernel_symbol_at(l->kernel, VT_GVA(use->gva), &name, &type, &distance, NULL) != 0) {
        return;
    }
    module = vt_kernel_module_at(l->kernel, VT_GVA(use->gva));
    snprintf(use->symbol, sizeof use->symbol, distance == 0 ? "%s%s%s" : "%s%s%s+0x%" PRIx64,
             module != NULL ? module : "", module != NULL ? ":" : "", name, distance);
}

static int on_run(const struct vt_memory_run *run, void *arg)
{
    struct looking *l = arg;
    if (l->gpa.v < run->gpa.v || l->gpa.v - run->gpa.v >= run->bytes) {
        return vt_call_check(l->call, l->err);
    }
    if (l->n == USES_MAX) {
        l->cut = true;
        return 0;
    }
    struct use *use = &l->uses[l->n++];
    *use = (struct use){.kind = run->kind,
                        .pid = run->pid,
                        .gva = run->gva.v + (l->gpa.v - run->gpa.v) + l->within,
                        .flags = run->flags,
                        .level = run->level};
    snprintf(use->name, sizeof use->name, "%s", run->name != NULL ? run->name : "");
    if (run->pid == 0) {
        name_symbol(l, use);
    }
    return 0;
}

/* Which memory a page of a kind may be of. */
static int find_uses(struct looking *l, struct vt_error *err)
{
    static const struct {
        enum vt_linux_page_kind page;
        enum vt_memory_kind memory;
    } where[] = {
        {VT_LINUX_PAGE_TABLE, VT_MEMORY_PAGE_TABLES},
        {VT_LINUX_PAGE_ANON, VT_MEMORY_PROCESS},
        {VT_LINUX_PAGE_FILE, VT_MEMORY_PROCESS},
        {VT_LINUX_PAGE_FILE, VT_MEMORY_PAGE_CACHE},
        {VT_LINUX_PAGE_RESERVED, VT_MEMORY_KERNEL},
        {VT_LINUX_PAGE_RESERVED, VT_MEMORY_PROCESS}, /* vDSO, vvar */
        {VT_LINUX_PAGE_UNKNOWN, VT_MEMORY_KERNEL},
        {VT_LINUX_PAGE_KERNEL, VT_MEMORY_KERNEL_STACKS},
        {VT_LINUX_PAGE_KERNEL, VT_MEMORY_MODULES},
        {VT_LINUX_PAGE_KERNEL, VT_MEMORY_VMALLOC},
        {VT_LINUX_PAGE_KERNEL, VT_MEMORY_PAGE_TABLES},
        {VT_LINUX_PAGE_KERNEL, VT_MEMORY_KERNEL},
    };
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < sizeof where / sizeof where[0]; i++) {
        bool known = l->page == VT_LINUX_PAGE_KERNEL && l->n > 0; /* it is of one thing only */
        if (where[i].page == l->page && !known) {
            rc = vt_linux_memory_runs(l->kernel, where[i].memory, 0, on_run, l, err);
            /* A kernel that has not some of it is no reason to say nothing. */
            rc = rc == VT_E_NOT_FOUND || rc == VT_E_UNSUPPORTED ? 0 : rc;
        }
    }
    return rc;
}

static int look_up(struct looking *l, struct vt_error *err)
{
    uint8_t kinds[BLOCK_PAGES];
    uint64_t frame = l->gpa.v >> VT_PAGE_SHIFT, first = frame & ~(uint64_t)(BLOCK_PAGES - 1);
    int rc = vt_lease_kernel(l->call->host, l->call->lease, NULL);
    if (rc != 0) {
        return 0; /* a guest that is not understood: its bytes are all there is */
    }
    l->kernel = l->call->lease->target.kernel;
    if (vt_linux_page_kinds(l->kernel, VT_GPA(first << VT_PAGE_SHIFT), frame - first + 1, kinds,
                            NULL) == 0) {
        l->page = kinds[frame - first];
    }
    if (l->page == VT_LINUX_PAGE_SLAB && vt_slab_of_page(l->kernel, l->gpa, l->slab, NULL) != 0) {
        l->slab[0] = '\0';
    }
    return find_uses(l, err);
}

static enum vt_page_class class_of_use(const struct use *use)
{
    switch (use->kind) {
    case VT_MEMORY_CODE:
    case VT_MEMORY_VDSO:
        return VT_CLASS_USER_CODE;
    case VT_MEMORY_HEAP:
        return VT_CLASS_USER_HEAP;
    case VT_MEMORY_STACK:
        return VT_CLASS_USER_STACK;
    case VT_MEMORY_FILE:
        return VT_CLASS_USER_FILE;
    case VT_MEMORY_DATA:
    case VT_MEMORY_ANON:
        return VT_CLASS_USER_ANON;
    case VT_MEMORY_KERNEL_TEXT:
        return VT_CLASS_KERNEL_TEXT;
    case VT_MEMORY_KERNEL_RODATA:
    case VT_MEMORY_KERNEL_DATA:
    case VT_MEMORY_KERNEL_BSS:
        return VT_CLASS_KERNEL_DATA;
    case VT_MEMORY_MODULES:
        return (use->flags & VT_PAGE_NX) != 0 ? VT_CLASS_KERNEL_DATA : VT_CLASS_KERNEL_TEXT;
    case VT_MEMORY_KERNEL_STACKS:
        return VT_CLASS_KERNEL_STACK;
    case VT_MEMORY_PAGE_TABLES:
        return VT_CLASS_PAGE_TABLE;
    case VT_MEMORY_SLAB:
        return VT_CLASS_KERNEL_SLAB;
    case VT_MEMORY_VMALLOC:
        return VT_CLASS_KERNEL_VMALLOC;
    case VT_MEMORY_PAGE_CACHE:
        return VT_CLASS_PAGE_CACHE;
    case VT_MEMORY_PROCESS:
    case VT_MEMORY_KERNEL:
    case VT_MEMORY_FREE:
    case VT_MEMORY_KINDS:
        break;
    }
    return VT_CLASS_KERNEL_OTHER;
}

/* The class that a picture gives the page: what the guest says of it, else what it looks like. */
static enum vt_page_class class_of(const struct looking *l, const uint8_t *page)
{
    if (page == NULL) {
        return VT_CLASS_HOLE;
    }
    if (l->kernel == NULL) {
        return vt_page_contents(page);
    }
    if (l->n > 0) {
        return class_of_use(&l->uses[0]);
    }
    if (l->page == VT_LINUX_PAGE_FREE || l->page == VT_LINUX_PAGE_IDLE) {
        return vt_page_is_zero(page) ? VT_CLASS_ZERO : VT_CLASS_FREE;
    }
    if (l->page == VT_LINUX_PAGE_RESERVED) {
        return VT_CLASS_KERNEL_RESERVED;
    }
    enum vt_page_class kind = vt_class_of_kind(l->page);
    if (kind != VT_CLASS_HOLE) {
        return kind;
    }
    return vt_page_contents(page);
}

static const char *page_word(const struct looking *l)
{
    static const char *const words[] = {
        [VT_LINUX_PAGE_UNKNOWN] = "unknown", [VT_LINUX_PAGE_FREE] = "free",
        [VT_LINUX_PAGE_IDLE] = "idle",       [VT_LINUX_PAGE_RESERVED] = "reserved",
        [VT_LINUX_PAGE_SLAB] = "slab",       [VT_LINUX_PAGE_TABLE] = "table",
        [VT_LINUX_PAGE_ANON] = "anonymous",  [VT_LINUX_PAGE_FILE] = "file",
        [VT_LINUX_PAGE_KERNEL] = "kernel",
    };
    return l->kernel != NULL ? words[l->page] : NULL;
}

static const char *name_of(const struct vt_task_list *tasks, int32_t pid)
{
    for (size_t i = 0; pid != 0 && i < tasks->n; i++) {
        if (tasks->tasks[i].pid == pid) {
            return tasks->tasks[i].comm;
        }
    }
    return NULL;
}

static void write_use(struct vt_json_writer *w, const struct vt_task_list *tasks,
                      const struct use *use)
{
    char flags[128];
    vt_page_flags_text(use->flags, flags, sizeof flags);
    vt_json_object(w);
    vt_json_kv_string(w, "kind", vt_memory_kind_name(use->kind));
    vt_json_key(w, "pid");
    if (use->pid != 0) {
        vt_json_i64(w, use->pid);
    } else {
        vt_json_null(w);
    }
    vt_json_kv_string(w, "process", name_of(tasks, use->pid));
    vt_json_kv_hex(w, "virtual", use->gva);
    vt_json_kv_string(w, "name", use->name[0] != '\0' ? use->name : NULL);
    vt_json_kv_string(w, "symbol", use->symbol[0] != '\0' ? use->symbol : NULL);
    vt_json_kv_string(w, "flags", use->flags != 0 ? flags : NULL);
    vt_json_key(w, "level");
    if (use->level != 0) {
        vt_json_u64(w, use->level);
    } else {
        vt_json_null(w);
    }
    vt_json_object_end(w);
}

static void write_page(const struct looking *l, struct vt_off off, const uint8_t *page)
{
    struct vt_json_writer *w = l->call->out;
    enum vt_page_class c = class_of(l, page);
    vt_json_object(w);
    vt_json_kv_u64(w, "page", off.v >> VT_PAGE_SHIFT);
    vt_json_kv_hex(w, "offset", off.v);
    vt_json_kv_hex(w, "gpa", l->gpa.v);
    vt_json_kv_string(w, "class", vt_class_name(c));
    vt_json_kv_string(w, "title", vt_class_title(c));
    vt_json_kv_string(w, "kernel", page_word(l));
    vt_json_kv_string(w, "slab", l->slab[0] != '\0' ? l->slab : NULL);
    struct vt_task_list tasks = {0};
    if (l->n > 0 && vt_linux_tasks(l->kernel, &tasks, NULL) != 0) {
        tasks = (struct vt_task_list){0};
    }
    vt_json_key(w, "uses");
    vt_json_array(w);
    for (unsigned i = 0; i < l->n; i++) {
        write_use(w, &tasks, &l->uses[i]);
    }
    vt_json_array_end(w);
    vt_task_list_fini(&tasks);
    vt_json_kv_bool(w, "more", l->cut);
    vt_json_object_end(w);
}

/* Where: *off is the page's. */
static int read_where(struct looking *l, struct vt_off *off, struct vt_error *err)
{
    struct vt_op_call *call = l->call;
    const struct vt_ram *ram = call->lease->target.ram;
    char buf[24];
    const char *at_gpa = vt_call_address(call, "gpa", buf);
    const char *at_off = at_gpa == NULL ? vt_call_address(call, "offset", buf) : NULL;
    if (at_gpa == NULL && at_off == NULL) {
        return vt_fail(err, VT_E_INVAL, "gpa or offset is needed");
    }
    uint64_t at;
    int rc = vt_parse_u64(at_gpa != NULL ? at_gpa : at_off, &at, err);
    if (rc != 0) {
        return rc;
    }
    l->within = at % VT_PAGE_BYTES;
    at -= l->within;
    if (at_gpa != NULL) {
        l->gpa = VT_GPA(at);
        return vt_ram_offset(ram, l->gpa, off, NULL, err);
    }
    *off = VT_OFF(at);
    return at < vt_ram_size(ram)
               ? vt_ram_gpa(ram, *off, &l->gpa, err)
               : vt_fail_addr(err, "offset in the RAM file", at, VT_PAGE_BYTES, vt_ram_size(ram));
}

static int page_at(struct vt_op_call *call, struct vt_error *err)
{
    struct vt_off off = {0};
    struct looking *l = calloc(1, sizeof *l);
    if (l == NULL) {
        return vt_fail(err, VT_E_NOMEM, "out of memory");
    }
    l->call = call;
    l->err = err;
    int rc = read_where(l, &off, err);
    rc = rc != 0 ? rc : look_up(l, err);
    if (rc == 0) {
        const struct vt_ram *ram = call->lease->target.ram;
        bool there = vt_ram_is_populated(ram, off);
        write_page(l, off, there ? vt_ram_bytes(ram) + off.v : NULL);
    }
    free(l);
    return rc;
}

static const struct vt_param page_params[] = {
    {.name = "gpa",
     .kind = VT_PARAM_ADDRESS,
     .doc = "guest-physical address of a byte of the page, a number",
     .example = "0x100000"},
    {.name = "offset",
     .kind = VT_PARAM_ADDRESS,
     .doc = "or where such a byte lies in the RAM file",
     .example = "0x100000"},
    {0},
};

static const char page_result[] =
    "{\"type\": \"object\", \"additionalProperties\": false, \"required\": [\"page\", \"offset\","
    " \"gpa\", \"class\", \"title\", \"kernel\", \"slab\", \"uses\", \"more\"], \"properties\": {"
    "\"page\": {\"type\": \"integer\", \"description\": \"number of the page in the RAM file\"},"
    "\"offset\": {\"type\": \"string\", \"pattern\": \"^0x[0-9a-f]+$\"},"
    "\"gpa\": {\"type\": \"string\", \"pattern\": \"^0x[0-9a-f]+$\"},"
    "\"class\": {\"type\": \"string\", \"description\": \"as pictures colour it\"},"
    "\"title\": {\"type\": \"string\", \"description\": \"the class in words\"},"
    "\"kernel\": {\"enum\": [\"unknown\", \"free\", \"idle\", \"reserved\", \"slab\", \"table\","
    " \"anonymous\", \"file\", \"kernel\", null], \"description\":"
    " \"what its struct page says; null: the guest is not understood\"},"
    "\"slab\": {\"type\": [\"string\", \"null\"], \"description\": \"the cache it is of\"},"
    "\"uses\": {\"type\": \"array\", \"description\": \"who has it mapped or keeps it\","
    " \"items\": {\"type\": \"object\", \"additionalProperties\": false, \"required\": [\"kind\","
    " \"pid\", \"process\", \"virtual\", \"name\", \"symbol\", \"flags\", \"level\"],"
    " \"properties\": {"
    "\"kind\": {\"type\": \"string\", \"description\": \"heap, stack, page_cache, …\"},"
    "\"pid\": {\"type\": [\"integer\", \"null\"], \"description\": \"null: the kernel's\"},"
    "\"process\": {\"type\": [\"string\", \"null\"]},"
    "\"virtual\": {\"type\": \"string\", \"pattern\": \"^0x[0-9a-f]+$\", \"description\":"
    " \"where it has the byte asked for\"},"
    "\"name\": {\"type\": [\"string\", \"null\"], \"description\": \"of the area or file\"},"
    "\"symbol\": {\"type\": [\"string\", \"null\"], \"description\": \"of the kernel, there\"},"
    "\"flags\": {\"type\": [\"string\", \"null\"], \"description\": \"of the mapping\"},"
    "\"level\": {\"type\": [\"integer\", \"null\"], \"description\": \"of a page table\"}}}},"
    "\"more\": {\"type\": \"boolean\", \"description\": \"there are more uses\"}}}";

/* ---------------------------------------------------------------- the table */

const struct vt_op vt_ops_pages[] = {
    {
        .name = "memory_runs",
        .method = "GET",
        .path = "/vms/{vm}/runs",
        .group = "Memory",
        .title = "Where memory lies",
        .summary = "List the pages of a process, of a kind of memory, or of an answer",
        .description = "As runs of pages of the RAM file, which a volume's voxels are numbered by.",
        .params = runs_params,
        .flags = VT_OP_VM,
        .result = runs_result,
        .run = memory_runs,
    },
    {
        .name = "page_at",
        .method = "GET",
        .path = "/vms/{vm}/page",
        .group = "Memory",
        .title = "What a page is",
        .summary = "Say what a physical page is used for, and by whom",
        .description =
            "Its class, what the kernel says of it, the slab cache it is of, and the processes,\n"
            "files and parts of the kernel that have it.",
        .params = page_params,
        .flags = VT_OP_VM | VT_OP_TOOL,
        .result = page_result,
        .run = page_at,
    },
    {0},
};
