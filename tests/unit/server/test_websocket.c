/* The WebSocket handshake, against the example of RFC 6455 (1.3), and what is refused. */
#include "tests/unit/harness.h"

#include "server/websocket.h"

#include <string.h>

#define KEY "dGhlIHNhbXBsZSBub25jZQ=="

static void the_example_of_the_rfc(void **state)
{
    const struct vt_ws_request request = {.upgrade = "websocket",
                                          .connection = "Upgrade",
                                          .version = "13",
                                          .key = KEY,
                                          .protocol = "chat, vitrine.events.v1",
                                          .http_1_1 = true};
    char accept[VT_WS_ACCEPT_MAX];
    const char *protocol = NULL;
    (void)state;
    assert_int_equal(vt_ws_handshake(&request, accept, &protocol), 101);
    assert_string_equal(accept, "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
    assert_string_equal(protocol, VT_WS_SUBPROTOCOL);
}

static void handshakes(void **state)
{
    static const struct {
        struct vt_ws_request request;
        unsigned status;
    } table[] = {
        {{"websocket", "Upgrade", "13", KEY, NULL, true}, 101},
        {{"WebSocket", "keep-alive, upgrade", "13", KEY, NULL, true}, 101},
        {{"h2c, websocket", "keep-alive ,\tUpgrade ", "13", KEY, NULL, true}, 101},
        {{"websocket", "Upgrade", "13", KEY, NULL, false}, 400},
        {{NULL, "Upgrade", "13", KEY, NULL, true}, 426},
        {{"websocket", "Upgrade", NULL, KEY, NULL, true}, 426},
        {{"websocket", "Upgrade", "8", KEY, NULL, true}, 426},
        {{"websockets", "Upgrade", "13", KEY, NULL, true}, 400},
        {{"websocket", "close", "13", KEY, NULL, true}, 400},
        {{"websocket", "upgraded", "13", KEY, NULL, true}, 400},
        {{"websocket", NULL, "13", KEY, NULL, true}, 400},
        {{"websocket", "Upgrade", "13", NULL, NULL, true}, 400},
        {{"websocket", "Upgrade", "13", "", NULL, true}, 400},
        {{"websocket", "Upgrade", "13", "dGhlIHNhbXBsZSBub25jZQ", NULL, true}, 400},
        {{"websocket", "Upgrade", "13", "dGhlIHNhbXBsZSBub25jZSEh", NULL, true}, 400},
        {{"websocket", "Upgrade", "13", "????????????????????????", NULL, true}, 400},
        {{"websocket", "Upgrade", "13", KEY, "chat", true}, 400},
        {{"websocket", "Upgrade", "13", KEY, "Vitrine.events.v1", true}, 400},
        {{"websocket", "Upgrade", "13", KEY, "vitrine.events.v10", true}, 400},
        {{"websocket", "Upgrade", "13", KEY, "", true}, 400},
    };
    (void)state;
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        char accept[VT_WS_ACCEPT_MAX];
        const char *protocol = "unset";
        unsigned status = vt_ws_handshake(&table[i].request, accept, &protocol);
        if (status != table[i].status) {
            fail_msg("handshake %zu: %u", i, status);
        }
        assert_true(status != 101 || protocol == NULL);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_example_of_the_rfc),
        cmocka_unit_test(handshakes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
