/* Messages of both eras against what they get (tests/golden/mcp), results that are bounded, HTTP's
 * headers and statuses. In a golden file "> " is a message, "< " its answer as JSON, "= nothing"
 * none; $META, $SERVER and $INFO stand for what every message carries, and a text that ends with
 * "*" for any that begins like it. */
#include "tests/unit/harness.h"

#include "server/mcp.h"
#include "tests/unit/server/fake_ops.h"
#include "vitrine/version.h"

#include <string.h>

#define INFO                                                                                       \
    "{\"name\":\"vitrine\",\"title\":\"vitrine\",\"version\":\"" VITRINE_VERSION                   \
    "\",\"description\":\"Looks into virtual machines from outside\"}"
#define META                                                                                       \
    "{\"io.modelcontextprotocol/protocolVersion\":\"2026-07-28\","                                 \
    "\"io.modelcontextprotocol/clientCapabilities\":{}}"
static const char *const words[][2] = {
    {"$META", META},
    {"$SERVER", "{\"io.modelcontextprotocol/serverInfo\":" INFO "}"},
    {"$INFO", INFO},
};

static const char *golden; /* the directory */

static int setup(void **state)
{
    struct vt_mcp *mcp;
    fake_vms = 1;
    fake_rows = 3;
    fake_release = fake_interrupted = fake_no_kernel = false;
    if (vt_mcp_create(NULL, &mcp, NULL) != 0) {
        return -1;
    }
    *state = mcp;
    return 0;
}

static int teardown(void **state)
{
    vt_mcp_destroy(*state);
    return 0;
}

/* The line with the words replaced; malloc'ed. */
static char *expand(const char *line)
{
    char *text = NULL;
    size_t bytes;
    FILE *out = open_memstream(&text, &bytes);
    assert_non_null(out);
    while (*line != '\0') {
        size_t i = 0;
        while (i < 3 && strncmp(line, words[i][0], strlen(words[i][0])) != 0) {
            i++;
        }
        if (i < 3) {
            fputs(words[i][1], out);
            line += strlen(words[i][0]);
        } else {
            fputc(*line++, out);
        }
    }
    assert_int_equal(fclose(out), 0);
    return text;
}

static bool fits(const json_t *want, const json_t *got)
{
    if (json_is_string(want) && json_is_string(got)) {
        const char *text = json_string_value(want);
        size_t n = strlen(text);
        return n > 0 && text[n - 1] == '*' ? strncmp(text, json_string_value(got), n - 1) == 0
                                           : json_equal(want, got);
    }
    if (json_is_array(want) && json_is_array(got)) {
        bool same = json_array_size(want) == json_array_size(got);
        for (size_t i = 0; same && i < json_array_size(want); i++) {
            same = fits(json_array_get(want, i), json_array_get(got, i));
        }
        return same;
    }
    if (json_is_object(want) && json_is_object(got)) {
        const char *key;
        json_t *value;
        bool same = json_object_size(want) == json_object_size(got);
        json_object_foreach((json_t *)want, key, value)
        {
            same = same && fits(value, json_object_get(got, key));
        }
        return same;
    }
    return json_equal(want, got);
}

/* The answer as JSON, or NULL. */
static json_t *say(struct vt_mcp *mcp, struct vt_mcp_session *session, const char *text)
{
    char *reply = NULL;
    size_t bytes = 0;
    assert_int_equal(vt_mcp_message(mcp, session, text, strlen(text), NULL, &reply, &bytes, NULL),
                     0);
    if (reply == NULL) {
        return NULL;
    }
    assert_int_equal(strlen(reply), bytes);
    assert_null(strchr(reply, '\n'));
    json_t *parsed = json_loads(reply, 0, NULL);
    assert_non_null(parsed);
    free(reply);
    return parsed;
}

