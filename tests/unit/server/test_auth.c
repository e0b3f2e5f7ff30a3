/* Who may ask: the token, Host and Origin. */
#include "tests/unit/harness.h"

#include "base/io.h"
#include "server/auth.h"

#include <string.h>
#include <sys/stat.h>

static void tokens_are_long_and_differ(void **state)
{
    char a[VT_TOKEN_MAX + 1], b[VT_TOKEN_MAX + 1];
    (void)state;
    assert_int_equal(vt_token_make(a, NULL), 0);
    assert_int_equal(vt_token_make(b, NULL), 0);
    assert_int_equal(strlen(a), 64);
    assert_int_equal(strspn(a, "0123456789abcdef"), 64);
    assert_string_not_equal(a, b);
}

static void put(const char *path, const char *text, mode_t mode)
{
    assert_int_equal(vt_write_file_atomic(path, text, strlen(text), mode, NULL), 0);
    assert_int_equal(chmod(path, mode), 0);
}

static void token_files(void **state)
{
    char path[512], token[VT_TOKEN_MAX + 1] = "as it was";
    char longest[VT_TOKEN_MAX + 2];
    struct vt_error err;
    snprintf(path, sizeof path, "%s/token", (const char *)*state);
    assert_int_equal(vt_token_load(path, token, &err), VT_E_NOT_FOUND);
    static const char *const bad[] = {"", "short", "has a blank in it....",
                                      "two lines of text\nof a token\n", "0123456789abcde\t"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        put(path, bad[i], 0600);
        assert_int_equal(vt_token_load(path, token, &err), VT_E_INVAL);
    }
    memset(longest, 'x', sizeof longest - 1);
    longest[sizeof longest - 1] = '\0';
    put(path, longest, 0600);
    assert_int_not_equal(vt_token_load(path, token, &err), 0);
    put(path, "0123456789abcdef\n", 0640);
    assert_int_equal(vt_token_load(path, token, &err), VT_E_PERM);
    assert_string_equal(token, "as it was");
    put(path, "0123456789abcdef\n", 0600);
    assert_int_equal(vt_token_load(path, token, &err), 0);
    assert_string_equal(token, "0123456789abcdef");
}

static void showing_the_token(void **state)
{
    struct vt_auth auth = {.token = "0123456789abcdef"};
    static const struct {
        const char *header;
        bool shown;
    } table[] = {
        {NULL, false},
        {"", false},
        {"Bearer", false},
        {"Bearer ", false},
        {"Bearer 0123456789abcde", false},
        {"Bearer 0123456789abcdef0", false},
        {"Bearer 0123456789ABCDEF", false},
        {"Bearer 0123456789abcdef ", false},
        {"Basic 0123456789abcdef", false},
        {"0123456789abcdef", false},
        {"Bearer 0123456789abcdef", true},
        {"bearer  0123456789abcdef", true},
    };
    (void)state;
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        assert_int_equal(vt_auth_shows_token(&auth, table[i].header), table[i].shown);
    }
    auth.token[0] = '\0';
    assert_false(vt_auth_shows_token(&auth, "Bearer "));
}

static void hosts(void **state)
{
    static const char *const more[] = {"glass.example", "10.1.2.3", NULL};
    const struct vt_auth auth = {.hosts = more};
    static const struct {
        const char *host;
        unsigned status;
    } table[] = {
        {"localhost", 0},
        {"LocalHost:8487", 0},
        {"127.0.0.1", 0},
        {"127.0.0.1:1", 0},
        {"[::1]:65535", 0},
        {"glass.example:80", 0},
        {"GLASS.example", 0},
        {"10.1.2.3:8487", 0},
        {"192.0.2.7:8487", 0}, /* the address it came to */
        {"192.0.2.8", 421},
        {"evil.example", 421},
        {"localhost.evil.example", 421},
        {"localhost.", 421},
        {"127.0.0.1.evil.example:8487", 421},
        {"127.0.0.2", 421},
        {"[::2]", 421},
        {"2130706433", 421},
        {NULL, 400},
        {"", 400},
        {":80", 400},
        {"localhost:", 400},
        {"localhost:x", 400},
        {"localhost:123456", 400},
        {"localhost:80:80", 400},
        {"me@localhost", 400},
        {"localhost/", 400},
        {"localhost, localhost", 400},
        {"::1", 400},
        {"[::1", 400},
        {"[]", 400},
        {"[::1]x", 400},
        {"[localhost]", 400},
        {"local\xc3\xa9host", 400},
    };
    (void)state;
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        unsigned status = vt_auth_host(&auth, table[i].host, "192.0.2.7");
        if (status != table[i].status) {
            fail_msg("%s: %u, not %u", table[i].host, status, table[i].status);
        }
    }
    char longest[400];
    memset(longest, 'a', sizeof longest - 1);
    longest[sizeof longest - 1] = '\0';
    assert_int_equal(vt_auth_host(&auth, longest, NULL), 400);
    assert_int_equal(vt_auth_host(&auth, "192.0.2.7", NULL), 421);
}

