/* server/ops_memory.c - operations on a VM's memory by address: translate, read_memory. */
#include "base/cell.h"
#include "guest/linux/pagetables.h"
#include "server/ops_parts.h"

#include <stdlib.h>
#include <string.h>

#define READ_MAX (UINT64_C(64) << 10)
#define READ_DEFAULT 256u

/* ---------------------------------------------------------------- translate */

static int translate(struct vt_op_call *call, struct vt_error *err)
{
    struct vt_target *t = &call->lease->target;
    struct vt_page_step steps[VT_LEVELS_MAX];
    struct vt_mapping m;
    struct vt_space space;
    struct vt_off off;
    uint64_t address = 0;
    unsigned n = 0;
    char buf[24], flags[128];
    int rc = vt_lease_kernel(call->host, call->lease, err);
    if (rc == 0) {
        rc = vt_target_address(t, vt_call_address(call, "address", buf), &address, NULL, err);
    }
    rc = rc != 0 ? rc : vt_target_space(t, vt_call_pid(call), &space, err);
    rc = rc != 0 ? rc : vt_space_lookup(&space, VT_GVA(address), &m, err);
    rc = rc != 0 ? rc : vt_linux_page_steps(t->kernel, &space, VT_GVA(address), steps, &n, err);
    if (rc != 0) {
        return rc;
    }
    uint64_t physical = m.gpa.v + (address - m.gva.v);
    struct vt_json_writer *w = call->out;
    vt_page_flags_text(m.flags, flags, sizeof flags);
    vt_json_object(w);
    vt_json_kv_hex(w, "virtual", address);
    vt_json_kv_hex(w, "physical", physical);
    vt_json_kv_u64(w, "page_bytes", m.page_bytes);
    vt_json_kv_string(w, "flags", flags);
    vt_json_key(w, "offset");
    if (vt_ram_offset(t->ram, VT_GPA(physical), &off, NULL, NULL) == 0) {
        vt_json_hex(w, off.v);
    } else {
        vt_json_null(w); /* a device's memory */
    }
    vt_json_key(w, "levels");
    vt_json_array(w);
    for (unsigned i = 0; i < n; i++) {
        vt_json_object(w);
        vt_json_record(w, vt_page_step_columns, VT_PAGE_STEP_COLUMNS, &steps[i]);
        vt_json_object_end(w);
    }
    vt_json_array_end(w);
    vt_json_object_end(w);
    return 0;
}

static const struct vt_param translate_params[] = {
    {.name = "address",
     .kind = VT_PARAM_ADDRESS,
     .required = true,
     .doc = "virtual address: a number, a kernel symbol or symbol+offset",
     .example = "init_task"},
    {.name = "pid",
     .kind = VT_PARAM_UINT,
     .min = 1,
     .max = INT32_MAX,
     .doc = "in this process's address space; without it, the kernel's"},
    {0},
};

static const char translate_members[] =
    "{\"virtual\": {\"type\": \"string\", \"pattern\": \"^0x[0-9a-f]+$\"},"
    "\"physical\": {\"type\": \"string\", \"pattern\": \"^0x[0-9a-f]+$\","
    " \"description\": \"guest-physical\"},"
    "\"page_bytes\": {\"type\": \"integer\"},"
    "\"flags\": {\"type\": \"string\", \"description\": \"of all levels together\"},"
    "\"offset\": {\"type\": [\"string\", \"null\"], \"pattern\": \"^0x[0-9a-f]+$\","
    " \"description\": \"in the file that backs RAM; null: a device's memory\"},"
    "\"levels\": {\"type\": \"array\", \"description\":"
    " \"the entries on the way, from the root's table down\"}}";

static json_t *translate_result(const struct vt_op *op)
{
    (void)op;
    json_t *members = json_loads(translate_members, JSON_REJECT_DUPLICATES, NULL);
    json_object_set_new(json_object_get(members, "levels"), "items",
                        vt_record_schema(vt_page_step_columns, VT_PAGE_STEP_COLUMNS));
    return json_pack("{s:s, s:b, s:[s,s,s,s,s,s], s:o}", "type", "object", "additionalProperties",
                     false, "required", "virtual", "physical", "page_bytes", "flags", "offset",
                     "levels", "properties", members);
}

