/* Roles: which programs play them, under the names the kernel has for them. */
#include "tests/unit/harness.h"

#include "semantic/roles.h"

#include <string.h>

static bool played(const char *role, const char *program, const char *arguments)
{
    const struct vt_role *found = vt_role_find(role);
    assert_non_null(found);
    return vt_role_played(found, program, arguments);
}

static void programs_by_name(void **state)
{
    (void)state;
    assert_true(played("ssh", "sshd", "sshd: /usr/sbin/sshd -D [listener] 0 of 10-100 startups"));
    assert_true(played("ssh", "dropbear", NULL));
    assert_false(played("ssh", "ssh", "ssh guest")); /* the client serves nobody */
    assert_false(played("ssh", "sshdx", NULL));
    assert_false(played("ssh", "", ""));
    assert_true(played("database", "mariadbd", NULL));
    assert_true(played("web", "php-fpm8.2", NULL));
    assert_true(played("shell", "ash", "-ash"));
    assert_true(played("dns", "dnsmasq", NULL) && played("dhcp", "dnsmasq", NULL));
}

static void names_the_kernel_cut(void **state)
{
    (void)state;
    assert_true(played("log", "systemd-journal", NULL));
    assert_true(played("dns", "systemd-resolve", NULL));
    assert_false(played("dns", "systemd-resolv", NULL));
    assert_false(played("log", "systemd-resolve", NULL));
}

static void names_that_say_nothing(void **state)
{
    (void)state;
    assert_true(played("web", "busybox", "busybox httpd -f -p 80"));
    assert_true(played("web", "busybox", "/bin/busybox  httpd"));
    assert_false(played("web", "busybox", "busybox httpdx"));
    assert_false(played("web", "busybox", "busybox"));
    assert_false(played("web", "busybox", NULL));
    assert_true(played("web", "python3", "python3 -m http.server 8000"));
    assert_false(played("web", "python3", "python3 train.py"));
    assert_true(played("mail", "master", "/usr/lib/postfix/sbin/master -w"));
    assert_true(
        played("database", "java", "java -Xmx1g org.elasticsearch.bootstrap.Elasticsearch"));
}

static void a_program_has_a_role(void **state)
{
    (void)state;
    assert_string_equal(vt_role_of_program("nginx")->name, "web");
    assert_string_equal(vt_role_of_program("dnsmasq")->name, "dns");
    assert_string_equal(vt_role_of_program("systemd")->name, "init");
    assert_null(vt_role_of_program("frobnicator"));
    assert_null(vt_role_of_program(""));
    assert_null(vt_role_find("toaster"));
}

static void ports(void **state)
{
    (void)state;
    assert_true(vt_role_serves(vt_role_find("ssh"), 22, VT_ROLE_TCP));
    assert_false(vt_role_serves(vt_role_find("ssh"), 22, VT_ROLE_UDP));
    assert_true(vt_role_serves(vt_role_find("dns"), 53, VT_ROLE_UDP));
    assert_false(vt_role_serves(vt_role_find("shell"), 22, VT_ROLE_TCP | VT_ROLE_UDP));
    assert_false(vt_role_serves(vt_role_find("ssh"), 0, VT_ROLE_TCP));
}

static void the_table_is_sound(void **state)
{
    (void)state;
    for (const struct vt_role *role = vt_roles; role->name != NULL; role++) {
        assert_true(strlen(role->name) < 32 && role->title[0] != '\0' && role->noun[0] != '\0');
        assert_ptr_equal(vt_role_find(role->name), role);
        for (const char *const *name = role->programs; *name != NULL; name++) {
            const char *star = strchr(*name, '*');
            assert_true(**name != '\0' && (star == NULL || (star[1] == '\0' && star - *name > 1)));
            for (const char *const *other = role->programs; other < name; other++) {
                assert_string_not_equal(*other, *name);
            }
        }
        for (const struct vt_role_port *p = role->ports; p != NULL && p->port != 0; p++) {
            assert_in_range(p->protocols, 1, VT_ROLE_TCP | VT_ROLE_UDP);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(programs_by_name),
        cmocka_unit_test(names_the_kernel_cut),
        cmocka_unit_test(names_that_say_nothing),
        cmocka_unit_test(a_program_has_a_role),
        cmocka_unit_test(ports),
        cmocka_unit_test(the_table_is_sound),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
