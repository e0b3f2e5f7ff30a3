/* tests/fuzz/fuzz_isf.c - symbol files of any bytes: refused, or safe to ask and to write again. */
#include "tests/fuzz/fuzz.h"

#include "guest/symbols/isf.h"
#include "vitrine/guest.h"

#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

static void ask(const struct vt_isf *isf)
{
    FUZZ_CHECK(memchr(isf->banner, '\0', sizeof isf->banner) != NULL);
    for (size_t i = 0; i < isf->symbols.n; i++) {
        const char *name = vt_symbols_name(&isf->symbols, &isf->symbols.list[i]);
        FUZZ_CHECK(vt_symbols_find(&isf->symbols, name) != NULL);
    }
    for (uint32_t id = 1; id <= vt_btf_types(isf->types); id++) {
        struct vt_btf_type t = vt_btf_type(isf->types, id);
        bool has_members = t.kind == VT_BTF_STRUCT || t.kind == VT_BTF_UNION;
        for (uint32_t i = 0; has_members && i < t.n; i++) {
            struct vt_btf_member m = vt_btf_member_at(isf->types, id, i);
            struct vt_member found;
            FUZZ_CHECK(m.type <= vt_btf_types(isf->types));
            vt_btf_member(isf->types, t.name, m.name, &found, NULL);
        }
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t count)
{
    char path[64], banner[VT_ISF_BANNER_MAX];
    int64_t banner_at;
    struct vt_isf isf;
    int fd = memfd_create("isf", MFD_CLOEXEC);
    FUZZ_CHECK(fd >= 0 && write(fd, bytes, count) == (ssize_t)count);
    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    bool peeked = vt_isf_peek(path, banner, &banner_at, NULL) == 0;
    if (vt_isf_read(path, &isf, NULL) == 0) {
        ask(&isf);
        FUZZ_CHECK(!peeked || strnlen(banner, sizeof banner) < sizeof banner);
        const struct vt_isf_source source = {
            .banner = isf.banner, .text = isf.text, .symbols = &isf.symbols, .types = isf.types};
        FILE *out = fopen("/dev/null", "w");
        FUZZ_CHECK(out != NULL && vt_isf_write(out, &source, NULL) == 0);
        fclose(out);
        vt_isf_fini(&isf);
    }
    close(fd);
    return 0;
}
