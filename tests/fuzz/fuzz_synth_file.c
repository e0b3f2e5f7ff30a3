/* tests/fuzz/fuzz_synth_file.c - kernels' files: read, written again, and proven as far as no
 * solver is needed. The file's own hash is passed by, so that what lies behind it is reached. */
#include "synth/file.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool stop(void *unused)
{
    (void)unused;
    return true;
}

static void check(bool holds)
{
    if (!holds) {
        abort();
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct vt_error err;
    struct vt_synth_kernel *k = NULL;
    if (vt_synth_read((const char *)data, size, &k, &err) == 0) {
        char hash[33];
        check(vt_synth_content_hash(k, hash, &err) == 0);
        check(memmem(data, size, hash, 32) != NULL);
        vt_synth_kernel_destroy(k);
    }
    json_t *object = json_loadb((const char *)data, size, 0, NULL);
    k = calloc(1, sizeof *k);
    check(k != NULL);
    if (object != NULL && vt_synth_json_read(object, k, &err) == 0) {
        struct vt_proof_options options = {.stop = stop};
        int rc = vt_synth_prove(k, &options, &err);
        check((rc == 0) == k->proven);
    }
    json_decref(object);
    vt_synth_kernel_destroy(k);
    return 0;
}
