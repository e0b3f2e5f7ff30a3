/* cli/cmd_read.c - `vitrine read`: bytes of a guest's memory, physical or virtual. */
#include "base/text.h"
#include "cli/target.h"

#include <stdio.h>
#include <stdlib.h>

#define LENGTH_MAX (UINT64_C(1) << 30)

struct request {
    uint64_t address, length;
    bool is_virtual;
    enum vt_verdict verdict;
};

static int fetch(const struct vt_args *args, struct vt_target *t, struct request *r,
                 uint8_t **bytes, struct vt_error *err)
{
    bool is_symbol;
    struct vt_space space;
    int rc = vt_target_address(t, vt_args_operand(args, 1), &r->address, &is_symbol, err);
    r->is_virtual =
        rc == 0 && (is_symbol || vt_args_flag(args, "virtual") || vt_args_flag(args, "pid"));
    if (rc == 0 && r->is_virtual) {
        rc = vt_target_kernel(t, err);
    }
    if (rc == 0) {
        rc = vt_cli_pause(args, t, err);
    }
    if (rc == 0 && r->is_virtual) {
        rc = vt_cli_space(args, t, &space, err);
    }
    uint8_t *buffer = rc == 0 ? malloc(r->length) : NULL;
    if (rc == 0 && buffer == NULL) {
        rc = vt_fail(err, VT_E_NOMEM, "out of memory");
    }
    if (rc == 0) {
        rc = r->is_virtual ? vt_space_read_checked(&space, VT_GVA(r->address), buffer, r->length,
                                                   &r->verdict, err)
                           : vt_ram_read_checked(t->ram, VT_GPA(r->address), buffer, r->length,
                                                 &r->verdict, err);
    }
    if (rc == 0) {
        rc = vt_ram_check(t->ram, err);
    }
    if (rc != 0) {
        free(buffer);
        return rc;
    }
    *bytes = buffer;
    return 0;
}

static void print_json(const struct vt_args *args, const struct request *r, const uint8_t *bytes)
{
    static const char digits[] = "0123456789abcdef";
    char *hex = malloc(2 * r->length + 1);
    struct vt_json_writer w;
    vt_json_init(&w, stdout, vt_args_pretty(args));
    vt_json_object(&w);
    vt_json_kv_hex(&w, "address", r->address);
    vt_json_kv_string(&w, "space", r->is_virtual ? "virtual" : "physical");
    vt_json_kv_u64(&w, "length", r->length);
    if (hex != NULL) {
        for (uint64_t i = 0; i < r->length; i++) {
            hex[2 * i] = digits[bytes[i] >> 4];
            hex[2 * i + 1] = digits[bytes[i] & 15];
        }
        hex[2 * r->length] = '\0';
    }
    vt_json_kv_string(&w, "verdict", vt_verdict_name(r->verdict));
    vt_json_kv_string(&w, "hex", hex);
    vt_json_object_end(&w);
    vt_json_finish(&w);
    free(hex);
}

static int run(const struct vt_args *args)
{
    struct request r;
    struct vt_target t;
    struct vt_error err;
    char detail[256];
    if (vt_parse_bytes(vt_args_operand(args, 2), &r.length, &err) != 0) {
        return vt_usage_error(args, "LEN: %s", err.message);
    }
    if (r.length == 0 || r.length > LENGTH_MAX) {
        return vt_usage_error(args, "LEN must be 1 byte to 1 GiB");
    }
    if (vt_args_flag(args, "physical") &&
        (vt_args_flag(args, "virtual") || vt_args_value(args, "pid") != NULL)) {
        return vt_usage_error(args, "--physical excludes --virtual and --pid");
    }
    const char *pid = vt_args_value(args, "pid");
    snprintf(detail, sizeof detail, "%s %s%s%s%s", vt_args_operand(args, 1),
             vt_args_operand(args, 2), vt_args_flag(args, "virtual") ? " virtual" : "",
             pid != NULL ? " pid " : "", pid != NULL ? pid : "");
    int result = vt_cli_open(args, "read", VT_CLI_RAM, detail, &t);
    if (result != 0) {
        return result;
    }
    uint8_t *bytes;
    if (fetch(args, &t, &r, &bytes, &err) != 0) {
        return vt_cli_close(args, &t, vt_report(args, &err));
    }
    /* The VM need not wait for our output. */
    result = vt_cli_close(args, &t, VT_EXIT_OK);
    if (vt_args_json(args)) {
        print_json(args, &r, bytes);
    } else if (vt_args_flag(args, "raw")) {
        fwrite(bytes, 1, r.length, stdout);
    } else {
        vt_hexdump(stdout, r.address, bytes, r.length);
    }
    if (r.verdict == VT_TORN) {
        fputs("vitrine read: the guest kept writing there while it was read: these bytes never "
              "stood together (--pause stops it for the moment)\n",
              stderr);
    }
    free(bytes);
    return result;
}

static const struct vt_option options[] = {
    {"virtual", NULL, "ADDR is a kernel-virtual address", false},
    {"physical", NULL, "ADDR is guest-physical (the default for numbers)", false},
    {"pid", "PID", "ADDR is virtual in that process", false},
    {"raw", NULL, "write the bytes themselves", false},
    VT_CLI_PAUSE,
    {0},
};

const struct vt_verb vt_verb_read = {
    .name = "read",
    .group = "Memory",
    .summary = "Show bytes of the guest's memory",
    .operands = "VM ADDR LEN",
    .min_operands = 3,
    .max_operands = 3,
    .options = options,
    .description =
        "ADDR is a number (guest-physical, or virtual with --virtual or --pid), a kernel\n"
        "symbol, or symbol+offset; LEN a size such as 64, 0x40 or 4K. All bytes must be\n"
        "there, or none is shown. They are read until two looks agree; if the guest writes too\n"
        "fast for that, it is said, and \"verdict\" in JSON is \"torn\".",
    .examples = "vitrine read web 0x1000 256\nvitrine read web linux_banner 120\n"
                "vitrine read web init_task+0x10 8 --json\n"
                "vitrine read web 0x400000 4K --pid 85 --raw | file -",
    .run = run,
};
