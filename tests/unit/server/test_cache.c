/* Answers kept until the next sample: made once, waited for by all, renewed, bounded. */
#include "tests/unit/harness.h"

#include "server/cache.h"

#include <stdlib.h>
#include <string.h>

struct waiter {
    struct vt_cache_waiter waiter; /* first */
    unsigned told;
    struct vt_reply *answer, *unmodified;
};

static void on_answered(struct vt_cache_waiter *waiter, struct vt_reply *answer,
                        struct vt_reply *unmodified)
{
    struct waiter *w = (struct waiter *)(void *)waiter;
    w->told++;
    w->answer = answer != NULL ? vt_reply_keep(answer) : NULL;
    w->unmodified = unmodified != NULL ? vt_reply_keep(unmodified) : NULL;
}

static struct waiter new_waiter(void)
{
    return (struct waiter){.waiter.answered = on_answered};
}

static void end_waiter(struct waiter *w)
{
    vt_reply_drop(w->answer);
    vt_reply_drop(w->unmodified);
}

static struct vt_reply *reply(unsigned status, const char *text)
{
    struct vt_reply *r = vt_reply_make(status, strdup(text), strlen(text), "text/plain");
    assert_non_null(r);
    return r;
}

static const struct vt_version one = {1, 1000}, two = {2, 2000};

static struct vt_cache *new_cache(unsigned entries, size_t bytes)
{
    struct vt_cache *c;
    assert_int_equal(vt_cache_create(entries, bytes, &c, NULL), 0);
    return c;
}

/* A miss that is filled at once. */
static void put(struct vt_cache *c, const char *key, struct vt_version version, unsigned status)
{
    struct waiter w = new_waiter();
    struct vt_cached cached;
    struct vt_cache_entry *entry;
    assert_int_equal(vt_cache_find(c, key, "vm", version, &w.waiter, &cached, &entry),
                     VT_CACHE_MISS);
    vt_cache_fill(c, entry, reply(status, key));
    assert_int_equal(w.told, 1);
    end_waiter(&w);
}

static enum vt_cache_found find(struct vt_cache *c, const char *key, struct vt_version version)
{
    struct waiter w = new_waiter();
    struct vt_cached cached;
    struct vt_cache_entry *entry;
    enum vt_cache_found found = vt_cache_find(c, key, "vm", version, &w.waiter, &cached, &entry);
    if (found == VT_CACHE_MISS) { /* give it back */
        vt_cache_fill(c, entry, NULL);
        assert_int_equal(w.told, 1);
        assert_null(w.answer);
    }
    return found;
}

static void all_who_ask_wait_for_one(void **state)
{
    struct vt_cache *c = new_cache(8, 1 << 20);
    struct waiter a = new_waiter(), b = new_waiter();
    struct vt_cached cached;
    struct vt_cache_entry *entry = NULL, *none = NULL;
    (void)state;
    assert_int_equal(vt_cache_find(c, "/x", "vm", one, &a.waiter, &cached, &entry), VT_CACHE_MISS);
    assert_int_equal(vt_cache_find(c, "/x", "vm", one, &b.waiter, &cached, &none), VT_CACHE_JOINED);
    assert_int_equal(a.told + b.told, 0);
    vt_cache_fill(c, entry, reply(200, "x"));
    assert_int_equal(a.told, 1);
    assert_int_equal(b.told, 1);
    assert_ptr_equal(a.answer, b.answer);
    assert_int_equal(a.unmodified->status, 304);
    assert_int_equal(vt_cache_find(c, "/x", "vm", one, NULL, &cached, &none), VT_CACHE_HIT);
    assert_ptr_equal(cached.answer, a.answer);
    assert_string_equal(MHD_get_response_header(cached.answer->mhd, "ETag"), cached.etag);
    vt_cache_destroy(c);
    /* Who kept one still has it. */
    assert_memory_equal(a.answer->body, "x", 1);
    end_waiter(&a);
    end_waiter(&b);
}

static void errors_are_not_kept(void **state)
{
    struct vt_cache *c = new_cache(8, 1 << 20);
    (void)state;
    put(c, "/x", one, 404);
    assert_int_equal(find(c, "/x", one), VT_CACHE_MISS);
    vt_cache_destroy(c);
}

