/* tests/fuzz/fuzz_answer.c - questions about a guest whose database says anything, and whose RAM
 * does.
 *
 * An input is five lines (a question; name, command line, page runs and address of a process) and
 * then pairs of a 32-bit word number and the 64-bit value that it gets in RAM. Whatever that makes
 * of the guest, an answer's text is safe for a terminal and its places lie in RAM.
 */
#include "tests/fuzz/fuzz.h"

#include "semantic/answer_json.h"
#include "semantic/schema.h"
#include "tests/unit/guest/synthetic.h"

#include <jansson.h>
#include <string.h>

#define LINES 5
#define WORDS_MAX 16
#define PID 100 /* of the synthetic kernel's first task */

static const char rows[] =
    "INSERT INTO boots(release, banner, build_id, text, text_physical, first_seen)"
    " VALUES ('6.1', 'Linux', '', 0, 0, 1.5);"
    "INSERT INTO sample(id, number, time, torn, processes, threads, memory_regions, modules,"
    " mounts, files, sockets) VALUES (1, 1, 2.5, 0, 1, 0, 1, 0, 0, 0, 0);"
    "INSERT INTO processes_history(boot, first_seen, trust, pid, name, args, task, kernel)"
    " VALUES (1, 1.5, 'ok', 100, '', '', -4096, 0);"
    "INSERT INTO threads_history(boot, first_seen, trust, pid, tid, name, stack)"
    " VALUES (1, 1.5, 'ok', 100, 100, '', -4096);"
    "INSERT INTO memory_regions_history(boot, first_seen, trust, pid, owner, kind, start, \"end\","
    " runs) VALUES (1, 1.5, 'ok', 100, '', 'heap', 4096, 8192, '');"
    "INSERT INTO sockets_history(boot, first_seen, trust, pid, family, protocol, state, local,"
    " local_port) VALUES (1, 1.5, 'ok', 100, 'inet', 'tcp', 'LISTEN', '', 22);"
    "INSERT INTO events(time, boot, kind, noun, row, pid, name, detail)"
    " VALUES (2.5, 1, 'started', 'processes', 1, 100, '', '');";

struct state {
    sqlite3 *writer;
    sqlite3_stmt *change[6];
    struct synthetic synthetic;
    struct vt_target target;
    struct vt_sql *sql;
    FILE *out;
};

static void set_up(struct state *s)
{
    static const char name[] = "file:/vitrine-fuzz-answer?vfs=memdb";
    static const char *const changes[6] = {
        "UPDATE processes_history SET name = ?1, args = ?2",
        "UPDATE threads_history SET name = ?1, stack = -1 - length(?2) * 4096",
        "UPDATE memory_regions_history SET owner = ?1, name = ?2, runs = ?3",
        "UPDATE sockets_history SET local = ?4, peer = ?2",
        "UPDATE events SET name = ?1, detail = ?2",
        "UPDATE processes_history SET task = length(?3) * -4096",
    };
    struct synthetic_kernel k = synthetic_default();
    k.pages = true;
    synthetic_create(&s->synthetic);
    synthetic_add(&s->synthetic, &k);
    s->target = (struct vt_target){.name = "./fuzz", .ram = synthetic_open(&s->synthetic)};
    FUZZ_CHECK(vt_kernel_open(s->target.ram, NULL, &s->target.kernel, NULL) == 0);
    FUZZ_CHECK(sqlite3_open_v2(name, &s->writer,
                               SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_URI,
                               NULL) == SQLITE_OK);
    FUZZ_CHECK(vt_db_migrate(s->writer, name, vt_db_version, NULL) == 0);
    FUZZ_CHECK(sqlite3_exec(s->writer, rows, NULL, NULL, NULL) == SQLITE_OK);
    for (unsigned i = 0; i < 6; i++) {
        FUZZ_CHECK(sqlite3_prepare_v2(s->writer, changes[i], -1, &s->change[i], NULL) == SQLITE_OK);
    }
    FUZZ_CHECK(vt_sql_open(name, &s->target, &s->sql, NULL) == 0);
    s->out = fopen("/dev/null", "we");
    FUZZ_CHECK(s->out != NULL);
}

static void change_rows(struct state *s, const char *const lines[LINES], const size_t bytes[LINES])
{
    for (unsigned i = 0; i < 6; i++) {
        for (int k = 1; k <= sqlite3_bind_parameter_count(s->change[i]); k++) {
            sqlite3_bind_text(s->change[i], k, lines[k], (int)bytes[k], SQLITE_STATIC);
        }
        FUZZ_CHECK(sqlite3_step(s->change[i]) == SQLITE_DONE);
        sqlite3_reset(s->change[i]);
    }
}

static void check(const struct state *s, const struct vt_answer *a)
{
    struct vt_json_writer w;
    uint64_t bytes = 0;
    for (const char *c = a->text; *c != '\0'; c++) {
        FUZZ_CHECK(((unsigned char)*c >= ' ' || *c == '\n') && *c != 0x7f);
    }
    for (size_t i = 0; i < a->n_all_places; i++) {
        struct vt_off off;
        uint64_t run;
        FUZZ_CHECK(vt_ram_offset(s->target.ram, a->places[i].gpa, &off, &run, NULL) == 0);
        FUZZ_CHECK(a->places[i].bytes > 0 && a->places[i].bytes <= run);
        bytes += a->places[i].bytes;
    }
    FUZZ_CHECK(bytes == a->place_bytes || a->places_cut);
    vt_json_init(&w, s->out, false);
    vt_answer_write(a, 100, 100, &w);
    vt_json_finish(&w);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t count)
{
    static struct state s;
    if (s.sql == NULL) {
        set_up(&s);
    }
    const char *at = (const char *)data, *end = at + count, *lines[LINES];
    size_t bytes[LINES];
    for (unsigned i = 0; i < LINES; i++) {
        const char *newline = memchr(at, '\n', (size_t)(end - at));
        lines[i] = at;
        bytes[i] = (size_t)((newline != NULL ? newline : end) - at);
        at = newline != NULL ? newline + 1 : end;
    }
    struct {
        uint64_t *at, value;
    } before[WORDS_MAX];
    unsigned n = 0;
    for (; n < WORDS_MAX && end - at >= 12; n++, at += 12) {
        uint32_t word;
        memcpy(&word, at, sizeof word);
        before[n].at = (uint64_t *)s.synthetic.ram + word % (SYNTHETIC_BYTES / 8);
        before[n].value = *before[n].at;
        memcpy(before[n].at, at + 4, 8);
    }
    change_rows(&s, lines, bytes);
    char question[VT_QUESTION_MAX + 1];
    size_t length = bytes[0] < VT_QUESTION_MAX ? bytes[0] : VT_QUESTION_MAX;
    memcpy(question, lines[0], length);
    question[length] = '\0';
    struct vt_answer answer;
    struct vt_error err = {0};
    vt_kernel_refresh(s.target.kernel);
    int rc = vt_ask(&s.target, s.sql, question, NULL, &answer, &err);
    FUZZ_CHECK(rc == 0 || (rc < 0 && rc == (int)err.code));
    if (rc == 0) {
        check(&s, &answer);
        vt_answer_fini(&answer);
    }
    while (n-- > 0) {
        *before[n].at = before[n].value;
    }
    return 0;
}
