/* What clients of a volume may say, and what they are told when they say anything else. */
#include "tests/unit/harness.h"

#include "server/stream_wish.h"

#include <string.h>

static struct vt_wish wish_of(const char *text)
{
    struct vt_wish wish;
    struct vt_error err;
    if (vt_wish_parse(text, strlen(text), &wish, &err) != 0) {
        fail_msg("%s: %s", text, err.message);
    }
    return wish;
}

static void what_there_is_to_say(void **state)
{
    struct vt_wish w;
    (void)state;
    w = wish_of("{\"type\":\"start\",\"level\":2,\"hz\":30,\"credit\":4194304}");
    assert_int_equal(w.kind, VT_WISH_START);
    assert_int_equal(w.level, 2);
    assert_true(w.hz == 30.0);
    assert_int_equal(w.credit, 4194304);
    w = wish_of("{\"type\":\"credit\",\"bytes\":0}");
    assert_int_equal(w.kind, VT_WISH_CREDIT);
    w = wish_of("{\"level\":4,\"type\":\"level\"}");
    assert_int_equal(w.kind, VT_WISH_LEVEL);
    assert_int_equal(w.level, 4);
    w = wish_of("{\"type\":\"hz\",\"hz\":0}");
    assert_int_equal(w.kind, VT_WISH_HZ);
    assert_true(w.hz == 0.0);
    w = wish_of("{\"type\":\"fine\",\"level\":0,\"pages\":[[0,16],[4294967295,1]]}");
    assert_int_equal(w.kind, VT_WISH_FINE);
    assert_int_equal(w.n_runs, 2);
    assert_int_equal(w.runs[0].pages, 16);
    assert_int_equal(w.runs[1].first, UINT32_MAX);
    vt_wish_fini(&w);
    w = wish_of("{\"type\":\"fine\",\"level\":1,\"pages\":[]}");
    assert_int_equal(w.n_runs, 0);
    vt_wish_fini(&w);
    w = wish_of("{\"type\":\"pick\",\"id\":7,\"x\":1919,\"y\":0}");
    assert_int_equal(w.kind, VT_WISH_PICK);
    assert_int_equal(w.pick.x, 1919);
}

#define CAMERA                                                                                     \
    "\"camera\":{\"eye\":[0.5,0.5,3],\"target\":[0.5,0.5,0.5],\"up\":[0,1,0],\"fov_y\":0.8}"

static void views(void **state)
{
    struct vt_wish w;
    struct vt_scene usual;
    (void)state;
    w = wish_of("{\"type\":\"view\",\"id\":3,\"width\":0}");
    assert_int_equal(w.kind, VT_WISH_VIEW);
    assert_int_equal(w.view.width, 0);
    w = wish_of("{\"type\":\"view\",\"id\":4,\"width\":640,\"height\":360," CAMERA "}");
    vt_scene_init(&usual);
    assert_memory_equal(&w.view.scene, &usual, sizeof usual);
    assert_int_equal(w.view.quality, 80);
    assert_false(w.view.moving);
    assert_false(w.view.h264);
    assert_true(w.view.camera.eye[2] == 3.0);
    w = wish_of(
        "{\"type\":\"view\",\"id\":4,\"width\":16,\"height\":16," CAMERA ","
        "\"quality\":100,\"moving\":true,\"codec\":\"h264\",\"scene\":{\"palette\":\"colorblind\","
        "\"opacity\":\"0:0 255:1\",\"density\":2,\"heat\":false,\"heat_s\":0.5,"
        "\"dim_others\":false,\"slices\":[0.25,null,1],\"clip_min\":[0,0,0.5],"
        "\"clip_max\":[1,1,1],\"only_pid\":42,\"boxes\":false,\"labels\":false,"
        "\"frame\":false,\"background\":\"#102030\",\"method\":\"slices\","
        "\"class_opacity\":{\"page_table\":0.5,\"zero\":0}}}");
    assert_int_equal(w.view.scene.palette, VT_PALETTE_COLORBLIND);
    assert_true(w.view.scene.opacity[255] == 1.0f);
    assert_true(w.view.scene.slice_on[0] && !w.view.scene.slice_on[1] && w.view.scene.slice_on[2]);
    assert_true(w.view.scene.slice[0] == 0.25f);
    assert_true(w.view.scene.clip_min[2] == 0.5f);
    assert_int_equal(w.view.only_pid, 42);
    assert_int_equal(w.view.scene.background.b, 0x30);
    assert_int_equal(w.view.method, VT_METHOD_SLICES);
    assert_true(w.view.scene.class_opacity[VT_CLASS_PAGE_TABLE] == 0.5f);
    assert_true(w.view.moving && w.view.h264 && w.view.quality == 100);
}

