/* tests/unit/server/test_openapi.c - the document has every operation, whole, and refers to nothing
 * that is not in it. What a linter thinks of it is tests/system/openapi.sh's business.
 */
#include "tests/unit/harness.h"

#include "server/openapi.h"
#include "server/ops.h"

#include <ctype.h>
#include <string.h>

static int setup(void **state)
{
    *state = vt_openapi();
    return *state != NULL ? 0 : -1;
}

static int teardown(void **state)
{
    json_decref(*state);
    return 0;
}

static const char *text(const json_t *object, const char *key)
{
    return json_string_value(json_object_get(object, key));
}

/* What "#/a/b" leads to. */
static json_t *follow(json_t *document, const char *reference)
{
    char path[128];
    snprintf(path, sizeof path, "%s", reference);
    assert_int_equal(strncmp(path, "#/", 2), 0);
    json_t *at = document;
    for (char *part = strtok(path + 2, "/"); part != NULL; part = strtok(NULL, "/")) {
        at = json_object_get(at, part);
    }
    return at;
}

static unsigned check_references(json_t *document, json_t *at)
{
    const char *key;
    json_t *value;
    size_t i;
    unsigned n = 0;
    json_object_foreach(at, key, value)
    {
        if (strcmp(key, "$ref") == 0) {
            assert_non_null(follow(document, json_string_value(value)));
            n++;
        }
        n += check_references(document, value);
    }
    json_array_foreach(at, i, value)
    {
        n += check_references(document, value);
    }
    return n;
}

static void nothing_is_referred_to_that_is_not_there(void **state)
{
    assert_true(check_references(*state, *state) > 100);
}

static json_t *operation_of(json_t *document, const struct vt_op *op)
{
    char method[8] = "";
    for (size_t i = 0; op->method[i] != '\0' && i + 1 < sizeof method; i++) {
        method[i] = (char)tolower(op->method[i]);
    }
    json_t *path = json_object_get(json_object_get(document, "paths"), op->path);
    return json_object_get(path, method);
}

static bool is_tag(const json_t *document, const char *name)
{
    json_t *tag;
    size_t i;
    json_array_foreach(json_object_get(document, "tags"), i, tag)
    {
        if (strcmp(text(tag, "name"), name) == 0) {
            return true;
        }
    }
    return false;
}

/* Each parameter once: in the path, the query or the body. */
static void check_parameters(const struct vt_op *op, json_t *o)
{
    const struct vt_param *p;
    json_t *given = json_object_get(o, "parameters"), *one;
    json_t *content = json_object_get(json_object_get(o, "requestBody"), "content");
    json_t *schema = json_object_get(json_object_get(content, "application/json"), "schema");
    size_t k;
    for (unsigned i = 0; (p = vt_op_param(op, i)) != NULL; i++) {
        char place[64];
        unsigned n = json_object_get(json_object_get(schema, "properties"), p->name) != NULL;
        snprintf(place, sizeof place, "{%s}", p->name);
        bool in_path = strstr(op->path, place) != NULL;
        json_array_foreach(given, k, one)
        {
            if (strcmp(text(one, "name"), p->name) == 0) {
                assert_string_equal(text(one, "in"), in_path ? "path" : "query");
                assert_int_equal(json_is_true(json_object_get(one, "required")), p->required);
                n++;
            }
        }
        assert_int_equal(n, 1);
        assert_true(!in_path || p->required);
    }
}

static void every_operation_is_described(void **state)
{
    size_t n = 0, paths = 0;
    const char *key;
    json_t *value;
    for (const struct vt_op *const *op = vt_ops(); *op != NULL; op++, n++) {
        json_t *o = operation_of(*state, *op);
        assert_non_null(o);
        assert_string_equal(text(o, "operationId"), (*op)->name);
        assert_true(
            is_tag(*state, json_string_value(json_array_get(json_object_get(o, "tags"), 0))));
        json_t *ok =
            json_object_get(json_object_get(json_object_get(o, "responses"), "200"), "content");
        const char *type = (*op)->flags & VT_OP_PNG ? "image/png" : "application/json";
        assert_non_null(json_object_get(json_object_get(ok, type), "schema"));
        /* What changes something needs the token; nothing else does. */
        assert_int_equal(json_array_size(json_object_get(o, "security")),
                         (*op)->flags & VT_OP_CHANGES ? 1 : 2);
        check_parameters(*op, o);
    }
    json_object_foreach(json_object_get(*state, "paths"), key, value)
    {
        paths += json_object_size(value);
    }
    assert_int_equal(paths, n);
}

static void it_is_written_as_it_is(void **state)
{
    char *written = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&written, &size);
    assert_int_equal(vt_openapi_write(out, NULL), 0);
    fclose(out);
    json_t *again = json_loads(written, JSON_REJECT_DUPLICATES, NULL);
    assert_true(json_equal(again, *state));
    json_decref(again);
    free(written);
    struct vt_error err;
    FILE *full = fopen("/dev/full", "w");
    setvbuf(full, NULL, _IONBF, 0);
    assert_int_equal(vt_openapi_write(full, &err), VT_E_IO);
    fclose(full);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_is_referred_to_that_is_not_there),
        cmocka_unit_test(every_operation_is_described),
        cmocka_unit_test(it_is_written_as_it_is),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