static void run_golden(struct vt_mcp *mcp, const char *name)
{
    struct vt_mcp_session session = {0};
    char path[4096], *line = NULL, *message = NULL;
    size_t room = 0;
    unsigned number = 0, checked = 0;
    snprintf(path, sizeof path, "%s/%s", golden, name);
    FILE *file = fopen(path, "r");
    assert_non_null(file);
    while (getline(&line, &room, file) > 0) {
        number++;
        line[strcspn(line, "\n")] = '\0';
        if (line[0] == '>') {
            free(message);
            message = expand(line + 2);
        } else if (line[0] == '<' || line[0] == '=') {
            char *expanded = expand(line + 2);
            json_t *got = say(mcp, &session, message);
            json_t *want = line[0] == '<' ? json_loads(expanded, 0, NULL) : NULL;
            assert_true((line[0] == '<') == (want != NULL));
            if (want == NULL ? got != NULL : !fits(want, got)) {
                char *shown = got != NULL ? json_dumps(got, JSON_COMPACT) : NULL;
                fail_msg("%s:%u\n  message: %s\n  want:    %s\n  got:     %s", name, number,
                         message, expanded, shown != NULL ? shown : "nothing");
            }
            json_decref(got);
            json_decref(want);
            free(expanded);
            checked++;
        }
    }
    assert_true(checked > 10);
    free(message);
    free(line);
    fclose(file);
}

static void modern(void **state)
{
    run_golden(*state, "modern.txt");
}

static void legacy(void **state)
{
    run_golden(*state, "legacy.txt");
}

static json_t *call(struct vt_mcp *mcp, const char *tool, bool may_change)
{
    struct vt_mcp_session session = {.version = "2025-11-25", .may_change = may_change};
    char text[300];
    snprintf(
        text, sizeof text,
        "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"tools/call\",\"params\":{\"name\":\"%s\"}}",
        tool);
    return say(mcp, &session, text);
}

static void long_results_are_cut(void **state)
{
    fake_rows = 50000;
    json_t *reply = call(*state, "many", false);
    const json_t *result = json_object_get(reply, "result");
    const json_t *object = json_object_get(result, "structuredContent");
    char *dump = json_dumps(object, JSON_COMPACT | JSON_REAL_PRECISION(16));
    size_t rows = json_array_size(json_object_get(object, "rows"));
    char want[80];
    assert_in_range(strlen(dump), 32 << 10, 65 << 10);
    assert_in_range(rows, 1000, 10000);
    for (size_t i = 0; i < rows; i++) {
        const json_t *row = json_array_get(json_object_get(object, "rows"), i);
        assert_int_equal(json_integer_value(json_object_get(row, "pid")), i);
    }
    snprintf(want, sizeof want, "rows: the first %zu of 50000. Narrow it with pid, limit", rows);
    const char *cut = json_string_value(json_object_get(object, "cut"));
    assert_non_null(cut);
    assert_memory_equal(cut, want, strlen(want));
    const json_t *text = json_array_get(json_object_get(result, "content"), 0);
    assert_string_equal(json_string_value(json_object_get(text, "text")), dump);
    free(dump);
    json_decref(reply);
}

static void numbers_are_as_written(void **state)
{
    json_t *reply = call(*state, "many", false);
    const json_t *content = json_object_get(json_object_get(reply, "result"), "content");
    const json_t *text = json_object_get(json_array_get(content, 0), "text");
    assert_non_null(strstr(json_string_value(text), "\"load\":0.1}"));
    json_decref(reply);
}

static const char *said(const json_t *reply)
{
    const json_t *result = json_object_get(reply, "result");
    assert_true(json_is_true(json_object_get(result, "isError")));
    const json_t *content = json_array_get(json_object_get(result, "content"), 0);
    return json_string_value(json_object_get(content, "text"));
}

static void several_vms_want_a_name(void **state)
{
    fake_vms = 2;
    json_t *reply = call(*state, "many", false);
    assert_string_equal(said(reply), "there are 2 VMs; say which in \"vm\": [\"a\",\"b\"]");
    json_decref(reply);
    fake_vms = 0;
    reply = call(*state, "many", false);
    assert_string_equal(said(reply), "no VM is running here");
    json_decref(reply);
}