static void nonsense(void **state)
{
    static const struct {
        const char *text, *why;
    } table[] = {
        {"", "no JSON"},
        {"x", "no JSON"},
        {"[]", "type"},
        {"{}", "type"},
        {"{\"type\":1}", "type"},
        {"{\"type\":\"stop\"}", "no type 'stop'"},
        {"{\"type\":\"hz\",\"type\":\"hz\",\"hz\":1}", "no JSON"},
        {"{\"type\":\"hz\"}", "'hz' is missing"},
        {"{\"type\":\"hz\",\"hz\":1,\"fast\":true}", "no member 'fast'"},
        {"{\"type\":\"hz\",\"hz\":61}", "0 to 60"},
        {"{\"type\":\"hz\",\"hz\":-1}", "0 to 60"},
        {"{\"type\":\"hz\",\"hz\":\"1\"}", "0 to 60"},
        {"{\"type\":\"hz\",\"hz\":1e999}", "no JSON"},
        {"{\"type\":\"start\",\"level\":0,\"hz\":0,\"credit\":1}", "1 to 60"},
        {"{\"type\":\"start\",\"level\":5,\"hz\":1,\"credit\":1}", "0 to 4"},
        {"{\"type\":\"start\",\"level\":1.0,\"hz\":1,\"credit\":1}", "0 to 4"},
        {"{\"type\":\"start\",\"level\":1,\"hz\":1,\"credit\":-1}", "credit"},
        {"{\"type\":\"credit\",\"bytes\":4294967296}", "bytes"},
        {"{\"type\":\"fine\",\"level\":0,\"pages\":{}}", "runs"},
        {"{\"type\":\"fine\",\"level\":0,\"pages\":[1]}", "a run is"},
        {"{\"type\":\"fine\",\"level\":0,\"pages\":[[1]]}", "a run is"},
        {"{\"type\":\"fine\",\"level\":0,\"pages\":[[1,-1]]}", "pages"},
        {"{\"type\":\"view\",\"id\":1,\"width\":15}", "16 to 1920"},
        {"{\"type\":\"view\",\"id\":1,\"width\":16," CAMERA "}", "16 to 1080"},
        {"{\"type\":\"view\",\"id\":1,\"width\":16,\"height\":1081," CAMERA "}", "1080"},
        {"{\"type\":\"view\",\"id\":1,\"width\":16,\"height\":16}", "'camera' is missing"},
        {"{\"type\":\"view\",\"id\":1,\"width\":0,\"camera\":{}}", "'eye' is missing"},
        {"{\"type\":\"view\",\"id\":1,\"width\":0,\"quality\":0}", "quality"},
        {"{\"type\":\"view\",\"id\":1,\"width\":0,\"scene\":{\"opacity\":\"1:2\"}}", ""},
        {"{\"type\":\"view\",\"id\":1,\"width\":0,\"scene\":{\"slices\":[2,null,null]}}", "0 to 1"},
        {"{\"type\":\"view\",\"id\":1,\"width\":0,\"scene\":{\"slices\":[null,null]}}", "three"},
        {"{\"type\":\"view\",\"id\":1,\"width\":0,\"scene\":{\"class_opacity\":{\"x\":1}}}",
         "no class"},
        {"{\"type\":\"view\",\"id\":1,\"width\":0,\"scene\":{\"background\":\"mud\"}}", ""},
        {"{\"type\":\"view\",\"id\":1,\"width\":0,\"scene\":{\"method\":\"rays\"}}", "march"},
        {"{\"type\":\"pick\",\"id\":1,\"x\":1920,\"y\":0}", "x:"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        struct vt_wish wish = {.n_runs = 77};
        struct vt_error err = {.message = ""};
        int rc = vt_wish_parse(table[i].text, strlen(table[i].text), &wish, &err);
        if (rc != VT_E_INVAL || strstr(err.message, table[i].why) == NULL || wish.n_runs != 77) {
            fail_msg("%s: %d, %s", table[i].text, rc, err.message);
        }
    }
}

static void no_more_runs_than_there_may_be(void **state)
{
    static char text[VT_STREAM_FINE_RUNS_MAX * 6 + 100];
    struct vt_wish wish;
    (void)state;
    for (size_t n = VT_STREAM_FINE_RUNS_MAX; n <= VT_STREAM_FINE_RUNS_MAX + 1; n++) {
        size_t at =
            (size_t)snprintf(text, sizeof text, "{\"type\":\"fine\",\"level\":0,\"pages\":[");
        for (size_t i = 0; i < n; i++) {
            at += (size_t)snprintf(text + at, sizeof text - at, "%s[1,1]", i > 0 ? "," : "");
        }
        snprintf(text + at, sizeof text - at, "]}");
        int rc = vt_wish_parse(text, strlen(text), &wish, NULL);
        assert_int_equal(rc, n > VT_STREAM_FINE_RUNS_MAX ? VT_E_INVAL : 0);
        if (rc == 0) {
            vt_wish_fini(&wish);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_there_is_to_say),
        cmocka_unit_test(views),
        cmocka_unit_test(nonsense),
        cmocka_unit_test(no_more_runs_than_there_may_be),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
