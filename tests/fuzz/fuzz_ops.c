/* tests/fuzz/fuzz_ops.c - operations with arguments that peers make up, on a VM that is made up.
 *
 * Input: a byte that picks the operation by a hash of names, so that most inputs keep their meaning
 * when one is added; then JSON text. The host only looks, so that nothing is started or ended; SQL
 * has a fuzzer of its own. The JSON text is also taken as the text of each parameter.
 */
#include "tests/fuzz/fuzz.h"
#include "tests/unit/server/fake_vm.h"

#include "server/ops.h"

#include <ftw.h>

static char top[] = "/tmp/vitrine-fuzz-XXXXXX";
static struct fake_vm vm;
static struct vt_host *host;

static int remove_one(const char *path, const struct stat *st, int flag, struct FTW *where)
{
    (void)st;
    (void)flag;
    (void)where;
    return remove(path);
}

static void finish(void)
{
    vt_host_destroy(host);
    fake_vm_end(&vm);
    nftw(top, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

static void start(void)
{
    const struct vt_host_options options = {.read_only = true, .interval_s = 1e6};
    FUZZ_CHECK(mkdtemp(top) != NULL);
    fake_places(top);
    setenv("VITRINE_AUDIT", "off", 1);
    fake_vm_start(&vm, "one");
    FUZZ_CHECK(vt_host_create(&options, &host, NULL) == 0);
    atexit(finish);
}

static const struct vt_op *pick(uint8_t wanted)
{
    const struct vt_op *best = NULL;
    uint8_t nearest = UINT8_MAX;
    for (const struct vt_op *const *op = vt_ops(); *op != NULL; op++) {
        uint32_t hash = 2166136261u; /* FNV-1a */
        for (const char *c = (*op)->name; *c != '\0'; c++) {
            hash = (hash ^ (uint8_t)*c) * 16777619u;
        }
        uint8_t distance = (uint8_t)((hash >> 24) - wanted);
        if (best == NULL || distance < nearest) {
            nearest = distance;
            best = *op;
        }
    }
    return best;
}

static void run(const struct vt_op *op, json_t *args)
{
    struct vt_op_reply reply;
    struct vt_error err = {0};
    int rc = vt_op_run(host, op, args, "fuzz", NULL, &reply, &err);
    if (rc != 0) {
        FUZZ_CHECK(rc < 0 && rc == (int)err.code && err.message[0] != '\0');
        return;
    }
    FUZZ_CHECK(reply.bytes > 0 && reply.body[reply.bytes] == '\0');
    if (!(op->flags & VT_OP_PNG)) {
        json_t *result = json_loadb(reply.body, reply.bytes, JSON_REJECT_DUPLICATES, NULL);
        FUZZ_CHECK(json_is_object(result) && strchr(reply.body, '\n') == NULL);
        json_decref(result);
    }
    free(reply.body);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t count)
{
    const struct vt_param *p;
    if (host == NULL) {
        start();
    }
    if (count == 0) {
        return 0;
    }
    const struct vt_op *op = pick(bytes[0]);
    const char *text = (const char *)bytes + 1;
    json_t *args = json_loadb(text, count - 1, JSON_ALLOW_NUL | JSON_DECODE_ANY, NULL);
    if (json_is_object(args) && json_object_get(args, "vm") == NULL && op->flags & VT_OP_VM) {
        json_object_set_new(args, "vm", json_string("one"));
    }
    if (args != NULL && strncmp(op->name, "sql", 3) != 0) {
        run(op, args);
    }
    json_decref(args);
    char *copy = strndup(text, count - 1);
    FUZZ_CHECK(copy != NULL);
    for (unsigned i = 0; (p = vt_op_param(op, i)) != NULL; i++) {
        json_t *value = NULL;
        struct vt_error err;
        if (vt_param_from_text(p, copy, &value, &err) == 0) {
            FUZZ_CHECK(value != NULL);
            json_decref(value);
        }
    }
    free(copy);
    return 0;
}
