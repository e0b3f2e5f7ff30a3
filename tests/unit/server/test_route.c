/* Routes: which operation, which arguments, and what is refused. */
#include "tests/unit/harness.h"

#include "server/route.h"

#include <string.h>

static const struct vt_param ps_params[] = {
    {.name = "pid", .kind = VT_PARAM_UINT},       {.name = "share", .kind = VT_PARAM_NUMBER},
    {.name = "all", .kind = VT_PARAM_BOOL},       {.name = "at", .kind = VT_PARAM_ADDRESS},
    {.name = "name", .kind = VT_PARAM_TEXT},      {.name = "runs", .kind = VT_PARAM_RUNS},
    {.name = "highlight", .kind = VT_PARAM_TEXT}, {0}};
static const struct vt_op vms = {.name = "list_vms", .method = "GET", .path = "/vms"};
static const struct vt_op ps = {.name = "ps",
                                .method = "GET",
                                .path = "/vms/{vm}/processes",
                                .params = ps_params,
                                .flags = VT_OP_VM};
static const struct vt_op put_one = {.name = "put",
                                     .method = "PUT",
                                     .path = "/vms/{vm}/highlights/{highlight}",
                                     .params = ps_params,
                                     .flags = VT_OP_VM | VT_OP_CHANGES};
static const struct vt_op drop_one = {.name = "drop",
                                      .method = "DELETE",
                                      .path = "/vms/{vm}/highlights/{highlight}",
                                      .params = ps_params,
                                      .flags = VT_OP_VM | VT_OP_CHANGES};
static const struct vt_op *const ops[] = {&vms, &ps, &put_one, &drop_one, NULL};

static int setup(void **state)
{
    struct vt_routes *routes;
    if (vt_routes_create(ops, &routes, NULL) != 0) {
        return -1;
    }
    *state = routes;
    return 0;
}

static int teardown(void **state)
{
    vt_routes_destroy(*state);
    return 0;
}

static void finds(void **state)
{
    static const struct {
        const char *method, *target;
        const struct vt_op *op;
        const char *args;
    } table[] = {
        {"GET", "/api/v1/vms", &vms, "{}"},
        {"HEAD", "/api/v1/vms", &vms, "{}"},
        {"GET", "/api/v1/vms?", &vms, "{}"},
        {"GET", "/api/v1/vms/web/processes", &ps, "{\"vm\":\"web\"}"},
        {"GET", "/api/v1/vms/w%65b/processes", &ps, "{\"vm\":\"web\"}"},
        {"GET", "/api/v1/vms/..%2fx/processes", &ps, "{\"vm\":\"../x\"}"},
        {"GET", "/api/v1/vms/web/processes?pid=17&all=true&&share=-2.5e1", &ps,
         "{\"all\":true,\"pid\":17,\"share\":-25.0,\"vm\":\"web\"}"},
        {"GET", "/api/v1/vms/web/processes?all=false&name=a+b%2B%26%C3%A9&at=do_fork%2B0x10", &ps,
         "{\"all\":false,\"at\":\"do_fork+0x10\",\"name\":\"a b+&\u00e9\",\"vm\":\"web\"}"},
        {"GET", "/api/v1/vms/web/processes?name=", &ps, "{\"name\":\"\",\"vm\":\"web\"}"},
        {"GET", "/api/v1/vms/web/processes?name", &ps, "{\"name\":\"\",\"vm\":\"web\"}"},
        {"PUT", "/api/v1/vms/web/highlights/sshd", &put_one,
         "{\"highlight\":\"sshd\",\"vm\":\"web\"}"},
        {"DELETE", "/api/v1/vms/a/highlights/b%20c", &drop_one,
         "{\"highlight\":\"b c\",\"vm\":\"a\"}"},
    };
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        struct vt_error err = {0};
        struct vt_route route;
        int rc = vt_route_find(*state, table[i].method, table[i].target, &route, &err);
        if (rc != 0 || route.status != 0) {
            fail_msg("%s: %d, status %u: %s", table[i].target, rc, route.status, err.message);
        }
        assert_ptr_equal(route.op, table[i].op);
        assert_ptr_equal(ops[route.index], route.op);
        char *args = json_dumps(route.args, JSON_COMPACT | JSON_SORT_KEYS);
        assert_string_equal(args, table[i].args);
        free(args);
        json_decref(route.args);
    }
}

