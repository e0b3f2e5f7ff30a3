/* tests/unit/base/test_files.c - whole files in and out, directories, reads and writes to the end.
 */
#include "tests/unit/harness.h"

#include "base/io.h"
#include "base/paths.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>

static const char *in(const char *dir, const char *name)
{
    static char path[PATH_MAX];
    assert_int_equal(vt_path_format(path, NULL, "%s/%s", dir, name), 0);
    return path;
}

static void reads_back_what_was_written(void **state)
{
    static const size_t sizes[] = {0, 1, 4095, 4096, 4097, 100000};
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        const char *path = in(*state, "file");
        char *content = malloc(sizes[i] + 1);
        assert_non_null(content);
        memset(content, 'a' + (int)i, sizes[i]);
        assert_int_equal(vt_write_file_atomic(path, content, sizes[i], 0640, NULL), 0);
        struct stat st;
        assert_int_equal(stat(path, &st), 0);
        assert_int_equal(st.st_mode & 07777, 0640);
        char *text = NULL;
        size_t bytes = 0;
        assert_int_equal(vt_read_file(path, sizes[i], &text, &bytes, NULL), 0);
        assert_int_equal(bytes, sizes[i]);
        assert_memory_equal(text, content, bytes);
        assert_int_equal(text[bytes], '\0');
        free(text);
        free(content);
    }
}

static void reads_proc(void **state)
{
    (void)state;
    char *text = NULL;
    assert_int_equal(vt_read_file("/proc/self/status", 65536, &text, NULL, NULL), 0);
    assert_non_null(strstr(text, "Name:"));
    free(text);
}

static void failures_leave_outputs_alone(void **state)
{
    struct vt_error err;
    char *text = (char *)1;
    size_t bytes = 77;
    assert_int_equal(vt_write_file_atomic(in(*state, "file"), "abcd", 4, 0600, NULL), 0);
    assert_int_equal(vt_read_file(in(*state, "file"), 3, &text, &bytes, &err), VT_E_LIMIT);
    assert_int_equal(vt_read_file(in(*state, "none"), 3, &text, &bytes, &err), VT_E_NOT_FOUND);
    assert_int_equal(err.sys_errno, ENOENT);
    assert_non_null(strstr(err.message, "/none: No such file"));
    assert_int_equal(vt_read_file(*state, 3, &text, &bytes, &err), VT_E_IO);
    assert_int_equal(err.sys_errno, EISDIR);
    assert_ptr_equal(text, (char *)1);
    assert_int_equal(bytes, 77);
}

static size_t entries(const char *path)
{
    size_t n = 0;
    char command[PATH_MAX + 32], line[16] = "";
    snprintf(command, sizeof command, "ls -A '%s' | wc -l", path);
    FILE *f = popen(command, "r");
    assert_non_null(f);
    assert_non_null(fgets(line, sizeof line, f));
    n = strtoul(line, NULL, 10);
    assert_int_equal(pclose(f), 0);
    return n;
}

/* A full disk, as a limit on the file's size: the old content stays, nothing is left over. */
static void a_failed_write_keeps_the_old_file(void **state)
{
    struct vt_error err;
    const char *path = in(*state, "file");
    assert_int_equal(vt_write_file_atomic(path, "old", 3, 0600, NULL), 0);
    struct rlimit before, small = {.rlim_cur = 4096};
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
    small.rlim_max = before.rlim_max;
    void (*handler)(int) = signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
    static const char big[8192];
    int rc = vt_write_file_atomic(path, big, sizeof big, 0600, &err);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
    signal(SIGXFSZ, handler);
    assert_int_equal(rc, VT_E_IO);
    assert_int_equal(err.sys_errno, EFBIG);
    char *text = NULL;
    assert_int_equal(vt_read_file(path, 100, &text, NULL, NULL), 0);
    assert_string_equal(text, "old");
    free(text);
    assert_int_equal(entries(*state), 1);
    assert_int_equal(vt_write_file_atomic(in(*state, "no/file"), "x", 1, 0600, &err),
                     VT_E_NOT_FOUND);
    assert_int_equal(mkdir(in(*state, "dir"), 0700), 0);
    assert_int_equal(vt_write_file_atomic(in(*state, "dir"), "x", 1, 0600, &err), VT_E_IO);
    assert_int_equal(entries(*state), 2);
}

