/* Words and colours: kernel yellow, code blue, stack green, heap red, and none like another. */
#include "tests/unit/harness.h"

#include "vitrine/volume.h"

#include <stdlib.h>
#include <string.h>

static void colours_say_what_they_should(void **state)
{
    (void)state;
    struct vt_colour kernel = vt_palette_class(VT_PALETTE_DEFAULT, VT_CLASS_KERNEL_TEXT);
    struct vt_colour code = vt_palette_class(VT_PALETTE_DEFAULT, VT_CLASS_USER_CODE);
    struct vt_colour stack = vt_palette_class(VT_PALETTE_DEFAULT, VT_CLASS_USER_STACK);
    struct vt_colour heap = vt_palette_class(VT_PALETTE_DEFAULT, VT_CLASS_USER_HEAP);
    assert_true(kernel.r > 200 && kernel.g > 200 && kernel.b < 120);
    assert_true(code.b > 200 && code.b > code.g + 80 && code.b > code.r + 80);
    assert_true(stack.g > 180 && stack.g > stack.r + 80 && stack.g > stack.b + 80);
    assert_true(heap.r > 200 && heap.r > heap.g + 80 && heap.r > heap.b + 80);
}

/* The classes of one picture: those of an understood guest, or those by contents. */
static bool together(enum vt_page_class a, enum vt_page_class b)
{
    bool by_contents = a >= VT_CLASS_LIKE_TEXT || b >= VT_CLASS_LIKE_TEXT;
    bool understood = (a > VT_CLASS_FREE && a < VT_CLASS_LIKE_TEXT) ||
                      (b > VT_CLASS_FREE && b < VT_CLASS_LIKE_TEXT);
    return !(by_contents && understood);
}

static void no_two_are_alike(void **state)
{
    (void)state;
    for (enum vt_palette p = VT_PALETTE_DEFAULT; p <= VT_PALETTE_COLORBLIND; p++) {
        for (enum vt_page_class a = VT_CLASS_HOLE; a < VT_CLASSES; a++) {
            for (enum vt_page_class b = VT_CLASS_HOLE; b < a; b++) {
                struct vt_colour x = vt_palette_class(p, a), y = vt_palette_class(p, b);
                int apart = abs(x.r - y.r) + abs(x.g - y.g) + abs(x.b - y.b);
                assert_true(!together(a, b) || apart >= 40);
            }
        }
    }
}

static void owners_differ_in_lightness(void **state)
{
    (void)state;
    int before = 3 * 255 + 1;
    for (unsigned owner = 0; owner < 6; owner++) {
        struct vt_colour c = vt_palette_owner(VT_PALETTE_DEFAULT, VT_CLASS_USER_ANON, owner, 6);
        int sum = c.r + c.g + c.b;
        assert_true(sum < before - 20);
        before = sum;
    }
    vt_palette_owner(VT_PALETTE_DEFAULT, VT_CLASS_USER_ANON, 0, 1);
}

static void every_class_has_its_words(void **state)
{
    (void)state;
    for (enum vt_page_class a = VT_CLASS_HOLE; a < VT_CLASSES; a++) {
        assert_true(strlen(vt_class_title(a)) > 2);
        for (enum vt_page_class b = VT_CLASS_HOLE; b < a; b++) {
            assert_string_not_equal(vt_class_name(a), vt_class_name(b));
        }
    }
    assert_string_equal(vt_class_name(VT_CLASSES), "unknown");
    enum vt_palette palette = VT_PALETTE_DEFAULT;
    struct vt_error err;
    assert_int_equal(vt_palette_parse("colorblind", &palette, &err), 0);
    assert_int_equal(palette, VT_PALETTE_COLORBLIND);
    assert_int_equal(vt_palette_parse("", &palette, &err), VT_E_INVAL);
    assert_int_equal(palette, VT_PALETTE_COLORBLIND);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(colours_say_what_they_should),
        cmocka_unit_test(no_two_are_alike),
        cmocka_unit_test(owners_differ_in_lightness),
        cmocka_unit_test(every_class_has_its_words),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