/* ---------------------------------------------------------------- read_memory */

struct reading {
    uint64_t address, length;
    bool is_virtual;
    enum vt_verdict verdict;
    uint8_t *bytes;
};

static int fetch(struct vt_op_call *call, struct reading *r, struct vt_error *err)
{
    struct vt_target *t = &call->lease->target;
    struct vt_space space;
    char buf[24];
    bool is_symbol = false;
    const char *where = vt_call_text(call, "space"), *text = vt_call_address(call, "address", buf);
    bool number = text[0] >= '0' && text[0] <= '9';
    int32_t pid = vt_call_pid(call);
    if (where != NULL && strcmp(where, "physical") == 0 && (pid != 0 || !number)) {
        return vt_fail(err, VT_E_INVAL, "space: physical addresses are numbers and of no process");
    }
    int rc = number ? 0 : vt_lease_kernel(call->host, call->lease, err);
    rc = rc != 0 ? rc : vt_target_address(t, text, &r->address, &is_symbol, err);
    r->is_virtual = is_symbol || pid != 0 || (where != NULL && strcmp(where, "virtual") == 0);
    if (rc == 0 && r->is_virtual) {
        rc = vt_lease_kernel(call->host, call->lease, err);
        rc = rc != 0 ? rc : vt_target_space(t, pid, &space, err);
    }
    if (rc == 0) {
        rc = r->is_virtual ? vt_space_read_checked(&space, VT_GVA(r->address), r->bytes, r->length,
                                                   &r->verdict, err)
                           : vt_ram_read_checked(t->ram, VT_GPA(r->address), r->bytes, r->length,
                                                 &r->verdict, err);
    }
    return rc != 0 ? rc : vt_ram_check(t->ram, err);
}

static void write_hex(struct vt_json_writer *w, const struct reading *r)
{
    static const char digits[] = "0123456789abcdef";
    char *hex = malloc(2 * r->length);
    for (uint64_t i = 0; hex != NULL && i < r->length; i++) {
        hex[2 * i] = digits[r->bytes[i] >> 4];
        hex[2 * i + 1] = digits[r->bytes[i] & 15];
    }
    vt_json_string_n(w, hex != NULL ? hex : "", hex != NULL ? 2 * r->length : 0);
    free(hex);
}

/* RFC 4648, 4. */
static void write_base64(struct vt_json_writer *w, const struct reading *r)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    uint64_t n = (r->length + 2) / 3 * 4, at = 0;
    char *text = malloc(n);
    for (uint64_t i = 0; text != NULL && i < r->length; i += 3) {
        uint32_t bits = (uint32_t)r->bytes[i] << 16;
        bits |= i + 1 < r->length ? (uint32_t)r->bytes[i + 1] << 8 : 0;
        bits |= i + 2 < r->length ? r->bytes[i + 2] : 0;
        for (unsigned k = 0; k < 4; k++) {
            bool pad = i + k > r->length;
            text[at++] = pad ? '=' : digits[bits >> (18 - 6 * k) & 63];
        }
    }
    vt_json_string_n(w, text != NULL ? text : "", text != NULL ? n : 0);
    free(text);
}

static void write_text(struct vt_json_writer *w, const struct reading *r)
{
    char *text = malloc(r->length);
    for (uint64_t i = 0; text != NULL && i < r->length; i++) {
        text[i] = r->bytes[i] >= ' ' && r->bytes[i] < 0x7f ? (char)r->bytes[i] : '.';
    }
    vt_json_string_n(w, text != NULL ? text : "", text != NULL ? r->length : 0);
    free(text);
}