static void changes_want_permission(void **state)
{
    json_t *reply = call(*state, "mark", false);
    assert_non_null(strstr(said(reply), "token"));
    json_decref(reply);
    reply = call(*state, "mark", true);
    assert_true(json_is_false(json_object_get(json_object_get(reply, "result"), "isError")));
    json_decref(reply);
}

static void a_vm_without_a_kernel_has_a_machine(void **state)
{
    struct vt_mcp_session session = {.version = "2025-11-25"};
    fake_no_kernel = true;
    json_t *reply = say(*state, &session,
                        "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"resources/read\",\"params\":"
                        "{\"uri\":\"vitrine://vm/a\"}}");
    const json_t *contents = json_object_get(json_object_get(reply, "result"), "contents");
    const char *text = json_string_value(json_object_get(json_array_get(contents, 0), "text"));
    assert_non_null(strstr(text, "\"machine\": {"));
    assert_non_null(strstr(text, "\"why\": \"there is no kernel to be found\""));
    json_decref(reply);
}

static void who_only_looks_is_offered_no_more(void **state)
{
    struct vt_mcp_session session = {.version = "2025-11-25"};
    struct vt_mcp *mcp;
    (void)state;
    fake_read_only = true;
    assert_int_equal(vt_mcp_create(NULL, &mcp, NULL), 0);
    json_t *reply = say(mcp, &session, "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"tools/list\"}");
    const json_t *tools = json_object_get(json_object_get(reply, "result"), "tools");
    assert_int_equal(json_array_size(tools), 5); /* mark is missing */
    json_decref(reply);
    reply = call(mcp, "mark", false);
    assert_string_equal(said(reply), "mark: this server only looks");
    json_decref(reply);
    vt_mcp_destroy(mcp);
    fake_read_only = false;
}

static void tools_say_what_they_take(void **state)
{
    struct vt_mcp_session session = {.version = "2025-11-25"};
    json_t *reply =
        say(*state, &session, "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"tools/list\"}");
    const json_t *tools = json_object_get(json_object_get(reply, "result"), "tools");
    assert_int_equal(json_array_size(tools), 6); /* vm_info and live_modules are none */
    for (size_t i = 0; i < json_array_size(tools); i++) {
        const json_t *tool = json_array_get(tools, i);
        const char *name = json_string_value(json_object_get(tool, "name"));
        const json_t *input = json_object_get(tool, "inputSchema");
        const json_t *hints = json_object_get(tool, "annotations");
        assert_string_equal(json_string_value(json_object_get(input, "type")), "object");
        assert_null(json_object_get(input, "required"));
        assert_int_equal(json_is_true(json_object_get(hints, "readOnlyHint")),
                         strcmp(name, "mark") != 0);
        assert_true(json_is_false(json_object_get(hints, "openWorldHint")));
        assert_int_equal(json_object_get(tool, "outputSchema") != NULL, strcmp(name, "shot") != 0);
    }
    json_decref(reply);
}

/* A list longer than a page comes in pages, each item once. */
static void lists_have_pages(void **state)
{
    fake_vms = 130;
    struct vt_mcp_session session = {.version = "2025-11-25"};
    char cursor[64] = "", text[200];
    size_t seen = 0, pages = 0;
    do {
        snprintf(text, sizeof text,
                 "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"resources/list\",\"params\":{%s%s%s}}",
                 cursor[0] != '\0' ? "\"cursor\":\"" : "", cursor, cursor[0] != '\0' ? "\"" : "");
        json_t *reply = say(*state, &session, text);
        const json_t *result = json_object_get(reply, "result");
        const json_t *next = json_object_get(result, "nextCursor");
        seen += json_array_size(json_object_get(result, "resources"));
        pages++;
        snprintf(cursor, sizeof cursor, "%s", next != NULL ? json_string_value(next) : "");
        json_decref(reply);
    } while (cursor[0] != '\0');
    assert_int_equal(seen, 260);
    assert_int_equal(pages, 3);
}

/* ---------------------------------------------------------------- HTTP */

#define DISCOVER                                                                                   \
    "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"server/discover\",\"params\":{\"_meta\":" META "}" \
    "}"
