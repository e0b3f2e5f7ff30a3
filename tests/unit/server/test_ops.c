/* tests/unit/server/test_ops.c - the table of operations: its names, its schemas, its checks. */
#include "tests/unit/harness.h"

#include "tests/unit/server/fake_vm.h"

#include "server/ops.h"

#include <ctype.h>

struct world {
    struct fake_vm vm;
    struct vt_host *host;
};

static int setup(void **state)
{
    static struct world w;
    void *dir = NULL;
    assert_int_equal(vt_test_dir_setup(&dir), 0);
    fake_places(dir);
    free(dir);
    fake_vm_start(&w.vm, "one");
    assert_int_equal(vt_host_create(&(struct vt_host_options){0}, &w.host, NULL), 0);
    *state = &w;
    return 0;
}

static int teardown(void **state)
{
    struct world *w = *state;
    void *dir = strdup(getenv("VITRINE_RUNTIME_DIR"));
    vt_host_destroy(w->host);
    fake_vm_end(&w->vm);
    *strrchr(dir, '/') = '\0';
    return vt_test_dir_teardown(&dir);
}

/* The result, or NULL and *err. */
static json_t *ask(struct world *w, const char *op, const char *args, struct vt_error *err)
{
    struct vt_op_reply reply;
    json_t *a = json_loads(args, 0, NULL);
    assert_non_null(a);
    int rc = vt_op_run(w->host, vt_op_find(op), a, "test", NULL, &reply, err);
    json_decref(a);
    if (rc != 0) {
        assert_int_equal(rc, err->code);
        return NULL;
    }
    assert_null(strchr(reply.body, '\n'));
    assert_int_equal(strlen(reply.body), reply.bytes);
    json_t *result = json_loads(reply.body, JSON_REJECT_DUPLICATES, NULL);
    assert_non_null(result);
    assert_true(json_is_object(result));
    free(reply.body);
    return result;
}

static void assert_refused(struct world *w, const char *op, const char *args, const char *words)
{
    struct vt_error err = {0};
    assert_null(ask(w, op, args, &err));
    assert_int_equal(err.code, VT_E_INVAL);
    assert_non_null(strstr(err.message, words));
}

static void names_and_paths_are_unique(void **state)
{
    (void)state;
    for (const struct vt_op *const *a = vt_ops(); *a != NULL; a++) {
        for (const char *c = (*a)->name; *c != '\0'; c++) {
            assert_true(islower(*c) || isdigit(*c) || *c == '_');
        }
        assert_ptr_equal(vt_op_find((*a)->name), *a);
        assert_non_null((*a)->summary);
        assert_non_null((*a)->title);
        assert_int_equal(strstr((*a)->path, "{vm}") != NULL, ((*a)->flags & VT_OP_VM) != 0);
        bool safe = strcmp((*a)->method, "GET") == 0;
        assert_false(safe && ((*a)->flags & VT_OP_CHANGES));
        for (const struct vt_op *const *b = a + 1; *b != NULL; b++) {
            assert_false(strcmp((*a)->path, (*b)->path) == 0 &&
                         strcmp((*a)->method, (*b)->method) == 0);
        }
    }
    assert_null(vt_op_find("nothing"));
}

static void each_has_schemas(void **state)
{
    (void)state;
    for (const struct vt_op *const *op = vt_ops(); *op != NULL; op++) {
        json_t *params = vt_op_params_schema(*op), *result = vt_op_result_schema(*op);
        assert_string_equal(json_string_value(json_object_get(params, "type")), "object");
        assert_int_equal(result == NULL, ((*op)->flags & VT_OP_PNG) != 0);
        if (result != NULL) {
            assert_string_equal(json_string_value(json_object_get(result, "type")), "object");
        }
        json_decref(params);
        json_decref(result);
    }
}

static void wrong_arguments_are_named(void **state)
{
    struct world *w = *state;
    assert_refused(w, "ps", "{}", "\"vm\" is missing");
    assert_refused(w, "ps", "{\"vm\": 1}", "vm: a text");
    assert_refused(w, "ps", "{\"vm\": \"one\", \"pit\": 1}", "no parameter \"pit\"");
    assert_refused(w, "ps", "{\"vm\": \"one\", \"a\\nb\": 1}", "no parameter \"a\\x0ab\"");
    assert_refused(w, "ps", "{\"vm\": \"one\", \"pid\": \"1\"}", "pid: a whole number");
    assert_refused(w, "ps", "{\"vm\": \"one\", \"pid\": 1.5}", "pid: a whole number");
    assert_refused(w, "ps", "{\"vm\": \"one\", \"pid\": 0}", "pid: a number from 1");
    assert_refused(w, "ps", "{\"vm\": \"one\", \"pid\": -1}", "pid: a number from 1");
    assert_refused(w, "ps", "{\"vm\": \"one\", \"pid\": 9223372036854775807}", "pid: a number");
    assert_refused(w, "ps", "{\"vm\": \"one\", \"pid\": null}", "pid: a whole number");
    assert_refused(w, "ps", "{\"vm\": \"../one\"}", "name");
    assert_refused(w, "ps", "{\"vm\": \"\"}", "vm: 0 bytes");
    assert_refused(w, "ps", "[]", "no object");
    assert_refused(w, "translate", "{\"vm\": \"one\"}", "\"address\" is missing");
    assert_refused(w, "translate", "{\"vm\": \"one\", \"address\": -1}", "an address is wanted");
    assert_refused(w, "read_memory", "{\"vm\": \"one\", \"address\": \"0\", \"length\": 65537}",
                   "1 to 65536");
    assert_refused(w, "read_memory", "{\"vm\": \"one\", \"address\": \"0\", \"space\": \"outer\"}",
                   "space: not one of");
}

