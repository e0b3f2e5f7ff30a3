/* tests/unit/harness.h - cmocka with what it wants included before it, and a directory of one's
 * own.
 */
#ifndef VT_TESTS_HARNESS_H
#define VT_TESTS_HARNESS_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static inline int vt_test_remove_one(const char *path, const struct stat *st, int flag,
                                     struct FTW *where)
{
    (void)st;
    (void)flag;
    (void)where;
    return remove(path);
}

/** Setup and teardown: *state is the path of an empty directory, removed with all in it. */
static inline int vt_test_dir_setup(void **state)
{
    const char *top = getenv("TMPDIR");
    char *path = NULL;
    if (asprintf(&path, "%s/vitrine-test-XXXXXX", top != NULL ? top : "/tmp") < 0 ||
        mkdtemp(path) == NULL) {
        return -1;
    }
    *state = path;
    return 0;
}

static inline int vt_test_dir_teardown(void **state)
{
    int rc = nftw(*state, vt_test_remove_one, 8, FTW_DEPTH | FTW_PHYS);
    free(*state);
    return rc;
}

#define vt_test_in_dir(f)                                                                          \
    cmocka_unit_test_setup_teardown(f, vt_test_dir_setup, vt_test_dir_teardown)

#endif