#define CALL(name)                                                                                 \
    "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"tools/call\",\"params\":{\"name\":\"" name         \
    "\",\"_meta\":" META "}}"
#define NEW "2026-07-28"
#define JSON "application/json"

static const struct http_case {
    const char *method, *version, *mcp_method, *mcp_name, *type, *accept, *body;
    unsigned status;
    int code; /* of the error in the body; 0: a result; 1: no body */
} http_cases[] = {
    {"GET", NULL, NULL, NULL, NULL, "text/event-stream", "", 405, 1},
    {"DELETE", NULL, NULL, NULL, NULL, NULL, "", 405, 1},
    {"POST", NEW, "server/discover", NULL, "text/plain", NULL, DISCOVER, 415, 1},
    {"POST", NEW, "server/discover", NULL, NULL, NULL, DISCOVER, 415, 1},
    {"POST", NEW, "server/discover", NULL, JSON, "text/html", DISCOVER, 406, 1},
    {"POST", NEW, "server/discover", NULL, JSON "; charset=utf-8", JSON ", text/event-stream",
     DISCOVER, 200, 0},
    {"POST", " " NEW "\t", " server/discover ", NULL, JSON, "*/*", DISCOVER, 200, 0},
    {"POST", NULL, "server/discover", NULL, JSON, NULL, DISCOVER, 400, -32020},
    {"POST", "2025-11-25", "server/discover", NULL, JSON, NULL, DISCOVER, 400, -32020},
    {"POST", NEW, NULL, NULL, JSON, NULL, DISCOVER, 400, -32020},
    {"POST", NEW, "Server/Discover", NULL, JSON, NULL, DISCOVER, 400, -32020},
    {"POST", NEW, "tools/call", "list_vms", JSON, NULL, CALL("list_vms"), 200, 0},
    {"POST", NEW, "tools/call", NULL, JSON, NULL, CALL("list_vms"), 400, -32020},
    {"POST", NEW, "tools/call", "ask", JSON, NULL, CALL("list_vms"), 400, -32020},
    {"POST", NEW, "tools/call", "=?base64?bGlzdF92bXM=?=", JSON, NULL, CALL("list_vms"), 200, 0},
    {"POST", NEW, "tools/call", "=?base64?bGlzdF92bXM?=", JSON, NULL, CALL("list_vms"), 400,
     -32020},
    {"POST", NEW, "tools/call", "=?base64?!!!!?=", JSON, NULL, CALL("list_vms"), 400, -32020},
    {"POST", NEW, "tools/call", "=?base64?w6k=?=", JSON, NULL, CALL("é"), 200, -32602},
    {"POST", NEW, "tools/call", "é", JSON, NULL, CALL("é"), 400, -32020},
    {"POST", NEW, "tools/call", "=?base64?YQBi?=", JSON, NULL, CALL("a"), 400, -32020},
    {"POST", NEW, "tools/call",
     "=?base64?"
     "?=",
     JSON, NULL, CALL(""), 200, -32602},
    {"POST", NEW, "nonsense", NULL, JSON, NULL,
     "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"nonsense\",\"params\":{\"_meta\":" META "}}", 404,
     -32601},
    {"POST", NEW, "ping", NULL, JSON, NULL, "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"ping\"}",
     400, -32602},
    {"POST", "v9", "ping", NULL, JSON, NULL,
     "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"ping\",\"params\":{\"_meta\":"
     "{\"io.modelcontextprotocol/protocolVersion\":\"v9\","
     "\"io.modelcontextprotocol/clientCapabilities\":{}}}}",
     400, -32022},
    {"POST", NEW, NULL, NULL, JSON, NULL, "{\"jsonrpc\":\"2.0\",\"method\":\"notifications/x\"}",
     202, 1},
    {"POST", NEW, NULL, NULL, JSON, NULL, "{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{}}", 400,
     -32600},
    {"POST", NEW, NULL, NULL, JSON, NULL, "[" DISCOVER "]", 400, -32600},
    {"POST", NEW, NULL, NULL, JSON, NULL, "{", 400, -32700},
    {"POST", NEW, NULL, NULL, JSON, NULL, "", 400, -32700},
    {"POST", NEW, NULL, NULL, JSON, NULL, "{\"jsonrpc\":\"2.0\"}", 400, -32600},
    /* legacy: no session is needed */
    {"POST", NULL, NULL, NULL, JSON, NULL,
     "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"initialize\",\"params\":{\"protocolVersion\":"
     "\"2025-11-25\",\"capabilities\":{},\"clientInfo\":{}}}",
     200, 0},
    {"POST", "2025-11-25", NULL, NULL, JSON, NULL,
     "{\"jsonrpc\":\"2.0\",\"method\":\"notifications/initialized\"}", 202, 1},
    {"POST", "2025-11-25", NULL, NULL, JSON, NULL,
     "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"tools/list\"}", 200, 0},
    {"POST", NULL, NULL, NULL, JSON, NULL, "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"ping\"}",
     200, 0},
    {"POST", "2025-06-18", NULL, NULL, JSON, NULL,
     "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"nonsense\"}", 200, -32601},
    {"POST", "2025-06-18", NULL, NULL, JSON, NULL, "{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{}}",
     202, 1},
    {"POST", "2025-06-18", NULL, NULL, JSON, NULL,
     "[{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"ping\"}]", 400, -32600},
    {"POST", NULL, NULL, NULL, JSON, NULL, "[{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"ping\"}]",
     200, 0},
    {"POST", "1999-01-01", NULL, NULL, JSON, NULL,
     "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"ping\"}", 400, -32602},
};