static void zero_bytes_are_refused(void **state)
{
    struct world *w = *state;
    struct vt_error err = {0};
    struct vt_op_reply reply;
    json_t *args = json_object();
    json_object_set_new(args, "vm", json_stringn("one\0two", 7));
    assert_int_equal(vt_op_run(w->host, vt_op_find("ps"), args, NULL, NULL, &reply, &err),
                     VT_E_INVAL);
    assert_non_null(strstr(err.message, "zero byte"));
    json_decref(args);
}

static void an_unknown_vm_is_not_found(void **state)
{
    struct vt_error err;
    assert_null(ask(*state, "ps", "{\"vm\": \"none\"}", &err));
    assert_int_equal(err.code, VT_E_NOT_FOUND);
    assert_null(ask(*state, "vm_info", "{\"vm\": \"none\"}", &err));
    assert_int_equal(err.code, VT_E_NOT_FOUND);
}

static void processes_are_listed(void **state)
{
    struct world *w = *state;
    json_t *all = ask(w, "ps", "{\"vm\": \"one\"}", NULL);
    assert_int_equal(json_array_size(json_object_get(all, "processes")), w->vm.kernel.tasks);
    assert_true(json_is_false(json_object_get(all, "torn")));
    assert_null(json_object_get(all, "truncated"));
    json_t *few = ask(w, "ps", "{\"vm\": \"one\", \"limit\": 3}", NULL);
    assert_int_equal(json_array_size(json_object_get(few, "processes")), 3);
    assert_true(json_is_true(json_object_get(few, "truncated")));
    json_decref(all);
    json_decref(few);
}

static void memory_is_read_as_it_is(void **state)
{
    struct world *w = *state;
    memcpy(w->vm.ram.ram + 0x3000, "Hello, \xff\0glass", 14);
    json_t *hex =
        ask(w, "read_memory", "{\"vm\": \"one\", \"address\": \"0x3000\", \"length\": 14}", NULL);
    assert_string_equal(json_string_value(json_object_get(hex, "hex")),
                        "48656c6c6f2c20ff00676c617373");
    assert_string_equal(json_string_value(json_object_get(hex, "text")), "Hello, ..glass");
    assert_string_equal(json_string_value(json_object_get(hex, "space")), "physical");
    json_decref(hex);
    static const char *const base64[] = {
        "SGVsbG8sIP8AZ2xhc3M=", "SGVsbG8sIP8AZ2xhcw==", "SGVsbG8sIP8AZ2xh"};
    for (int i = 0; i < 3; i++) {
        char args[128];
        snprintf(args, sizeof args,
                 "{\"vm\": \"one\", \"address\": 12288, \"length\": %d, \"format\": \"base64\"}",
                 14 - i);
        json_t *result = ask(w, "read_memory", args, NULL);
        assert_string_equal(json_string_value(json_object_get(result, "base64")), base64[i]);
        json_decref(result);
    }
    struct vt_error err;
    assert_null(
        ask(w, "read_memory", "{\"vm\": \"one\", \"address\": \"0xffffffffffffff\"}", &err));
    assert_int_equal(err.code, VT_E_ADDR);
}

static void an_address_is_translated(void **state)
{
    struct world *w = *state;
    char physical[32];
    json_t *result = ask(w, "translate", "{\"vm\": \"one\", \"address\": \"init_task\"}", NULL);
    snprintf(physical, sizeof physical, "0x%lx", w->vm.kernel.text_pa + AT_INIT_TASK);
    assert_string_equal(json_string_value(json_object_get(result, "physical")), physical);
    assert_true(json_array_size(json_object_get(result, "levels")) >= 3);
    json_decref(result);
}

static void vms_are_listed(void **state)
{
    json_t *result = ask(*state, "list_vms", "{}", NULL), *vms = json_object_get(result, "vms");
    assert_int_equal(json_array_size(vms), 1);
    assert_string_equal(json_string_value(json_object_get(json_array_get(vms, 0), "name")), "one");
    json_decref(result);
}

