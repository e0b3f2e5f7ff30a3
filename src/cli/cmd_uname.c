/* cli/cmd_uname.c - `vitrine uname`: which kernel a guest runs, and where it lies. */
#include "base/text.h"
#include "cli/target.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

struct facts {
    const char *banner, *release, *build_id;
    struct vt_gva text_va;
    struct vt_gpa text_pa;
    uint64_t kaslr_virtual, kaslr_physical;
    const struct vt_space *space;
    size_t symbols;
};

static void print_json(const struct vt_args *args, const struct facts *f)
{
    struct vt_json_writer w;
    vt_json_init(&w, stdout, vt_args_pretty(args));
    vt_json_object(&w);
    vt_json_kv_string(&w, "banner", f->banner);
    vt_json_kv_string(&w, "release", f->release);
    vt_json_kv_string(&w, "build_id", f->build_id[0] != '\0' ? f->build_id : NULL);
    vt_json_kv_hex(&w, "text_virtual", f->text_va.v);
    vt_json_kv_hex(&w, "text_physical", f->text_pa.v);
    vt_json_kv_hex(&w, "kaslr_virtual", f->kaslr_virtual);
    vt_json_kv_hex(&w, "kaslr_physical", f->kaslr_physical);
    vt_json_kv_hex(&w, "page_table", f->space->root.v);
    vt_json_kv_u64(&w, "paging_levels", f->space->levels);
    vt_json_kv_u64(&w, "symbols", f->symbols);
    vt_json_object_end(&w);
    vt_json_finish(&w);
}

static void print_text(const struct facts *f)
{
    char safe[1024];
    vt_text_printable(safe, sizeof safe, f->banner, strlen(f->banner));
    printf("%s\n", safe);
    vt_text_printable(safe, sizeof safe, f->release, strlen(f->release));
    printf("release      %s\n", safe);
    printf("build id     %s\n", f->build_id[0] != '\0' ? f->build_id : "-");
    printf("image        0x%" PRIx64 " at physical 0x%" PRIx64 "\n", f->text_va.v, f->text_pa.v);
    printf("KASLR        virtual +0x%" PRIx64 ", physical +0x%" PRIx64 "\n", f->kaslr_virtual,
           f->kaslr_physical);
    printf("page tables  %u levels, root 0x%" PRIx64 "\n", f->space->levels, f->space->root.v);
    printf("symbols      %zu\n", f->symbols);
}

static int run(const struct vt_args *args)
{
    struct vt_target t;
    int result = vt_cli_open(args, "uname", VT_CLI_KERNEL, "", &t);
    if (result != 0) {
        return result;
    }
    struct facts f = {.banner = vt_kernel_banner(t.kernel),
                      .release = vt_kernel_release(t.kernel),
                      .build_id = vt_kernel_build_id(t.kernel),
                      .space = vt_kernel_space(t.kernel),
                      .symbols = vt_kernel_symbols(t.kernel)};
    vt_kernel_text(t.kernel, &f.text_va, &f.text_pa);
    vt_kernel_kaslr(t.kernel, &f.kaslr_virtual, &f.kaslr_physical);
    if (vt_args_json(args)) {
        print_json(args, &f);
    } else {
        print_text(&f);
    }
    return vt_cli_close(args, &t, VT_EXIT_OK);
}

const struct vt_verb vt_verb_uname = {
    .name = "uname",
    .group = "Guest",
    .summary = "Say which kernel the guest runs, and where it lies",
    .operands = "VM",
    .min_operands = 1,
    .max_operands = 1,
    .examples = "vitrine uname web",
    .run = run,
};