struct race {
    const char *path;
    atomic_bool done;
};

static void *rewrite(void *arg)
{
    struct race *race = arg;
    char content[3000];
    for (int i = 0; i < 200; i++) {
        memset(content, 'a' + i % 26, sizeof content);
        if (vt_write_file_atomic(race->path, content, sizeof content, 0600, NULL) != 0) {
            break;
        }
    }
    atomic_store(&race->done, true);
    return NULL;
}

static void a_reader_sees_one_version(void **state)
{
    struct race race = {.path = in(*state, "file")};
    static const char first[3000];
    assert_int_equal(vt_write_file_atomic(race.path, first, sizeof first, 0600, NULL), 0);
    pthread_t writer;
    assert_int_equal(pthread_create(&writer, NULL, rewrite, &race), 0);
    bool torn = false;
    while (!atomic_load(&race.done)) {
        char *text = NULL;
        size_t bytes = 0;
        if (vt_read_file(race.path, 10000, &text, &bytes, NULL) != 0) {
            torn = true;
            break;
        }
        torn |= bytes != sizeof first || memcmp(text, text + 1, bytes - 1) != 0;
        free(text);
    }
    pthread_join(writer, NULL);
    assert_false(torn);
}

static void makes_directories(void **state)
{
    struct vt_error err;
    struct stat st;
    assert_int_equal(vt_make_dirs(in(*state, "a/b//c/"), 0700, NULL), 0);
    assert_int_equal(stat(in(*state, "a/b/c"), &st), 0);
    assert_int_equal(st.st_mode & 07777, 0700);
    assert_int_equal(vt_make_dirs(in(*state, "a/b/c"), 0755, NULL), 0);
    assert_int_equal(vt_make_dirs("/", 0755, NULL), 0);
    assert_int_equal(vt_make_dirs("", 0755, &err), VT_E_INVAL);
    assert_int_equal(vt_write_file_atomic(in(*state, "file"), "", 0, 0600, NULL), 0);
    assert_int_equal(vt_make_dirs(in(*state, "file"), 0700, &err), VT_E_EXISTS);
    assert_int_equal(vt_make_dirs(in(*state, "file/below"), 0700, &err), VT_E_NOT_FOUND);
    assert_int_equal(err.sys_errno, ENOTDIR);
}

static void reads_and_writes_all(void **state)
{
    (void)state;
    struct vt_error err;
    int pair[2];
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
    assert_int_equal(vt_write_all(pair[0], "hello ", 6, "peer", NULL), 0);
    assert_int_equal(vt_write_all(pair[0], "world", 5, "peer", NULL), 0);
    char text[16] = "";
    assert_int_equal(vt_read_all(pair[1], text, 11, "peer", NULL), 0);
    assert_string_equal(text, "hello world");
    assert_int_equal(vt_write_all(pair[0], "abc", 3, "peer", NULL), 0);
    vt_close(&pair[0]);
    assert_int_equal(pair[0], -1);
    vt_close(&pair[0]);
    assert_int_equal(vt_read_all(pair[1], text, 5, "the peer", &err), VT_E_GONE);
    assert_string_equal(err.message, "reading the peer: it ended 2 bytes early");
    void (*handler)(int) = signal(SIGPIPE, SIG_IGN);
    assert_int_equal(vt_write_all(pair[1], "x", 1, "the peer", &err), VT_E_GONE);
    signal(SIGPIPE, handler);
    assert_string_equal(err.message, "writing the peer: Broken pipe");
    vt_close(&pair[1]);
    assert_int_equal(vt_read_all(-1, text, 1, "it", &err), VT_E_IO);
    assert_int_equal(err.sys_errno, EBADF);
}

static void closing_keeps_errno(void **state)
{
    (void)state;
    int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
    assert_true(fd >= 0);
    close(fd);
    errno = EXDEV;
    vt_close(&fd);
    assert_int_equal(errno, EXDEV);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        vt_test_in_dir(reads_back_what_was_written),
        cmocka_unit_test(reads_proc),
        vt_test_in_dir(failures_leave_outputs_alone),
        vt_test_in_dir(a_failed_write_keeps_the_old_file),
        vt_test_in_dir(a_reader_sees_one_version),
        vt_test_in_dir(makes_directories),
        cmocka_unit_test(reads_and_writes_all),
        cmocka_unit_test(closing_keeps_errno),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
