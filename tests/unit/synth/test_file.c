/* Kernels as files: what is written is read again as the same; each member that is changed is found
 * out, by the file's hash, or, where that was made to fit, by the proof. */
#include "tests/unit/harness.h"

#include "base/io.h"
#include "synth/file.h"
#include "synth/smt.h"
#include "tests/unit/synth/small_loops.h"

#include <limits.h>
#include <sys/stat.h>
#include <unistd.h>

static struct vt_synth_kernel *proven(unsigned which)
{
    struct vt_synth_kernel *k = vt_test_kernel(&vt_test_loops[which]);
    struct vt_error err;
    if (vt_synth_prove(k, NULL, &err) != 0) {
        fail_msg("%s: %s", vt_test_loops[which].name, err.message);
    }
    return k;
}

static void test_again(void **state)
{
    for (unsigned i = 0; i < VT_TEST_LOOPS; i++) {
        struct vt_synth_kernel *k = proven(i), *again, *found;
        char path[PATH_MAX], one[33], other[33];
        struct vt_error err;
        assert_int_equal(vt_synth_save(k, *state, path, sizeof path, &err), 0);
        assert_int_equal(vt_synth_load(path, &again, &err), 0);
        assert_int_equal(vt_synth_content_hash(k, one, &err), 0);
        assert_int_equal(vt_synth_content_hash(again, other, &err), 0);
        assert_string_equal(one, other);
        assert_non_null(strstr(path, one));
        assert_false(again->proven); /* it only says so */
        assert_int_equal(again->n_obligations, k->n_obligations);
        if (vt_synth_verify(again, NULL, &err) != 0) {
            fail_msg("%s: %s", vt_test_loops[i].name, err.message);
        }
        assert_true(again->proven);
        char where[PATH_MAX];
        assert_int_equal(
            vt_synth_find(*state, k->loop.hash, NULL, &found, where, sizeof where, &err), 0);
        assert_string_equal(where, path);
        assert_true(found->proven);
        assert_string_equal(found->loop.hash, k->loop.hash);
        vt_synth_kernel_destroy(found);
        vt_synth_kernel_destroy(again);
        vt_synth_kernel_destroy(k);
    }
    struct vt_synth_kernel *none;
    assert_int_equal(
        vt_synth_find(*state, "0123456789abcdef0123456789abcdef", NULL, &none, NULL, 0, NULL),
        VT_E_NOT_FOUND);
    assert_int_equal(vt_synth_find("/nowhere", "00", NULL, &none, NULL, 0, NULL), VT_E_NOT_FOUND);
}

/* ---------------------------------------------------------------- tampering */

struct leaf {
    json_t *value;
    char path[160];
};

/* The n-th number, text or truth value of a document. */
static bool leaf_of(json_t *value, const char *path, unsigned *n, struct leaf *found)
{
    const char *key;
    json_t *one;
    size_t i;
    char deeper[160];
    if (json_is_object(value)) {
        json_object_foreach(value, key, one)
        {
            snprintf(deeper, sizeof deeper, "%.100s/%.40s", path, key);
            if (leaf_of(one, deeper, n, found)) {
                return true;
            }
        }
    } else if (json_is_array(value)) {
        json_array_foreach(value, i, one)
        {
            if (leaf_of(one, path, n, found)) {
                return true;
            }
        }
    } else if (!json_is_null(value) && (*n)-- == 0) {
        found->value = value;
        snprintf(found->path, sizeof found->path, "%s", path);
        return true;
    }
    return false;
}

/* Booleans of jansson have no value to set: those are left to test_flags. */
static bool change(json_t *value)
{
    if (json_is_integer(value)) {
        json_integer_set(value, json_integer_value(value) + 1);
    } else if (json_is_real(value)) {
        json_real_set(value, json_real_value(value) + 1);
    } else if (json_is_string(value)) {
        char text[8400];
        snprintf(text, sizeof text, "%s", json_string_value(value));
        size_t last = strlen(text);
        if (last == 0) {
            return false;
        }
        text[last - 1] = text[last - 1] == '1' ? '2' : '1';
        json_string_set(value, text);
    } else {
        return false;
    }
    return true;
}

static int read_document(const json_t *document, struct vt_synth_kernel **k, struct vt_error *err)
{
    char *text = json_dumps(document, 0);
    assert_non_null(text);
    int rc = vt_synth_read(text, strlen(text), k, err);
    free(text);
    return rc;
}

/* As somebody would who knows how the hash is made. */
static bool fit_hash(json_t *document)
{
    struct vt_synth_kernel *k = calloc(1, sizeof *k);
    char hash[33];
    assert_non_null(k);
    bool fits =
        vt_synth_json_read(document, k, NULL) == 0 && vt_synth_content_hash(k, hash, NULL) == 0;
    if (fits) {
        json_object_set_new(document, "hash", json_string(hash));
    }
    vt_synth_kernel_destroy(k);
    return fits;
}

