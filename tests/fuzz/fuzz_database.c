/* tests/fuzz/fuzz_database.c - a VM's database as somebody else left it.
 *
 * The input changes bytes of a small sound file: a header of four bytes (page, offset in 2-byte
 * steps, how many) and the bytes themselves, again and again. Whatever comes of it, opening,
 * reading and writing it end with a result or an error.
 */
#include "tests/fuzz/fuzz.h"

#include "semantic/retention.h"
#include "semantic/store.h"

#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define PAGE 4096u

static uint8_t *sound;
static size_t sound_bytes;

static void make_sound(void)
{
    struct vt_store store;
    sqlite3_int64 n;
    FUZZ_CHECK(vt_store_open(&store, ":memory:", NULL) == 0);
    FUZZ_CHECK(
        vt_db_run(store.db, "",
                  "INSERT INTO processes_history(boot, first_seen, trust, pid, name, started_s) "
                  "VALUES(1, 1, 'ok', 1, 'init', 0.5), (1, 1, 'torn', 2, 'sh', 0.25);"
                  "INSERT INTO processes_history(boot, first_seen, last_seen, trust, pid) "
                  "VALUES(1, 1, 2, 'ok', 3);"
                  "INSERT INTO events(time, boot, kind, noun, row, detail) "
                  "VALUES(1, 1, 'started', 'processes', 2, 'x');"
                  "INSERT INTO sample VALUES(1, 7, 3, 1, 1, 0, NULL, 2, 0, 0, 0, 0, 0, 0)",
                  NULL) == 0);
    sound = sqlite3_serialize(store.db, "main", &n, 0);
    FUZZ_CHECK(sound != NULL);
    sound_bytes = (size_t)n;
    vt_store_close(&store);
}

static void change(uint8_t *file, const uint8_t *bytes, size_t count)
{
    for (size_t at = 0; at + 4 <= count;) {
        size_t to = bytes[at] * (size_t)PAGE + (size_t)(bytes[at + 1] | bytes[at + 2] << 8) % PAGE;
        size_t n = bytes[at + 3];
        at += 4;
        for (; n > 0 && at < count; n--) {
            file[to++ % sound_bytes] = bytes[at++];
        }
    }
}

/* As a sampler uses it. */
static void use(const char *path)
{
    struct vt_store store;
    struct vt_retention retention = {.seconds = 1, .max_bytes = PAGE, .again = true};
    if (vt_store_open(&store, path, NULL) != 0) {
        return;
    }
    if (vt_store_begin(&store, 1e9, NULL) == 0) {
        struct vt_records r = {0};
        for (unsigned i = 0; i < VT_DB_TABLES; i++) {
            struct vt_present_table *t = &store.tables[i];
            vt_records_clear(&r);
            vt_record_begin(&r, false);
            for (unsigned k = 0; k < t->table->n_columns; k++) {
                vt_record_integer(&r, k + 1000);
                if (k + 1 == t->n_identity) {
                    vt_record_identity(&r);
                }
            }
            FUZZ_CHECK(vt_record_end(&r));
            vt_store_insert(&store, i, r.bytes, r.rows, NULL, NULL);
        }
        vt_records_fini(&r);
        vt_store_commit(&store, NULL);
    }
    vt_retention_apply(&store, &retention, NULL);
    if (vt_store_begin(&store, 2e9, NULL) == 0) {
        vt_store_end_boot(&store, NULL);
        vt_store_rollback(&store);
    }
    vt_store_close(&store);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t count)
{
    static const char *const suffixes[] = {"", "-wal", "-shm", "-journal", ".lock"};
    const char *top = getenv("TMPDIR");
    char path[PATH_MAX / 2], file[PATH_MAX];
    if (sound == NULL) {
        make_sound();
    }
    snprintf(path, sizeof path, "%s/vitrine-fuzz-%d.db", top != NULL ? top : "/tmp", getpid());
    uint8_t *changed = malloc(sound_bytes);
    FUZZ_CHECK(changed != NULL);
    memcpy(changed, sound, sound_bytes);
    change(changed, bytes, count);
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    FUZZ_CHECK(fd >= 0 && write(fd, changed, sound_bytes) == (ssize_t)sound_bytes);
    close(fd);
    free(changed);
    use(path);
    for (size_t i = 0; i < sizeof suffixes / sizeof suffixes[0]; i++) {
        snprintf(file, sizeof file, "%s%s", path, suffixes[i]);
        unlink(file);
    }
    return 0;
}
