/* tools/font-outlines.c - at build time: glyph outlines of font files as a C table for src/volume.
 *
 *   font-outlines NAME=FILE [NAME=FILE …] > font_data.c
 *
 * Outlines, not bitmaps, so that one table serves pictures of any width, and nothing about fonts
 * has to be installed where vitrine runs. Written for Inter (Debian's fonts-inter, The Inter
 * Project Authors, SIL Open Font License 1.1, which allows embedding); any font FreeType can scale
 * will do.
 */
#include <ft2build.h>
#include FT_FREETYPE_H
#include FT_OUTLINE_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* What the legend is written with, beside ASCII: no-break space, middle dot, times, dashes,
 * ellipsis. */
static const unsigned long extra[] = {0x00a0, 0x00b7, 0x00d7, 0x2013, 0x2014, 0x2026};

static unsigned n_values;

static void value(long v)
{
    printf("%ld,%s", v, ++n_values % 20 == 0 ? "\n    " : "");
}

static int move_to(const FT_Vector *to, void *arg)
{
    (void)arg;
    value(0);
    value(to->x);
    value(to->y);
    return 0;
}

static int line_to(const FT_Vector *to, void *arg)
{
    (void)arg;
    value(1);
    value(to->x);
    value(to->y);
    return 0;
}

static int conic_to(const FT_Vector *control, const FT_Vector *to, void *arg)
{
    (void)arg;
    value(2);
    value(control->x);
    value(control->y);
    value(to->x);
    value(to->y);
    return 0;
}

static int cubic_to(const FT_Vector *a, const FT_Vector *b, const FT_Vector *to, void *arg)
{
    (void)arg;
    value(3);
    value(a->x);
    value(a->y);
    value(b->x);
    value(b->y);
    value(to->x);
    value(to->y);
    return 0;
}

struct glyph {
    unsigned long code;
    long advance;
    unsigned first, count;
};

static void fail(const char *what, const char *name)
{
    fprintf(stderr, "font-outlines: %s: %s\n", name, what);
    exit(1);
}

static void emit(FT_Library library, const char *name, const char *file)
{
    static const FT_Outline_Funcs funcs = {move_to, line_to, conic_to, cubic_to, 0, 0};
    struct glyph glyphs[95 + sizeof extra / sizeof extra[0]];
    unsigned n = 0;
    FT_Face face;
    if (FT_New_Face(library, file, 0, &face) != 0) {
        fail("not a font FreeType can read", file);
    }
    n_values = 0;
    printf("static const int16_t %s_outlines[] = {\n    ", name);
    for (unsigned i = 0; i < sizeof glyphs / sizeof glyphs[0]; i++) {
        unsigned long code = i < 95 ? 32 + i : extra[i - 95];
        FT_UInt index = FT_Get_Char_Index(face, code);
        if (index == 0 || FT_Load_Glyph(face, index, FT_LOAD_NO_SCALE) != 0) {
            fail("lacks a glyph the legend needs", file);
        }
        glyphs[n].code = code;
        glyphs[n].advance = face->glyph->metrics.horiAdvance;
        glyphs[n].first = n_values;
        FT_Outline_Decompose(&face->glyph->outline, &funcs, NULL);
        glyphs[n].count = n_values - glyphs[n].first;
        n++;
    }
    printf("\n};\nstatic const struct vt_glyph %s_glyphs[] = {\n", name);
    for (unsigned i = 0; i < n; i++) {
        printf("    {0x%lx, %ld, %u, %u},\n", glyphs[i].code, glyphs[i].advance, glyphs[i].first,
               glyphs[i].count);
    }
    printf("};\nconst struct vt_font vt_font_%s = {%u, %u, %s_glyphs, %s_outlines};\n", name,
           (unsigned)face->units_per_EM, n, name, name);
    FT_Done_Face(face);
}

int main(int argc, char **argv)
{
    FT_Library library;
    if (FT_Init_FreeType(&library) != 0) {
        fail("cannot be started", "FreeType");
    }
    puts("/* Made by tools/font-outlines. */\n#include \"volume/font.h\"\n");
    for (int i = 1; i < argc; i++) {
        char *file = strchr(argv[i], '=');
        if (file == NULL) {
            fail("not NAME=FILE", argv[i]);
        }
        *file++ = '\0';
        emit(library, argv[i], file);
    }
    FT_Done_FreeType(library);
    return fflush(stdout) != 0 || ferror(stdout);
}
