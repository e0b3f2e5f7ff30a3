/* tests/unit/semantic/test_crash.c - a sampler that is killed at any moment leaves a whole sample.
 *
 * A process writes sample after sample of a guest that changes all the time, and says each time it
 * begins one. It is killed after some of these words, and so in the middle of whatever it does
 * then. SQLite's own shell holds the file to be sound, and the sample's counts to be its rows'.
 */
#include "tests/unit/harness.h"

#include "tests/unit/semantic/fabricated.h"

#include <signal.h>
#include <string.h>
#include <sys/wait.h>

#define KILLS 40u

static uint64_t next_random(uint64_t *state)
{
    *state = *state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return *state >> 33;
}

static _Noreturn void sample_for_ever(const char *path, uint64_t seed, int told)
{
    struct vt_store store;
    struct vt_take take = {0};
    struct vt_events events = {0};
    struct vt_changes changes = {0};
    struct vt_error err;
    uint64_t random = seed;
    if (vt_store_open(&store, path, &err) != 0 || vt_store_begin(&store, 0, &err) != 0 ||
        vt_store_commit(&store, &err) != 0) {
        _exit(1);
    }
    for (;;) {
        fabricated_begin(&take);
        for (int64_t pid = 1; pid <= 60; pid++) {
            if (next_random(&random) % 4 != 0) {
                const struct fabricated_cell cells[] = {
                    {"pid", NULL, pid},
                    {"rss_bytes", NULL, (int64_t)next_random(&random)},
                    {"name", next_random(&random) % 8 == 0 ? "other" : "same", 0},
                    {0}};
                fabricated_row(&take, VT_DB_PROCESSES, pid, next_random(&random) % 16 == 0, cells);
                for (int64_t fd = 0; fd < 5; fd++) {
                    const struct fabricated_cell file[] = {
                        {"pid", NULL, pid}, {"fd", NULL, fd}, {"path", "/some/file", 0}, {0}};
                    fabricated_row(&take, VT_DB_FILES, pid * 10 + fd, false, file);
                }
            }
        }
        if (write(told, "", 1) != 1) {
            _exit(1);
        }
        fabricated_apply(&store, &take, &events, (double)store.number + 1, &changes);
    }
}

/* What sqlite3 says; false: it is not there. */
static bool shell(const char *path, const char *sql, char answer[256])
{
    int out[2], status;
    size_t n = 0;
    assert_int_equal(pipe(out), 0);
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        dup2(out[1], STDOUT_FILENO);
        execlp("sqlite3", "sqlite3", "-batch", path, sql, (char *)NULL);
        _exit(127);
    }
    close(out[1]);
    for (ssize_t got; n < 255 && (got = read(out[0], answer + n, 255 - n)) > 0;) {
        n += (size_t)got;
    }
    answer[n] = '\0';
    close(out[0]);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status));
    assert_true(WEXITSTATUS(status) == 0 || WEXITSTATUS(status) == 127);
    return WEXITSTATUS(status) == 0;
}

static void killed_at_any_moment_it_is_whole(void **state)
{
    char path[VT_VM_PATH_MAX], answer[256];
    uint64_t random = 20261121, last = 0;
    if (!shell(":memory:", "SELECT 1", answer)) {
        skip();
    }
    snprintf(path, sizeof path, "%s/vm.db", (const char *)*state);
    for (unsigned i = 0; i < KILLS; i++) {
        int told[2];
        char word;
        assert_int_equal(pipe(told), 0);
        pid_t pid = fork();
        assert_true(pid >= 0);
        if (pid == 0) {
            sample_for_ever(path, next_random(&random), told[1]);
        }
        close(told[1]);
        for (uint64_t k = next_random(&random) % 12 + 1; k > 0; k--) {
            assert_int_equal(read(told[0], &word, 1), 1);
        }
        for (volatile uint64_t spin = next_random(&random) % 3000000; spin > 0; spin--) {
        }
        assert_int_equal(kill(pid, SIGKILL), 0);
        assert_int_equal(waitpid(pid, NULL, 0), pid);
        close(told[0]);
        assert_true(shell(path, "PRAGMA integrity_check", answer));
        assert_string_equal(answer, "ok\n");
        assert_true(shell(
            path,
            "SELECT (SELECT count(*) FROM processes) = s.processes AND "
            "(SELECT count(*) FROM files) = s.files AND "
            "(SELECT count(*) FROM files f LEFT JOIN processes p ON p.id = f.process WHERE p.id "
            "IS NULL) = 0 AND "
            "(SELECT count(*) FROM events WHERE time > s.time) = 0 AND "
            "(SELECT count(*) FROM processes_history WHERE first_seen > s.time) = 0, number "
            "FROM sample s",
            answer));
        if (answer[0] != '\0') { /* killed before the first sample: none */
            uint64_t number = strtoull(answer + 2, NULL, 10);
            assert_int_equal(answer[0], '1');
            assert_true(number >= last);
            last = number;
        }
        random += i;
    }
    assert_true(last > KILLS);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        vt_test_in_dir(killed_at_any_moment_it_is_whole),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
