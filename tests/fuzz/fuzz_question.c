/* tests/fuzz/fuzz_question.c - questions people and programs ask, of any bytes.
 *
 * Whatever they are: they are refused as no text, or read; what comes out is bounded, printable
 * text and numbers in their ranges; the readings of an ambiguous question differ; asking politely
 * or asking again changes nothing.
 */
#include "tests/fuzz/fuzz.h"

#include "base/text.h"
#include "semantic/roles.h"
#include "vitrine/semantic.h"

#include <string.h>

static void check_text(const char *text, size_t room)
{
    size_t bytes = strnlen(text, room);
    FUZZ_CHECK(bytes < room);
    for (size_t i = 0; i < bytes;) {
        size_t step = vt_utf8_length(text + i, bytes - i);
        FUZZ_CHECK(step > 0);
        FUZZ_CHECK(vt_printable_length(text + i, bytes - i) > 0 ||
                   strchr("\t\r\n", text[i]) != NULL);
        i += step;
    }
}

static void check_question(const struct vt_question *q)
{
    FUZZ_CHECK((unsigned)q->intent < VT_INTENTS);
    check_text(q->role, sizeof q->role);
    check_text(q->name, sizeof q->name);
    check_text(q->path, sizeof q->path);
    check_text(q->host, sizeof q->host);
    check_text(q->area, sizeof q->area);
    check_text(q->reading, sizeof q->reading);
    FUZZ_CHECK(q->role[0] == '\0' || vt_role_find(q->role) != NULL);
    FUZZ_CHECK(q->reading[0] != '\0');
    FUZZ_CHECK(q->pid >= -1 && q->pid <= INT32_MAX && q->uid >= -1 && q->uid <= UINT32_MAX);
    FUZZ_CHECK(q->port >= -1 && q->port <= UINT16_MAX);
    FUZZ_CHECK(q->limit == -1 || (q->limit > 0 && q->limit <= UINT32_MAX));
    FUZZ_CHECK(q->since_s >= -1 && q->until_s >= -1);
    FUZZ_CHECK(q->since_clock >= -1 && q->since_clock < 86400);
    FUZZ_CHECK(q->until_clock >= -1 && q->until_clock <= 86400);
    FUZZ_CHECK(q->min_bytes >= -1);
}

static void check_understood(const struct vt_understood *u)
{
    FUZZ_CHECK(u->n <= VT_READINGS_MAX && !(u->refused && u->n > 0));
    check_text(u->unknown, sizeof u->unknown);
    check_text(u->why, sizeof u->why);
    FUZZ_CHECK((u->n == 1) == (u->why[0] == '\0'));
    for (unsigned i = 0; i < u->n; i++) {
        check_question(&u->readings[i]);
        for (unsigned k = 0; k < i; k++) {
            FUZZ_CHECK(u->readings[k].intent != u->readings[i].intent ||
                       strcmp(u->readings[k].reading, u->readings[i].reading) != 0);
        }
    }
}

static void check_same(const struct vt_understood *a, const struct vt_understood *b)
{
    FUZZ_CHECK(a->n == b->n && a->refused == b->refused);
    for (unsigned i = 0; i < a->n; i++) {
        FUZZ_CHECK(strcmp(a->readings[i].reading, b->readings[i].reading) == 0);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t count)
{
    struct vt_understood understood, other;
    struct vt_error err = {.code = VT_OK};
    char *text = malloc(count + 16);
    FUZZ_CHECK(text != NULL);
    memcpy(text, bytes, count);
    text[count] = '\0';
    if (vt_question_parse(text, &understood, &err) != 0) {
        FUZZ_CHECK(err.code == VT_E_INVAL);
        free(text);
        return 0;
    }
    check_understood(&understood);
    FUZZ_CHECK(vt_question_parse(text, &other, &err) == 0);
    check_same(&understood, &other);
    size_t length = strlen(text);
    if (length + 2 <= VT_QUESTION_MAX) {
        memmove(text + 1, text, length + 1);
        text[0] = ' ';
        FUZZ_CHECK(vt_question_parse(text, &other, &err) == 0);
        check_same(&understood, &other);
    }
    free(text);
    return 0;
}
