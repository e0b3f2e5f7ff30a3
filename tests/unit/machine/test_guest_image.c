/* test_guest_image.c - the default guest from the real Debian tree: the same bytes twice, two
 * builders at once, a broken cache mended, what is wanted besides, packed files; and what is said
 * when there is no tree. Skips (77)
 * where `tools/setup guest` did not run. */
#include "tests/unit/harness.h"

#include "base/io.h"
#include "base/paths.h"
#include "machine/guest_image.h"
#include "machine/guest_tree.h"

#include <dirent.h>
#include <ftw.h>
#include <lzma.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static char source[PATH_MAX];

struct fixture {
    char cache[64];
};

static int drop(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
    (void)st, (void)type, (void)ftw;
    return remove(path);
}

static int setup(void **state)
{
    static struct fixture f;
    strcpy(f.cache, "/tmp/vt-test-XXXXXX");
    assert_non_null(mkdtemp(f.cache));
    setenv("VITRINE_CACHE_DIR", f.cache, 1);
    *state = &f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    return nftw(f->cache, drop, 16, FTW_DEPTH | FTW_PHYS);
}

static void use_source(const struct fixture *f)
{
    char path[128];
    snprintf(path, sizeof path, "%s/guest-source", f->cache);
    assert_int_equal(symlink(source, path), 0);
}

static struct vt_guest_image make(void)
{
    struct vt_guest_image image;
    struct vt_error err;
    if (vt_guest_default(NULL, &image, &err) != 0) {
        fail_msg("%s", err.message);
    }
    return image;
}

static void without_sources_it_says_what_to_run(void **state)
{
    (void)state;
    struct vt_guest_image image;
    struct vt_error err;
    assert_int_equal(vt_guest_default(NULL, &image, &err), VT_E_NOT_FOUND);
    assert_non_null(strstr(err.message, "tools/setup guest"));
}

static void a_tree_without_a_kernel_is_named(void **state)
{
    const struct fixture *f = *state;
    char path[128];
    struct vt_guest_image image;
    struct vt_error err;
    snprintf(path, sizeof path, "%s/guest-source", f->cache);
    assert_int_equal(mkdir(path, 0755), 0);
    assert_int_equal(vt_guest_default(NULL, &image, &err), VT_E_NOT_FOUND);
    assert_non_null(strstr(err.message, path));
}

static void twice_gives_the_same_bytes(void **state)
{
    use_source(*state);
    struct vt_guest_image image;
    struct vt_error err;
    uint8_t *a, *b;
    size_t n, m;
    assert_int_equal(vt_guest_initramfs(source, NULL, &image, &a, &n, &err), 0);
    assert_int_equal(vt_guest_initramfs(source, NULL, &image, &b, &m, &err), 0);
    assert_int_equal(n, m);
    assert_memory_equal(a, b, n);
    struct vt_guest_image first = make(), second = make();
    assert_string_equal(first.initrd, second.initrd);
    char *text;
    assert_int_equal(vt_read_file(first.initrd, n, &text, &m, &err), 0);
    assert_int_equal(n, m);
    assert_memory_equal(a, text, n);
    free(text);
    free(a);
    free(b);
}

static void a_broken_cache_is_mended(void **state)
{
    use_source(*state);
    struct vt_guest_image image = make();
    struct stat before, after;
    assert_int_equal(stat(image.initrd, &before), 0);
    assert_int_equal(truncate(image.initrd, 1000), 0);
    image = make();
    assert_int_equal(stat(image.initrd, &after), 0);
    assert_int_equal(before.st_size, after.st_size);
}

static void two_builders_at_once(void **state)
{
    use_source(*state);
    pid_t pids[3];
    for (int i = 0; i < 3; i++) {
        pids[i] = fork();
        if (pids[i] == 0) {
            struct vt_guest_image image;
            _exit(vt_guest_default(NULL, &image, NULL) == 0 ? 0 : 1);
        }
    }
    for (int i = 0; i < 3; i++) {
        int status;
        assert_int_equal(waitpid(pids[i], &status, 0), pids[i]);
        assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    }
    struct vt_guest_image image = make();
    char dir[PATH_MAX];
    snprintf(dir, sizeof dir, "%s", image.initrd);
    *strrchr(dir, '/') = '\0';
    DIR *d = opendir(dir);
    assert_non_null(d);
    unsigned files = 0;
    while (readdir(d) != NULL) {
        files++;
    }
    closedir(d);
    assert_int_equal(files, 3); /* ".", ".." and the initrd: no temporary file is left */
}

static void into_a_directory(void **state)
{
    const struct fixture *f = *state;
    char dir[128];
    struct vt_guest_image image;
    struct vt_error err;
    struct stat st;
    use_source(f);
    snprintf(dir, sizeof dir, "%s/a/b", f->cache);
    if (vt_guest_build(dir, NULL, &image, &err) != 0) {
        fail_msg("%s", err.message);
    }
    assert_memory_equal(image.kernel, dir, strlen(dir));
    assert_int_equal(stat(image.kernel, &st), 0);
    assert_int_equal(stat(image.initrd, &st), 0);
    assert_non_null(strstr(image.append, "console=ttyS0"));
}