static int read_memory(struct vt_op_call *call, struct vt_error *err)
{
    struct reading r = {.length = vt_call_u64(call, "length", READ_DEFAULT)};
    const char *format = vt_call_text(call, "format");
    struct vt_json_writer *w = call->out;
    r.bytes = malloc(r.length);
    int rc = r.bytes != NULL ? fetch(call, &r, err) : vt_fail(err, VT_E_NOMEM, "out of memory");
    if (rc == 0) {
        vt_json_object(w);
        vt_json_kv_hex(w, "address", r.address);
        vt_json_kv_string(w, "space", r.is_virtual ? "virtual" : "physical");
        vt_json_kv_u64(w, "length", r.length);
        vt_json_kv_string(w, "verdict", vt_verdict_name(r.verdict));
        if (format != NULL && strcmp(format, "base64") == 0) {
            vt_json_key(w, "base64");
            write_base64(w, &r);
        } else {
            vt_json_key(w, "hex");
            write_hex(w, &r);
            vt_json_key(w, "text");
            write_text(w, &r);
        }
        vt_json_object_end(w);
    }
    free(r.bytes);
    return rc;
}

static const char *const spaces[] = {"physical", "virtual", NULL};
static const char *const formats[] = {"hex", "base64", NULL};

static const struct vt_param read_params[] = {
    {.name = "address",
     .kind = VT_PARAM_ADDRESS,
     .required = true,
     .doc = "a number, or a kernel symbol or symbol+offset, which is virtual",
     .example = "linux_banner"},
    {.name = "length",
     .kind = VT_PARAM_UINT,
     .min = 1,
     .max = READ_MAX,
     .doc = "bytes; 256 when not given",
     .example = "64"},
    {.name = "pid",
     .kind = VT_PARAM_UINT,
     .min = 1,
     .max = INT32_MAX,
     .doc = "the address is virtual in this process"},
    {.name = "space",
     .kind = VT_PARAM_TEXT,
     .choices = spaces,
     .doc = "what a number is: guest-physical, unless said otherwise or a pid is given"},
    {.name = "format",
     .kind = VT_PARAM_TEXT,
     .choices = formats,
     .doc = "hex, which comes with the readable text, or base64"},
    {0},
};

static const char read_result[] =
    "{\"type\": \"object\", \"additionalProperties\": false,"
    " \"required\": [\"address\", \"space\", \"length\", \"verdict\"],"
    " \"properties\": {"
    "\"address\": {\"type\": \"string\", \"pattern\": \"^0x[0-9a-f]+$\"},"
    "\"space\": {\"enum\": [\"physical\", \"virtual\"]},"
    "\"length\": {\"type\": \"integer\"},"
    "\"verdict\": {\"type\": \"string\", \"description\":"
    " \"consistent or retried: all bytes stood there at one moment; torn: they never did\"},"
    "\"hex\": {\"type\": \"string\", \"pattern\": \"^([0-9a-f]{2})*$\"},"
    "\"text\": {\"type\": \"string\", \"description\": \"the same, a character a byte\"},"
    "\"base64\": {\"type\": \"string\", \"contentEncoding\": \"base64\"}}}";

const struct vt_op vt_ops_memory[] = {
    {
        .name = "translate",
        .method = "GET",
        .path = "/vms/{vm}/translate",
        .group = "Memory",
        .title = "Translate an address",
        .summary = "Translate a virtual address to a physical one",
        .description =
            "Walks the guest's page tables, the kernel's own or with a pid a process's,\n"
            "and says each entry on the way.",
        .params = translate_params,
        .flags = VT_OP_VM | VT_OP_TOOL,
        .make_result = translate_result,
        .run = translate,
    },
    {
        .name = "read_memory",
        .method = "GET",
        .path = "/vms/{vm}/memory",
        .group = "Memory",
        .title = "Read memory",
        .summary = "Read bytes of the guest's memory",
        .description =
            "All bytes have to be there, or none is read. They are read until two looks\n"
            "agree; the verdict says whether they did.",
        .params = read_params,
        .flags = VT_OP_VM | VT_OP_TOOL,
        .result = read_result,
        .run = read_memory,
    },
    {0},
};
