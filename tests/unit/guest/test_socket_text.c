/* tests/unit/guest/test_socket_text.c - addresses, paths and protocols of sockets as text.
 */
#include "tests/unit/harness.h"

#include "guest/linux/sockets.h"

#include <string.h>

static void test_addresses(void **state)
{
    static const uint8_t v4[4] = {127, 0, 0, 1};
    static const uint8_t v6[16] = {0x20, 0x01, 0x0d, 0xb8, [15] = 1};
    static const uint8_t mapped[16] = {[10] = 0xff, 0xff, 10, 9, 8, 7};
    char text[48];
    (void)state;
    vt_socket_address_text(v4, sizeof v4, text, sizeof text);
    assert_string_equal(text, "127.0.0.1");
    vt_socket_address_text(v6, sizeof v6, text, sizeof text);
    assert_string_equal(text, "2001:db8::1");
    vt_socket_address_text(mapped, sizeof mapped, text, sizeof text);
    assert_string_equal(text, "::ffff:10.9.8.7");
    vt_socket_address_text(v6, sizeof v6, text, 5); /* no room: nothing rather than a part */
    assert_string_equal(text, "");
}

static void expect_path(const char *bytes, size_t n, const char *want)
{
    char text[112];
    memset(text, 'x', sizeof text);
    vt_socket_path_text((const uint8_t *)bytes, n, text, sizeof text);
    assert_string_equal(text, want);
}

static void test_paths(void **state)
{
    char full[108], text[8];
    (void)state;
    expect_path("/run/x\0", 7, "/run/x");
    expect_path("/run/x", 6, "/run/x"); /* the zero is not always counted */
    expect_path("/run\0after", 10, "/run");
    expect_path("\0abstract", 9, "@abstract");
    expect_path("\0a\0b\0", 5, "@a@b@");
    expect_path("", 0, "");
    memset(full, 'p', sizeof full);
    vt_socket_path_text((const uint8_t *)full, sizeof full, text, sizeof text);
    assert_string_equal(text, "ppppppp");
}

static void expect_protocol(unsigned family, unsigned protocol, const char *want)
{
    char text[20];
    vt_socket_protocol_text(family, protocol, text, sizeof text);
    assert_string_equal(text, want);
}

static void test_protocols(void **state)
{
    (void)state;
    expect_protocol(2, 6, "tcp");
    expect_protocol(10, 58, "icmpv6");
    expect_protocol(2, 200, "200");
    expect_protocol(16, 0, "route");
    expect_protocol(16, 31, "31");
    expect_protocol(17, 0x0806, "arp");
    expect_protocol(17, 0, "none");
    expect_protocol(17, 0x1234, "0x1234");
    expect_protocol(1, 0, "unix");
    expect_protocol(40, 7, "7");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_addresses),
        cmocka_unit_test(test_paths),
        cmocka_unit_test(test_protocols),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
