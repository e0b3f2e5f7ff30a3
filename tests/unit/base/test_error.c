/* tests/unit/base/test_error.c - what a failure holds, and that its message is one harmless line.
 */
#include "tests/unit/harness.h"

#include "vitrine/base.h"

#include <errno.h>
#include <string.h>

static void holds_code_errno_and_text(void **state)
{
    (void)state;
    struct vt_error err;
    memset(&err, 0xff, sizeof err);
    assert_int_equal(vt_fail(&err, VT_E_GONE, "VM %s: %d", "a", 7), VT_E_GONE);
    assert_int_equal(err.code, VT_E_GONE);
    assert_string_equal(err.message, "VM a: 7");
    assert_int_equal(err.sys_errno, 0);
    assert_int_equal(err.addr | err.len | err.max, 0);

    assert_int_equal(vt_fail_errno(&err, VT_E_IO, EIO, "/x"), VT_E_IO);
    assert_int_equal(err.sys_errno, EIO);
    assert_string_equal(err.message, "/x: Input/output error");
}

static void holds_the_range(void **state)
{
    (void)state;
    struct vt_error err;
    assert_int_equal(vt_fail_addr(&err, "physical address", UINT64_MAX, 16, 0x8000000), VT_E_ADDR);
    assert_int_equal(err.addr, UINT64_MAX);
    assert_int_equal(err.len, 16);
    assert_int_equal(err.max, 0x8000000);
    assert_string_equal(err.message, "invalid physical address 0xffffffffffffffff (length 0x10, "
                                     "valid below 0x8000000)");
}

static void null_is_fine(void **state)
{
    (void)state;
    assert_int_equal(vt_fail(NULL, VT_E_INVAL, "x"), VT_E_INVAL);
    assert_int_equal(vt_fail_errno(NULL, VT_E_IO, EIO, "x"), VT_E_IO);
    assert_int_equal(vt_fail_addr(NULL, "address", 1, 2, 3), VT_E_ADDR);
}

static void long_texts_are_cut(void **state)
{
    (void)state;
    struct vt_error err;
    char text[2 * VT_ERROR_MESSAGE_MAX];
    memset(text, 'a', sizeof text - 1);
    text[sizeof text - 1] = '\0';
    vt_fail_errno(&err, VT_E_IO, EIO, "%s", text);
    assert_int_equal(strlen(err.message), VT_ERROR_MESSAGE_MAX - 1);
    /* Cut in the middle of a character: no half of it stays. */
    for (size_t i = 0; i + 2 < sizeof text; i += 2) {
        memcpy(text + i, "\u00e9", 2);
    }
    vt_fail(&err, VT_E_IO, "%s", text);
    assert_int_equal(strlen(err.message), VT_ERROR_MESSAGE_MAX - 1);
    assert_string_equal(err.message + VT_ERROR_MESSAGE_MAX - 4, "\u00e9 ");
}

static void a_peer_cannot_steer_the_terminal(void **state)
{
    (void)state;
    struct vt_error err;
    vt_fail(&err, VT_E_REFUSED, "%s", "a\nb\033[2Jc\177d\302\233e\233f\342\200\256g\303\251");
    assert_string_equal(err.message, "a b [2Jc d  e f   g\303\251");
}

static void codes_of_errnos(void **state)
{
    (void)state;
    static const struct {
        int sys_errno;
        enum vt_code code;
    } rows[] = {
        {0, VT_OK},
        {ENOENT, VT_E_NOT_FOUND},
        {ENOTDIR, VT_E_NOT_FOUND},
        {ESRCH, VT_E_NOT_FOUND},
        {EACCES, VT_E_PERM},
        {EPERM, VT_E_PERM},
        {EROFS, VT_E_PERM},
        {ENOMEM, VT_E_NOMEM},
        {EEXIST, VT_E_EXISTS},
        {EAGAIN, VT_E_BUSY},
        {EBUSY, VT_E_BUSY},
        {EADDRINUSE, VT_E_BUSY},
        {ECONNREFUSED, VT_E_GONE},
        {ECONNRESET, VT_E_GONE},
        {EPIPE, VT_E_GONE},
        {ETIMEDOUT, VT_E_TIMEOUT},
        {EINTR, VT_E_INTERRUPTED},
        {ENOSYS, VT_E_UNSUPPORTED},
        {EOPNOTSUPP, VT_E_UNSUPPORTED},
        {EINVAL, VT_E_INVAL},
        {ENAMETOOLONG, VT_E_INVAL},
        {ENOSPC, VT_E_IO},
        {EIO, VT_E_IO},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        assert_int_equal(vt_code_of_errno(rows[i].sys_errno), rows[i].code);
    }
}

static void every_code_has_a_name(void **state)
{
    (void)state;
    for (int a = VT_OK; a >= VT_E_NOT_PRESENT; a--) {
        const char *name = vt_code_name((enum vt_code)a);
        assert_string_not_equal(name, "unknown error");
        for (int b = VT_OK; b > a; b--) {
            assert_string_not_equal(name, vt_code_name((enum vt_code)b));
        }
    }
    assert_string_equal(vt_code_name((enum vt_code)(VT_E_NOT_PRESENT - 1)), "unknown error");
    assert_string_equal(vt_code_name((enum vt_code)1), "unknown error");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(holds_code_errno_and_text),
        cmocka_unit_test(holds_the_range),
        cmocka_unit_test(null_is_fine),
        cmocka_unit_test(long_texts_are_cut),
        cmocka_unit_test(a_peer_cannot_steer_the_terminal),
        cmocka_unit_test(codes_of_errnos),
        cmocka_unit_test(every_code_has_a_name),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