/* Names of values, what is counted for people, bounds that may be wider than they need be, and who
 * proved what in which time. */
static bool harmless(const char *path)
{
    static const char *const ends[] = {"/name",    "/instructions", "/low",    "/high", "/head",
                                       "/took_us", "/time_ms",      "/solver", "/kind"};
    if (strcmp(path, "/hash") == 0) { /* which was made to fit */
        return true;
    }
    for (unsigned i = 0; i < sizeof ends / sizeof ends[0]; i++) {
        size_t n = strlen(path), m = strlen(ends[i]);
        if (n >= m && strcmp(path + n - m, ends[i]) == 0) {
            return strncmp(path, "/proof/obligations/name", 23) != 0;
        }
    }
    return false;
}

/* What reading finds out by itself, whatever the file says. */
static bool found_out(const char *path)
{
    return strcmp(path, "/pixel_carries/kind") == 0;
}

static void test_tampering(void **state)
{
    (void)state;
    struct vt_synth_kernel *k = proven(0);
    char path[PATH_MAX];
    struct vt_error err;
    assert_int_equal(vt_synth_save(k, *state, path, sizeof path, &err), 0);
    vt_synth_kernel_destroy(k);
    unsigned by_hash = 0, by_proof = 0, by_form = 0;
    for (unsigned i = 0;; i++) {
        json_t *document = json_load_file(path, 0, NULL);
        struct leaf leaf;
        unsigned n = i;
        assert_non_null(document);
        if (!leaf_of(document, "", &n, &leaf)) {
            json_decref(document);
            break;
        }
        if (change(leaf.value)) {
            bool of_content = strncmp(leaf.path, "/proof", 6) != 0 &&
                              strcmp(leaf.path, "/head") != 0 && !found_out(leaf.path);
            int rc = read_document(document, &k, &err);
            if (rc == 0 && of_content) {
                fail_msg("%s: changed, and read", leaf.path);
            }
            if (rc != 0) {
                assert_int_equal(err.code, VT_E_CORRUPT);
                by_hash++;
            } else {
                vt_synth_kernel_destroy(k);
            }
            if (!fit_hash(document) || read_document(document, &k, &err) != 0) {
                by_form++;
            } else {
                rc = vt_synth_verify(k, NULL, &err);
                if (rc == 0 && !harmless(leaf.path) && !found_out(leaf.path)) {
                    fail_msg("%s: changed, and proven", leaf.path);
                }
                assert_int_equal(k->proven, rc == 0);
                by_proof += rc != 0;
                vt_synth_kernel_destroy(k);
            }
        }
        json_decref(document);
    }
    printf("%u found by the hash; with one that fits, %u by their form, %u by the proof\n", by_hash,
           by_form, by_proof);
    assert_true(by_hash > 60 && by_proof > 20);
}

static void test_members(void **state)
{
    struct vt_synth_kernel *k = proven(6);
    char path[PATH_MAX];
    assert_int_equal(vt_synth_save(k, *state, path, sizeof path, NULL), 0);
    vt_synth_kernel_destroy(k);
    json_t *whole = json_load_file(path, 0, NULL);
    const char *key;
    json_t *value;
    json_object_foreach(whole, key, value)
    { /* none may be missing */
        json_t *document = json_deep_copy(whole);
        json_object_del(document, key);
        assert_int_equal(read_document(document, &k, NULL), VT_E_CORRUPT);
        json_object_set_new(document, key, json_string(""));
        assert_int_equal(read_document(document, &k, NULL), VT_E_CORRUPT);
        json_decref(document);
    }
    json_t *document = json_deep_copy(whole);
    json_object_set_new(document, "trusted", json_true()); /* nor one be more */
    assert_int_equal(read_document(document, &k, NULL), VT_E_CORRUPT);
    json_decref(document);

    /* A pair of what must be disjoint that is dropped, or asked for less often. */
    document = json_deep_copy(whole);
    json_t *pairs = json_object_get(json_object_get(document, "guards"), "disjoint");
    assert_int_not_equal(json_array_size(pairs), 0);
    json_object_set_new(json_array_get(pairs, 0), "only_parallel", json_true());
    assert_true(fit_hash(document));
    assert_int_equal(read_document(document, &k, NULL), 0);
    assert_int_equal(vt_synth_verify(k, NULL, NULL), VT_E_REFUSED);
    vt_synth_kernel_destroy(k);
    json_array_remove(pairs, 0);
    assert_true(fit_hash(document));
    assert_int_equal(read_document(document, &k, NULL), 0);
    assert_int_equal(vt_synth_verify(k, NULL, NULL), VT_E_REFUSED);
    vt_synth_kernel_destroy(k);
    json_decref(document);
    json_decref(whole);
}

