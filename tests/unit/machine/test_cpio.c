/* test_cpio.c - the initramfs writer: order, parents, padding, and what it refuses. */
#include "tests/unit/harness.h"

#include "machine/cpio.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

struct blob {
    uint8_t *bytes;
    size_t size;
};

static void add(struct vt_cpio *c, const char *path, mode_t mode, const char *text)
{
    struct vt_error err;
    if (vt_cpio_add(c, path, mode, text, strlen(text), &err) != 0) {
        fail_msg("%s: %s", path, err.message);
    }
}

static struct blob finish(struct vt_cpio *c)
{
    struct blob b;
    struct vt_error err;
    assert_int_equal(vt_cpio_finish(c, &b.bytes, &b.size, &err), 0);
    vt_cpio_fini(c);
    return b;
}

static void same_bytes_in_any_order(void **state)
{
    (void)state;
    struct vt_cpio a, b;
    vt_cpio_init(&a);
    vt_cpio_init(&b);
    add(&a, "/bin/sh", S_IFLNK | 0777, "busybox");
    add(&a, "/bin-x", S_IFREG | 0644, "12345");
    add(&a, "/etc/motd", S_IFREG | 0644, "hello");
    add(&b, "/etc/motd", S_IFREG | 0644, "hello");
    add(&b, "/bin-x", S_IFREG | 0644, "12345");
    add(&b, "/bin/sh", S_IFLNK | 0777, "busybox");
    struct blob x = finish(&a), y = finish(&b);
    assert_int_equal(x.size, y.size);
    assert_memory_equal(x.bytes, y.bytes, x.size);
    free(x.bytes);
    free(y.bytes);
}

static unsigned field(const uint8_t *header, unsigned i)
{
    char text[9] = {0};
    memcpy(text, header + 6 + 8 * i, 8);
    return (unsigned)strtoul(text, NULL, 16);
}

/* Walks the archive as the kernel does and writes "path mode size data" lines. */
static char *listing(struct blob b)
{
    char *text;
    size_t n, at = 0;
    FILE *out = open_memstream(&text, &n);
    for (unsigned ino = 1;; ino++) {
        assert_true(at + 110 <= b.size);
        const uint8_t *h = b.bytes + at;
        assert_memory_equal(h, "070701", 6);
        unsigned size = field(h, 6), name_bytes = field(h, 11);
        const char *name = (const char *)h + 110;
        assert_int_equal(name[name_bytes - 1], '\0');
        const char *data = (const char *)b.bytes + ((at + 110 + name_bytes + 3) & ~(size_t)3);
        at = ((size_t)((const uint8_t *)data - b.bytes) + size + 3) & ~(size_t)3;
        if (strcmp(name, "TRAILER!!!") == 0) {
            break;
        }
        assert_int_equal(field(h, 0), ino);
        assert_int_equal(field(h, 2) | field(h, 3) | field(h, 5), 0); /* uid, gid, mtime */
        fprintf(out, "%s %o %u,%u %.*s\n", name, field(h, 1), field(h, 9), field(h, 10), (int)size,
                data);
    }
    assert_int_equal(at, b.size);
    fclose(out);
    return text;
}

static void parents_come_first(void **state)
{
    (void)state;
    struct vt_cpio c;
    vt_cpio_init(&c);
    add(&c, "/usr/lib/x", S_IFREG | 0755, "abc");
    add(&c, "/usr.old", S_IFREG | 0600, "");
    struct vt_error err;
    assert_int_equal(vt_cpio_add_device(&c, "/dev/console", S_IFCHR | 0600, 5, 1, &err), 0);
    struct blob b = finish(&c);
    char *text = listing(b);
    assert_string_equal(text, "dev 40755 0,0 \n"
                              "dev/console 20600 5,1 \n"
                              "usr 40755 0,0 \n"
                              "usr.old 100600 0,0 \n"
                              "usr/lib 40755 0,0 \n"
                              "usr/lib/x 100755 0,0 abc\n");
    free(text);
    free(b.bytes);
}

static void refuses_what_is_not_a_path(void **state)
{
    (void)state;
    static const char *const bad[] = {"", "/", "x", "/x/", "//x", "/a/../b", "/./a", "/a/."};
    struct vt_cpio c;
    struct vt_error err;
    vt_cpio_init(&c);
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        assert_int_equal(vt_cpio_add(&c, bad[i], S_IFREG, NULL, 0, &err), VT_E_INVAL);
    }
    add(&c, "/a", S_IFREG | 0644, "1");
    assert_int_equal(vt_cpio_add(&c, "/a", S_IFREG, NULL, 0, &err), VT_E_EXISTS);
    assert_true(vt_cpio_has(&c, "/a"));
    assert_false(vt_cpio_has(&c, "/b"));
    vt_cpio_fini(&c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(same_bytes_in_any_order),
        cmocka_unit_test(parents_come_first),
        cmocka_unit_test(refuses_what_is_not_a_path),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