static void http(void **state)
{
    for (size_t i = 0; i < sizeof http_cases / sizeof http_cases[0]; i++) {
        const struct http_case *c = &http_cases[i];
        const struct vt_mcp_http_request request = {.method = c->method,
                                                    .protocol_version = c->version,
                                                    .mcp_method = c->mcp_method,
                                                    .mcp_name = c->mcp_name,
                                                    .content_type = c->type,
                                                    .accept = c->accept,
                                                    .body = c->body,
                                                    .bytes = strlen(c->body)};
        struct vt_mcp_http_reply reply = {0};
        assert_int_equal(vt_mcp_http(*state, &request, &reply, NULL), 0);
        json_t *body = reply.body != NULL ? json_loadb(reply.body, reply.bytes, 0, NULL) : NULL;
        const json_t *error = json_object_get(body, "error");
        int code = body == NULL    ? 1
                   : error != NULL ? (int)json_integer_value(json_object_get(error, "code"))
                                   : 0;
        if (reply.status != c->status || code != c->code) {
            fail_msg("case %zu (%s, %s): status %u, want %u; code %d, want %d", i,
                     c->version != NULL ? c->version : "no version", c->body, reply.status,
                     c->status, code, c->code);
        }
        assert_int_equal(reply.content_type != NULL, body != NULL);
        assert_int_equal(reply.allow != NULL, reply.status == 405);
        json_decref(body);
        free(reply.body);
    }
}

int main(int argc, char **argv)
{
    assert_int_equal(argc, 2);
    golden = argv[1];
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(modern, setup, teardown),
        cmocka_unit_test_setup_teardown(legacy, setup, teardown),
        cmocka_unit_test_setup_teardown(long_results_are_cut, setup, teardown),
        cmocka_unit_test_setup_teardown(numbers_are_as_written, setup, teardown),
        cmocka_unit_test_setup_teardown(several_vms_want_a_name, setup, teardown),
        cmocka_unit_test_setup_teardown(changes_want_permission, setup, teardown),
        cmocka_unit_test_setup_teardown(a_vm_without_a_kernel_has_a_machine, setup, teardown),
        cmocka_unit_test_setup_teardown(who_only_looks_is_offered_no_more, setup, teardown),
        cmocka_unit_test_setup_teardown(tools_say_what_they_take, setup, teardown),
        cmocka_unit_test_setup_teardown(lists_have_pages, setup, teardown),
        cmocka_unit_test_setup_teardown(http, setup, teardown),
    };
    return cmocka_run_group_tests_name("mcp", tests, NULL, NULL);
}