static void a_later_sample_is_another_answer(void **state)
{
    struct vt_cache *c = new_cache(8, 1 << 20);
    (void)state;
    assert_int_equal(find(c, "/x", (struct vt_version){0, 5}), VT_CACHE_NONE);
    put(c, "/x", one, 200);
    assert_int_equal(find(c, "/x", one), VT_CACHE_HIT);
    put(c, "/x", two, 200);
    assert_int_equal(find(c, "/x", two), VT_CACHE_HIT);
    vt_cache_destroy(c);
}

static void count_key(const char *key, void *arg)
{
    (void)key;
    ++*(unsigned *)arg;
}

static void renewed_before_it_is_told_of(void **state)
{
    struct vt_cache *c = new_cache(8, 1 << 20);
    struct vt_cached cached;
    struct vt_cache_entry *entry;
    unsigned hot = 0;
    (void)state;
    put(c, "/x", one, 200);
    vt_cache_hot(c, "vm", 10, count_key, &hot);
    assert_int_equal(hot, 0); /* nobody came back for it */
    assert_int_equal(find(c, "/x", one), VT_CACHE_HIT);
    vt_cache_hot(c, "other", 10, count_key, &hot);
    assert_int_equal(hot, 0);
    vt_cache_hot(c, "vm", 10, count_key, &hot);
    assert_int_equal(hot, 1);
    vt_cache_hot(c, "vm", 10, count_key, &hot);
    assert_int_equal(hot, 1); /* since then nobody asked */
    vt_cache_renew(c, "/x", two, reply(200, "new"));
    vt_cache_renew(c, "/gone", two, reply(200, "new"));
    assert_int_equal(vt_cache_find(c, "/x", "vm", one, NULL, &cached, &entry), VT_CACHE_HIT);
    assert_memory_equal(cached.answer->body, "/x", 2);
    assert_int_equal(vt_cache_find(c, "/x", "vm", two, NULL, &cached, &entry), VT_CACHE_HIT);
    assert_memory_equal(cached.answer->body, "new", 3);
    vt_cache_renew(c, "/x", one, reply(500, "failed"));
    assert_int_equal(find(c, "/x", two), VT_CACHE_HIT);
    vt_cache_destroy(c);
}

static void bounded(void **state)
{
    struct vt_cache *c = new_cache(3, 1 << 20);
    char key[16];
    (void)state;
    for (unsigned i = 0; i < 10; i++) {
        snprintf(key, sizeof key, "/%u", i);
        put(c, key, one, 200);
        assert_int_equal(find(c, "/0", one), i < 10 ? VT_CACHE_HIT : VT_CACHE_MISS);
    }
    assert_int_equal(find(c, "/9", one), VT_CACHE_HIT);
    assert_int_equal(find(c, "/2", one), VT_CACHE_MISS);
    vt_cache_destroy(c);
    c = new_cache(100, 1); /* bytes: the last one alone is too many, and goes */
    put(c, "/a", one, 200);
    assert_int_equal(find(c, "/a", one), VT_CACHE_MISS);
    vt_cache_destroy(c);
}

static void entity_tags(void **state)
{
    static const struct {
        const char *header;
        bool matches;
    } table[] = {
        {NULL, false},          {"", false},        {"\"a-1\"", true},
        {"W/\"a-1\"", true},    {"*", true},        {"\"x\", \"a-1\"", true},
        {"\"a-1", false},       {"a-1", false},     {"\"a-1\"x", false},
        {"\"x,\"a-1\"", false}, {"\"b-1\"", false}, {"\"x\"\"a-1\"", true},
        {",, ,\"a-1\" ", true},
    };
    char etag[VT_ETAG_MAX];
    (void)state;
    vt_etag((struct vt_version){.number = 1, .unix_us = 10}, etag);
    assert_string_equal(etag, "\"a-1\"");
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        if (vt_etag_matches(table[i].header, etag) != table[i].matches) {
            fail_msg("%s", table[i].header);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(all_who_ask_wait_for_one),
        cmocka_unit_test(errors_are_not_kept),
        cmocka_unit_test(a_later_sample_is_another_answer),
        cmocka_unit_test(renewed_before_it_is_told_of),
        cmocka_unit_test(bounded),
        cmocka_unit_test(entity_tags),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
