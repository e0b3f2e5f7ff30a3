/* Addresses to listen at, and whose a Unix socket is. */
#include "tests/unit/harness.h"

#include "base/io.h"
#include "server/listen.h"

#include <string.h>
#include <sys/stat.h>

static void addresses(void **state)
{
    static const struct {
        const char *text;
        int family; /* 0: refused */
        bool loopback;
    } table[] = {
        {"127.0.0.1:8487", AF_INET, true},
        {"127.1.2.3:0", AF_INET, true},
        {"0.0.0.0:80", AF_INET, false},
        {"10.0.0.1:65535", AF_INET, false},
        {"[::1]:1", AF_INET6, true},
        {"[::]:1", AF_INET6, false},
        {"[fe80::1]:80", AF_INET6, false},
        {"", 0, false},
        {"127.0.0.1", 0, false},
        {":80", 0, false},
        {"127.0.0.1:", 0, false},
        {"127.0.0.1:65536", 0, false},
        {"127.0.0.1:-1", 0, false},
        {"127.0.0.1:0x50", 0, false},
        {"localhost:80", 0, false},
        {"::1:80", 0, false},
        {"[::1:80", 0, false},
        {"[127.0.0.1]:80", 0, false},
        {"127.1:80", 0, false},
        {"[]:80", 0, false},
    };
    (void)state;
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        struct sockaddr_storage addr = {0};
        int rc = vt_listen_parse(table[i].text, &addr, NULL);
        if (rc != (table[i].family != 0 ? 0 : VT_E_INVAL) || addr.ss_family != table[i].family ||
            (rc == 0 &&
             vt_listen_is_loopback((const struct sockaddr *)&addr) != table[i].loopback)) {
            fail_msg("%s: %d", table[i].text, rc);
        }
    }
}

static void one_server_a_socket(void **state)
{
    struct vt_listeners first = {0}, second = {0};
    struct vt_error err;
    struct stat st;
    char path[512];
    snprintf(path, sizeof path, "%s/runtime", (const char *)*state);
    assert_int_equal(setenv("VITRINE_RUNTIME_DIR", path, 1), 0);
    snprintf(path, sizeof path, "%s/s.sock", (const char *)*state);
    assert_int_equal(vt_listen_unix(&first, path, &err), 0);
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
    assert_int_equal(first.all[0].peer, VT_PEER_OWNER);
    assert_int_equal(vt_listen_unix(&second, path, &err), VT_E_BUSY);
    assert_int_equal(second.n, 0);
    /* Whoever is killed leaves the file behind, and nobody listens there. */
    first.all[0].unlink = false;
    vt_listen_close(&first);
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(vt_listen_unix(&second, path, &err), 0);
    vt_listen_close(&second);
    assert_int_not_equal(stat(path, &st), 0);
    /* What is no socket stays. */
    assert_int_equal(vt_write_file_atomic(path, "x", 1, 0600, NULL), 0);
    assert_int_equal(vt_listen_unix(&second, path, &err), VT_E_EXISTS);
    assert_int_equal(stat(path, &st), 0);
}

static void ports(void **state)
{
    struct vt_listeners all = {0};
    struct sockaddr_storage addr;
    struct vt_error err;
    (void)state;
    assert_int_equal(vt_listen_parse("127.0.0.1:0", &addr, &err), 0);
    assert_int_equal(vt_listen_tcp(&all, &addr, &err), 0);
    assert_int_equal(all.all[0].peer, VT_PEER_LOCAL);
    assert_int_equal(strncmp(all.all[0].url, "http://127.0.0.1:", 17), 0);
    assert_string_not_equal(all.all[0].url, "http://127.0.0.1:0");
    assert_int_equal(vt_listen_parse(all.all[0].url + 7, &addr, &err), 0);
    assert_int_equal(vt_listen_tcp(&all, &addr, &err), VT_E_BUSY);
    assert_int_equal(vt_listen_parse("192.0.2.1:0", &addr, &err), 0); /* RFC 5737: nobody's */
    assert_int_equal(vt_listen_tcp(&all, &addr, &err), VT_E_NOT_FOUND);
    assert_int_equal(all.n, 1);
    int idle = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_true(idle >= 0);
    assert_int_equal(vt_listen_adopt(&all, idle, &err), VT_E_INVAL);
    vt_listen_close(&all);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(addresses),
        vt_test_in_dir(one_server_a_socket),
        cmocka_unit_test(ports),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