/* A tree with a kernel and one packed file; `cut` bytes are missing at the packed file's end. */
static void make_tree(const char *dir, const char *text, size_t bytes, size_t cut)
{
    static uint8_t packed[4096];
    char path[160];
    size_t n = 0;
    struct vt_error err;
    assert_int_equal(lzma_easy_buffer_encode(6, LZMA_CHECK_CRC32, NULL, (const uint8_t *)text,
                                             bytes, packed, &n, sizeof packed),
                     LZMA_OK);
    snprintf(path, sizeof path, "%s/boot", dir);
    assert_int_equal(vt_make_dirs(path, 0755, &err), 0);
    snprintf(path, sizeof path, "%s/boot/vmlinuz-1", dir);
    assert_int_equal(vt_write_file_atomic(path, "", 0, 0644, &err), 0);
    snprintf(path, sizeof path, "%s/a.ko.xz", dir);
    assert_int_equal(vt_write_file_atomic(path, packed, n - cut, 0644, &err), 0);
}

static void a_packed_file_is_read_unpacked(void **state)
{
    const struct fixture *f = *state;
    static char text[1 << 20]; /* packs to far less than a quarter: the buffer has to grow */
    char dir[128];
    uint8_t *bytes;
    size_t size;
    struct vt_error err;
    struct vt_guest_tree tree;
    memset(text, 'x', sizeof text);
    snprintf(dir, sizeof dir, "%s/tree", f->cache);
    make_tree(dir, text, sizeof text, 0);
    assert_int_equal(vt_guest_tree_open(dir, &tree, &err), 0);
    assert_int_equal(vt_guest_tree_read(&tree, "a.ko", &bytes, &size, &err), 0);
    assert_int_equal(size, sizeof text);
    assert_memory_equal(bytes, text, size);
    free(bytes);
    assert_int_equal(vt_guest_tree_read(&tree, "b.ko", &bytes, &size, &err), VT_E_NOT_FOUND);
    make_tree(dir, text, sizeof text, 20);
    assert_int_equal(vt_guest_tree_read(&tree, "a.ko", &bytes, &size, &err), VT_E_CORRUPT);
    assert_non_null(strstr(err.message, "a.ko.xz"));
    vt_guest_tree_close(&tree);
}

static void wanted_files_are_in_it(void **state)
{
    const struct fixture *f = *state;
    static const char text[] = "a file of the user's own";
    char file[128], with_path[160];
    const char *files[] = {file, with_path, NULL};
    const struct vt_guest_wants wants = {.files = files};
    struct vt_guest_image image;
    struct vt_error err;
    uint8_t *bytes;
    size_t n;
    snprintf(file, sizeof file, "%s/some-tool", f->cache);
    snprintf(with_path, sizeof with_path, "%s:/opt/elsewhere", file);
    assert_int_equal(vt_write_file_atomic(file, text, sizeof text, 0755, &err), 0);
    assert_int_equal(vt_guest_initramfs(source, &wants, &image, &bytes, &n, &err), 0);
    assert_non_null(memmem(bytes, n, "bin/some-tool", 14));
    assert_non_null(memmem(bytes, n, "opt/elsewhere", 14));
    assert_non_null(memmem(bytes, n, text, sizeof text));
    free(bytes);
    snprintf(with_path, sizeof with_path, "%s:elsewhere", file);
    assert_int_equal(vt_guest_initramfs(source, &wants, &image, &bytes, &n, &err), VT_E_INVAL);
    snprintf(with_path, sizeof with_path, "%s-none", file);
    assert_int_equal(vt_guest_initramfs(source, &wants, &image, &bytes, &n, &err), VT_E_NOT_FOUND);
}

static void an_unknown_module_is_named(void **state)
{
    (void)state;
    const char *modules[] = {"no-such-module", NULL};
    const struct vt_guest_wants wants = {.modules = modules};
    struct vt_guest_image image;
    struct vt_error err;
    uint8_t *bytes;
    size_t n;
    assert_int_equal(vt_guest_initramfs(source, &wants, &image, &bytes, &n, &err), VT_E_NOT_FOUND);
    assert_non_null(strstr(err.message, "no_such_module"));
}

int main(void)
{
    char cache[PATH_MAX];
    if (vt_path_cache(cache, NULL) != 0 ||
        vt_path_format(source, NULL, "%s/guest-source", cache) != 0) {
        return 1;
    }
    const struct CMUnitTest bare[] = {
        cmocka_unit_test_setup_teardown(without_sources_it_says_what_to_run, setup, teardown),
        cmocka_unit_test_setup_teardown(a_tree_without_a_kernel_is_named, setup, teardown),
        cmocka_unit_test_setup_teardown(a_packed_file_is_read_unpacked, setup, teardown),
    };
    int failed = cmocka_run_group_tests(bare, NULL, NULL);
    if (failed != 0 || access(source, R_OK) != 0) {
        return failed != 0 ? failed : 77;
    }
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(twice_gives_the_same_bytes, setup, teardown),
        cmocka_unit_test_setup_teardown(a_broken_cache_is_mended, setup, teardown),
        cmocka_unit_test_setup_teardown(two_builders_at_once, setup, teardown),
        cmocka_unit_test_setup_teardown(into_a_directory, setup, teardown),
        cmocka_unit_test_setup_teardown(wanted_files_are_in_it, setup, teardown),
        cmocka_unit_test_setup_teardown(an_unknown_module_is_named, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