static void refuses(void **state)
{
    static const struct {
        const char *target;
        const char *why;
    } table[] = {
        {"", "not a path"},
        {"*", "not a path"},
        {"http://localhost/api/v1/vms", "not a path"},
        {"/api/v1/vms/a b/processes", "must be escaped"},
        {"/api/v1/vms/a\x80/processes", "must be escaped"},
        {"/api/v1/vms#top", "must be escaped"},
        {"/api/v1/vms/%/processes", "hexadecimal"},
        {"/api/v1/vms/%4/processes", "hexadecimal"},
        {"/api/v1/vms/%zz/processes", "hexadecimal"},
        {"/api/v1/vms/a%00b/processes", "zero byte"},
        {"/api/v1/vms/%ff/processes", "UTF-8"},
        {"/api/v1/vms/%c0%af/processes", "UTF-8"},
        {"/api/v1/vms/a/processes?name=%4", "hexadecimal"},
        {"/api/v1/vms/a/processes?name=%", "hexadecimal"},
        {"/api/v1/vms/a/processes?pid=1&pid=1", "twice"},
        {"/api/v1/vms/a/processes?vm=b", "twice"},
        {"/api/v1/vms/a/processes?pid=", "whole number is wanted"},
        {"/api/v1/vms/a/processes?pid=-1", "whole number is wanted"},
        {"/api/v1/vms/a/processes?pid=1.5", "whole number is wanted"},
        {"/api/v1/vms/a/processes?pid=9223372036854775808", "whole number is wanted"},
        {"/api/v1/vms/a/processes?pid=99999999999999999999999", "whole number is wanted"},
        {"/api/v1/vms/a/processes?share=nan", "number"},
        {"/api/v1/vms/a/processes?share=1e999", "number"},
        {"/api/v1/vms/a/processes?share=1+1", "number"},
        {"/api/v1/vms/a/processes?all=yes", "true or false"},
        {"/api/v1/vms/a/processes?colour=red", "takes no 'colour'"},
        {"/api/v1/vms?vm=a", "takes no 'vm'"},
        {"/api/v1/vms?=x", "takes no ''"},
    };
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        struct vt_error err = {0};
        struct vt_route route = {.status = 77};
        int rc = vt_route_find(*state, "GET", table[i].target, &route, &err);
        if (rc != VT_E_INVAL || strstr(err.message, table[i].why) == NULL) {
            fail_msg("%s: %d: %s", table[i].target, rc, err.message);
        }
        assert_int_equal(route.status, 77);
    }
    struct vt_error err = {0};
    struct vt_route route;
    char *longest = malloc(VT_TARGET_MAX + 2);
    assert_non_null(longest);
    memset(longest, '/', VT_TARGET_MAX + 1);
    longest[VT_TARGET_MAX + 1] = '\0';
    assert_int_equal(vt_route_find(*state, "GET", longest, &route, &err), VT_E_INVAL);
    longest[VT_TARGET_MAX] = '\0';
    assert_int_equal(vt_route_find(*state, "GET", longest, &route, &err), 0);
    assert_int_equal(route.status, 404);
    free(longest);
}

static void methods_and_strangers(void **state)
{
    static const struct {
        const char *method, *target;
        unsigned status;
        const char *allow;
    } table[] = {
        {"GET", "/", 404, ""},
        {"GET", "/api/v1", 404, ""},
        {"GET", "/api/v1/", 404, ""},
        {"GET", "/api/v1/vms/", 404, ""},
        {"GET", "/api/v1//vms", 404, ""},
        {"GET", "/api/v1/vms//processes", 404, ""},
        {"GET", "/api/v2/vms", 404, ""},
        {"GET", "/api/v1/vms/a/processes/", 404, ""},
        {"GET", "/api/v1/vms/a/./processes", 404, ""},
        {"GET", "/api/v1/1/2/3/4/5/6/7/8/9/10/11/12/13/14", 404, ""},
        {"POST", "/api/v1/vms", 405, "GET, HEAD, OPTIONS"},
        {"OPTIONS", "/api/v1/vms", 405, "GET, HEAD, OPTIONS"},
        {"get", "/api/v1/vms", 405, "GET, HEAD, OPTIONS"},
        {"GET", "/api/v1/vms/a/highlights/b", 405, "PUT, DELETE, OPTIONS"},
    };
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        struct vt_route route;
        assert_int_equal(vt_route_find(*state, table[i].method, table[i].target, &route, NULL), 0);
        if (route.status != table[i].status) {
            fail_msg("%s %s: %u", table[i].method, table[i].target, route.status);
        }
        assert_string_equal(route.allow, table[i].allow);
        assert_null(route.op);
        assert_null(route.args);
    }
}

static void bodies(void **state)
{
    static const char *const bad[] = {"[]",
                                      "1",
                                      "{",
                                      "{\"a\":1,\"a\":2}",
                                      "{} {}",
                                      "{\"vm\":1}",
                                      "{\"a\":\"\\u0000\"}",
                                      "{\"a\":\"\xff\"}",
                                      "nul",
                                      "\"text\""};
    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        json_t *args = json_pack("{s:s}", "vm", "web");
        assert_int_equal(vt_route_body(bad[i], strlen(bad[i]), args, NULL), VT_E_INVAL);
        json_decref(args);
    }
    json_t *args = json_pack("{s:s}", "vm", "web");
    assert_int_equal(vt_route_body("", 0, args, NULL), 0);
    assert_int_equal(json_object_size(args), 1);
    static const char good[] = "{\"query\": \"SELECT 1\", \"runs\": [{\"gpa\": \"0x1000\"}]}";
    assert_int_equal(vt_route_body(good, sizeof good - 1, args, NULL), 0);
    assert_string_equal(json_string_value(json_object_get(args, "query")), "SELECT 1");
    assert_true(json_is_array(json_object_get(args, "runs")));
    json_decref(args);
}

static void query_values(void **state)
{
    char out[16] = "kept";
    struct vt_error err;
    (void)state;
    assert_int_equal(vt_query_value("/e?vmsx=1", "vms", out, sizeof out, &err), VT_E_NOT_FOUND);
    assert_int_equal(vt_query_value("/e", "vms", out, sizeof out, &err), VT_E_NOT_FOUND);
    assert_int_equal(vt_query_value("/e?vms=a&vms=b", "vms", out, sizeof out, &err), VT_E_INVAL);
    assert_int_equal(vt_query_value("/e?vms=0123456789abcdef", "vms", out, sizeof out, &err),
                     VT_E_INVAL);
    assert_int_equal(vt_query_value("/e?x=1&vms=a%2Cb&y", "vms", out, sizeof out, &err), 0);
    assert_string_equal(out, "a,b");
    assert_int_equal(vt_query_value("/e?vms", "vms", out, sizeof out, &err), 0);
    assert_string_equal(out, "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(finds),
        cmocka_unit_test(refuses),
        cmocka_unit_test(methods_and_strangers),
        cmocka_unit_test(bodies),
        cmocka_unit_test(query_values),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