static void what_a_vm_left_is_shown(void **state)
{
    struct world *w = *state;
    struct vt_error err = {0};
    json_t *result = ask(w, "sampled_processes", "{\"vm\": \"one\"}", NULL);
    size_t n = json_array_size(json_object_get(result, "processes"));
    assert_true(n > 0);
    json_decref(result);
    fake_vm_end(&w->vm);

    result = ask(w, "list_vms", "{}", NULL);
    assert_int_equal(json_array_size(json_object_get(result, "vms")), 0);
    json_decref(result);
    result = ask(w, "list_vms", "{\"ended\": true}", NULL);
    const json_t *vm = json_array_get(json_object_get(result, "vms"), 0);
    assert_string_equal(json_string_value(json_object_get(vm, "state")), "ended");
    assert_true(json_real_value(json_object_get(vm, "last_sample_unix_s")) > 1e9);
    json_decref(result);
    result = ask(w, "vm_info", "{\"vm\": \"one\"}", NULL);
    assert_string_equal(json_string_value(json_object_get(result, "state")), "ended");
    json_decref(result);
    result = ask(w, "sampled_processes", "{\"vm\": \"one\"}", NULL);
    assert_int_equal(json_array_size(json_object_get(result, "processes")), n);
    json_decref(result);
    static const char *const left[] = {"events", "boots", "sample", "sql_tables"};
    for (unsigned i = 0; i < 4; i++) {
        json_decref(ask(w, left[i], "{\"vm\": \"one\"}", NULL));
    }
    json_decref(ask(w, "sql", "{\"vm\": \"one\", \"query\": \"SELECT 1 FROM boots\"}", NULL));
    json_decref(ask(w, "ask", "{\"vm\": \"one\", \"question\": \"what ran?\"}", NULL));
    for (const struct vt_op *const *op = vt_ops(); *op != NULL; op++) {
        if ((*op)->flags == VT_OP_VM && (*op)->params == NULL) { /* a look into the guest */
            assert_null(ask(w, (*op)->name, "{\"vm\": \"one\"}", &err));
            assert_int_equal(err.code, VT_E_GONE);
        }
    }
    assert_null(ask(w, "ps", "{\"vm\": \"one\"}", &err));
    assert_string_equal(err.message, "one has ended; only its database is left");
    static const char *const never[] = {"boots", "vm_info", "sql_tables"};
    for (unsigned i = 0; i < 3; i++) {
        assert_null(ask(w, never[i], "{\"vm\": \"never\"}", &err));
        assert_int_equal(err.code, VT_E_NOT_FOUND);
    }
    fake_vm_start(&w->vm, "one");
}

static void texts_become_values(void **state)
{
    (void)state;
    const struct vt_param uint = {.name = "u", .kind = VT_PARAM_UINT},
                          yes = {.name = "b", .kind = VT_PARAM_BOOL},
                          real = {.name = "n", .kind = VT_PARAM_NUMBER};
    json_t *value = NULL;
    assert_int_equal(vt_param_from_text(&uint, "0x10", &value, NULL), 0);
    assert_int_equal(json_integer_value(value), 16);
    json_decref(value);
    assert_int_equal(vt_param_from_text(&real, "1.5", &value, NULL), 0);
    assert_true(json_real_value(value) == 1.5);
    json_decref(value);
    assert_int_equal(vt_param_from_text(&yes, "true", &value, NULL), 0);
    assert_true(json_is_true(value));
    assert_int_equal(vt_param_from_text(&yes, "1", &value, NULL), VT_E_INVAL);
    assert_int_equal(vt_param_from_text(&uint, "-1", &value, NULL), VT_E_INVAL);
    assert_int_equal(vt_param_from_text(&uint, "18446744073709551615", &value, NULL), VT_E_INVAL);
    assert_int_equal(vt_param_from_text(&real, "nan", &value, NULL), VT_E_INVAL);
    assert_int_equal(vt_param_from_text(&real, "1x", &value, NULL), VT_E_INVAL);
}

static void what_was_looked_at_is_in_the_log(void **state)
{
    char path[PATH_MAX], line[1024], last[1024] = "";
    json_decref(ask(*state, "ps", "{\"vm\": \"one\", \"limit\": 3}", NULL));
    snprintf(path, sizeof path, "%s/audit.log", getenv("VITRINE_STATE_DIR"));
    FILE *log = fopen(path, "r");
    assert_non_null(log);
    while (fgets(line, sizeof line, log) != NULL) {
        memcpy(last, line, sizeof last);
    }
    fclose(log);
    assert_non_null(strstr(last, "\"operation\":\"ps\""));
    assert_non_null(strstr(last, "\"detail\":\"test: limit=3\""));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_and_paths_are_unique),
        cmocka_unit_test(each_has_schemas),
        cmocka_unit_test(wrong_arguments_are_named),
        cmocka_unit_test(zero_bytes_are_refused),
        cmocka_unit_test(an_unknown_vm_is_not_found),
        cmocka_unit_test(processes_are_listed),
        cmocka_unit_test(memory_is_read_as_it_is),
        cmocka_unit_test(an_address_is_translated),
        cmocka_unit_test(vms_are_listed),
        cmocka_unit_test(what_a_vm_left_is_shown),
        cmocka_unit_test(texts_become_values),
        cmocka_unit_test(what_was_looked_at_is_in_the_log),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