static void origins(void **state)
{
    static const char *const more[] = {"https://glass.example", NULL};
    const struct vt_auth auth = {.origins = more};
    static const struct {
        const char *origin, *host;
        unsigned status;
    } table[] = {
        {NULL, "localhost:8487", 0},
        {"http://localhost:8487", "localhost:8487", 0},
        {"http://LOCALHOST:8487", "localhost:8487", 0},
        {"http://[::1]:8487", "[::1]:8487", 0},
        {"https://glass.example", "localhost:8487", 0},
        {"http://localhost", "localhost:8487", 403},
        {"http://localhost:8488", "localhost:8487", 403},
        {"https://localhost:8487", "localhost:8487", 403},
        {"http://127.0.0.1:8487", "localhost:8487", 403},
        {"http://glass.example", "localhost:8487", 403},
        {"https://glass.example.evil.example", "localhost:8487", 403},
        {"null", "localhost:8487", 403},
        {"", "localhost:8487", 403},
        {"http://", "localhost:8487", 403},
        {"file://", "localhost:8487", 403},
        {"http://localhost:8487, http://evil.example", "localhost:8487", 403},
    };
    (void)state;
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        unsigned status = vt_auth_origin(&auth, table[i].origin, table[i].host);
        if (status != table[i].status) {
            fail_msg("%s at %s: %u", table[i].origin, table[i].host, status);
        }
    }
}

static void who_may(void **state)
{
    struct vt_auth auth = {0};
    static const struct {
        enum vt_peer peer;
        enum vt_wants wants;
        bool shown;
        unsigned usual, always;
    } table[] = {
        {VT_PEER_OWNER, VT_WANTS_CHANGE, false, 0, 0},
        {VT_PEER_OWNER, VT_WANTS_READ, false, 0, 0},
        {VT_PEER_LOCAL, VT_WANTS_FILES, false, 0, 0},
        {VT_PEER_LOCAL, VT_WANTS_HEALTH, false, 0, 0},
        {VT_PEER_LOCAL, VT_WANTS_READ, false, 0, 401},
        {VT_PEER_LOCAL, VT_WANTS_CHANGE, false, 401, 401},
        {VT_PEER_LOCAL, VT_WANTS_CHANGE, true, 0, 0},
        {VT_PEER_LOCAL, VT_WANTS_READ, true, 0, 0},
        {VT_PEER_REMOTE, VT_WANTS_FILES, false, 0, 0},
        {VT_PEER_REMOTE, VT_WANTS_HEALTH, false, 401, 401},
        {VT_PEER_REMOTE, VT_WANTS_READ, false, 401, 401},
        {VT_PEER_REMOTE, VT_WANTS_CHANGE, false, 401, 401},
        {VT_PEER_REMOTE, VT_WANTS_CHANGE, true, 0, 0},
    };
    (void)state;
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        auth.always = false;
        assert_int_equal(vt_auth_may(&auth, table[i].peer, table[i].wants, table[i].shown),
                         table[i].usual);
        auth.always = true;
        assert_int_equal(vt_auth_may(&auth, table[i].peer, table[i].wants, table[i].shown),
                         table[i].always);
    }
}

static void the_token_as_a_subprotocol(void **state)
{
    static const struct vt_auth auth = {.token = "0123456789abcdef"}, none = {0};
    static const struct {
        const char *protocols;
        int found;
    } table[] = {
        {NULL, 0},
        {"", 0},
        {"vitrine.volume.v1", 0},
        {"vitrine.volume.v1, vitrine.token.0123456789abcdef", 1},
        {"vitrine.token.0123456789abcdef ,x", 1},
        {"vitrine.token.0123456789abcde", -1},
        {"vitrine.token.0123456789abcdef0", -1},
        {"vitrine.token.", -1},
        {"Vitrine.token.0123456789abcdef", 0},
        {"vitrine.token.0123456789abcdef, vitrine.token.x", -1},
        {"vitrine.token.x, vitrine.token.0123456789abcdef", -1},
    };
    (void)state;
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        assert_int_equal(vt_auth_offers_token(&auth, table[i].protocols), table[i].found);
    }
    assert_int_equal(vt_auth_offers_token(&none, "vitrine.token."), -1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tokens_are_long_and_differ),
        vt_test_in_dir(token_files),
        cmocka_unit_test(showing_the_token),
        cmocka_unit_test(hosts),
        cmocka_unit_test(origins),
        cmocka_unit_test(who_may),
        cmocka_unit_test(the_token_as_a_subprotocol),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