/* The member at a path of keys and numbers. */
static void put(json_t *document, const char *path, const char *value)
{
    char keys[80], *at = keys, *key;
    snprintf(keys, sizeof keys, "%s", path);
    json_t *made = json_loads(value, JSON_DECODE_ANY, NULL);
    assert_non_null(made);
    while ((key = strsep(&at, "/")) != NULL) {
        json_t *new = at != NULL ? NULL : made;
        if (json_is_array(document)) {
            size_t i = strtoul(key, NULL, 10);
            assert_true(i < json_array_size(document));
            assert_int_equal(new != NULL ? json_array_set_new(document, i, new) : 0, 0);
            document = json_array_get(document, i);
        } else {
            assert_int_equal(new != NULL ? json_object_set_new(document, key, new) : 0, 0);
            document = json_object_get(document, key);
        }
    }
}

/* What a member cannot be is refused as it is read, whatever the hash says. */
static void test_forms(void **state)
{
    static const struct {
        const char *path, *value;
    } wrong[] = {
        {"x86_bytes/0", "{\"at\": \"0\", \"bytes\": \"90\"}"},
        {"x86_bytes/0", "{\"at\": 4294967296, \"bytes\": \"90\"}"},
        {"x86_bytes/0", "{\"at\": 0, \"bytes\": \"9g\"}"},
        {"x86_bytes/0", "{\"at\": 0, \"bytes\": \"909\"}"},
        {"x86_bytes", "[]"},
        {"carries/0", "{\"kind\": \"register\", \"register\": \"rex\"}"},
        {"carries/0", "{\"kind\": \"register\", \"register\": \"rax\", \"number\": 1}"},
        {"carries/0", "{\"kind\": \"xmm.low\", \"number\": 16}"},
        {"carries/0", "{\"kind\": \"fs.base\", \"number\": 1}"},
        {"carries/0", "{\"kind\": \"cell\", \"bytes\": 9}"},
        {"carries/0", "{\"kind\": \"port\"}"},
        {"carries", "[]"},
        {"streams/0", "{\"constant\": \"0x0\", \"sum\": [{\"register\": \"rax\"}]}"},
        {"streams/0", "{\"constant\": \"0\", \"sum\": []}"},
        {"guards/aligned", "[16]"},
        {"guards/aligned", "[true]"},
        {"guards/disjoint", "[{\"a\": 0, \"b\": 256, \"only_parallel\": false}]"},
        {"guards/disjoint", "[{\"a\": 0, \"b\": 1, \"only_parallel\": 0}]"},
        {"trips", "7"},
        {"trips", "{}"},
        {"proof/time_ms", "-1"},
        {"proof/obligations/0", "{}"},
        {"proof/obligations/0/result", "\"perhaps\""},
    };
    struct vt_synth_kernel *k = proven(6);
    struct vt_error err;
    char path[PATH_MAX], hash[33], other[PATH_MAX];
    snprintf(hash, sizeof hash, "%s", k->loop.hash);
    assert_int_equal(vt_synth_save(k, *state, path, sizeof path, NULL), 0);
    vt_synth_kernel_destroy(k);
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        json_t *document = json_load_file(path, 0, NULL);
        k = calloc(1, sizeof *k);
        assert_non_null(k);
        put(document, wrong[i].path, wrong[i].value);
        if (vt_synth_json_read(document, k, &err) != VT_E_CORRUPT) {
            fail_msg("%s: %s is read", wrong[i].path, wrong[i].value);
        }
        vt_synth_kernel_destroy(k);
        json_decref(document);
    }
    assert_int_equal(vt_synth_read("{\"version\"", 10, &k, &err), VT_E_CORRUPT);
    assert_int_equal(vt_synth_load("/nowhere/at.json", &k, &err), VT_E_NOT_FOUND);
    /* A directory, and a file that names the loop and is none of its kernels. */
    assert_int_equal(unlink(path), 0);
    assert_int_equal(mkdir(path, 0700), 0);
    snprintf(other, sizeof other, "%s/other.json", (const char *)*state);
    assert_int_equal(vt_write_file_atomic(other, hash, 32, 0600, &err), 0);
    assert_int_equal(vt_synth_find(*state, hash, NULL, &k, NULL, 0, NULL), VT_E_NOT_FOUND);
    assert_int_equal(rmdir(path), 0);
}

int main(void)
{
    struct vt_error err;
    if (vt_smt_check(&err) != 0) {
        fprintf(stderr, "%s\n", err.message);
        return 77;
    }
    const struct CMUnitTest tests[] = {vt_test_in_dir(test_again), vt_test_in_dir(test_tampering),
                                       vt_test_in_dir(test_members), vt_test_in_dir(test_forms)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
