/* Browsers' files: which one a target means, their types and tags, and a folder in place of them.
 */
#include "tests/unit/harness.h"

#include "base/io.h"
#include "server/assets.h"

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

static void names(void **state)
{
    static const struct {
        const char *target, *name;
    } table[] = {
        {"/", "index.html"},
        {"/?x=/web/..", "index.html"},
        {"/web/app.js", "app.js"},
        {"/web/volume/march.frag?v=1", "volume/march.frag"},
        {"/web/a-b_c.d.e", "a-b_c.d.e"},
        {"", NULL},
        {"//", NULL},
        {"/web", NULL},
        {"/web/", NULL},
        {"/web/?app.js", NULL},
        {"/web//app.js", NULL},
        {"/web/volume/", NULL},
        {"/web/.git", NULL},
        {"/web/volume/.hidden.js", NULL},
        {"/web/..", NULL},
        {"/web/../web/app.js", NULL},
        {"/web/./app.js", NULL},
        {"/web/%2e%2e/app.js", NULL},
        {"/web/app%2ejs", NULL},
        {"/web/a\\b.js", NULL},
        {"/web/a b.js", NULL},
        {"/web/\xc3\xa4.js", NULL},
        {"/webapp.js", NULL},
        {"/api/v1/vms", NULL},
    };
    char name[VT_ASSET_NAME_MAX + 1], longest[VT_ASSET_NAME_MAX + 8] = VT_ASSETS_PREFIX;
    (void)state;
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        bool any = vt_asset_name(table[i].target, name);
        if (any != (table[i].name != NULL) || (any && strcmp(name, table[i].name) != 0)) {
            fail_msg("%s: %s", table[i].target, any ? name : "no file");
        }
    }
    memset(longest + 5, 'a', VT_ASSET_NAME_MAX);
    assert_true(vt_asset_name(longest, name));
    assert_int_equal(strlen(name), VT_ASSET_NAME_MAX);
    longest[5 + VT_ASSET_NAME_MAX] = 'a';
    assert_false(vt_asset_name(longest, name));
}

static const char *header(const struct vt_reply *reply, const char *name)
{
    const char *value = MHD_get_response_header(reply->mhd, name);
    assert_non_null(value);
    return value;
}

/* What is compiled in can be served, all of it, and is what it was. */
static void compiled_in(void **state)
{
    struct vt_assets *assets;
    char target[VT_ASSET_NAME_MAX + 8], name[VT_ASSET_NAME_MAX + 1];
    bool page = false;
    (void)state;
    assert_int_equal(vt_assets_create(NULL, &assets, NULL), 0);
    for (const struct vt_embedded *f = vt_web_files; f->name != NULL; f++) {
        snprintf(target, sizeof target, VT_ASSETS_PREFIX "%s", f->name);
        if (!vt_asset_name(target, name) || vt_asset_type(name) == NULL) {
            fail_msg("web/%s cannot be served: its name, or no type for its ending", f->name);
        }
        assert_string_equal(name, f->name);
        struct vt_reply *r = vt_assets_reply(assets, name, "\"another\"");
        assert_int_equal(r->status, 200);
        assert_int_equal(r->bytes, f->size);
        assert_memory_equal(r->body, f->bytes, f->size);
        assert_string_equal(header(r, "Content-Type"), vt_asset_type(name));
        assert_string_equal(header(r, "Cache-Control"), "no-cache");
        assert_string_equal(header(r, "X-Content-Type-Options"), "nosniff");
        assert_ptr_equal(strstr(header(r, "Content-Security-Policy"), "default-src 'none'"),
                         header(r, "Content-Security-Policy"));
        struct vt_reply *same = vt_assets_reply(assets, name, header(r, "ETag"));
        assert_int_equal(same->status, 304);
        assert_int_equal(same->bytes, 0);
        assert_string_equal(header(same, "ETag"), header(r, "ETag"));
        vt_reply_drop(same);
        vt_reply_drop(r);
        page |= strcmp(name, "index.html") == 0;
    }
    assert_true(page);
    struct vt_reply *none = vt_assets_reply(assets, "nothing.js", NULL);
    assert_int_equal(none->status, 404);
    vt_reply_drop(none);
    vt_assets_destroy(assets);
}

static unsigned status(struct vt_assets *assets, const char *name)
{
    struct vt_reply *r = vt_assets_reply(assets, name, NULL);
    unsigned was = r->status;
    vt_reply_drop(r);
    return was;
}

static void write_file(const char *dir, const char *name, const char *text)
{
    char path[PATH_MAX];
    snprintf(path, sizeof path, "%s/%s", dir, name);
    assert_int_equal(vt_write_file_atomic(path, text, strlen(text), 0600, NULL), 0);
}

/* It is read anew each time; nothing outside of it is, by whatever way. */
static void folder(void **state)
{
    char web[256], path[PATH_MAX];
    struct vt_assets *assets;
    struct vt_error err;
    snprintf(web, sizeof web, "%s/web", (char *)*state);
    assert_int_equal(vt_assets_create(web, &assets, &err), VT_E_NOT_FOUND);
    assert_int_equal(mkdir(web, 0700), 0);
    write_file(*state, "outside.js", "secret");
    write_file(web, "a.js", "one");
    write_file(web, "b.bin", "no type");
    snprintf(path, sizeof path, "%s/inside.js", web);
    assert_int_equal(symlink("a.js", path), 0);
    snprintf(path, sizeof path, "%s/escapes.js", web);
    assert_int_equal(symlink("../outside.js", path), 0);
    snprintf(path, sizeof path, "%s/absolute", web);
    assert_int_equal(symlink(*state, path), 0);
    snprintf(path, sizeof path, "%s/pipe.js", web);
    assert_int_equal(mkfifo(path, 0600), 0);
    snprintf(path, sizeof path, "%s/folder.js", web);
    assert_int_equal(mkdir(path, 0700), 0);

    assert_int_equal(vt_assets_create(web, &assets, &err), 0);
    struct vt_reply *one = vt_assets_reply(assets, "a.js", NULL);
    assert_int_equal(one->status, 200);
    assert_int_equal(one->bytes, 3);
    struct vt_reply *same = vt_assets_reply(assets, "a.js", header(one, "ETag"));
    assert_int_equal(same->status, 304);
    write_file(web, "a.js", "two!");
    struct vt_reply *two = vt_assets_reply(assets, "a.js", header(one, "ETag"));
    assert_int_equal(two->status, 200);
    assert_memory_equal(two->body, "two!", 4);
    assert_string_not_equal(header(two, "ETag"), header(one, "ETag"));
    vt_reply_drop(one);
    vt_reply_drop(same);
    vt_reply_drop(two);

    assert_int_equal(status(assets, "inside.js"), 200);
    assert_int_equal(status(assets, "escapes.js"), 404);
    assert_int_equal(status(assets, "absolute/outside.js"), 404);
    assert_int_equal(status(assets, "pipe.js"), 404);
    assert_int_equal(status(assets, "folder.js"), 404);
    assert_int_equal(status(assets, "b.bin"), 404);
    assert_int_equal(status(assets, "nothing.js"), 404);
    vt_assets_destroy(assets);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names),
        cmocka_unit_test(compiled_in),
        vt_test_in_dir(folder),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
