/* tests/web/bench/gles.c - how fast the browser's shaders draw, without a browser: the files of
 * web/volume as they are, OpenGL ES 3 through EGL without a window, textures as
 * web/volume/textures.js fills them. Without arguments it says how it is called. Prints JSON: for
 * each size, resolution and method what a frame took from the first command until the device was
 * done, median and 99th percentile, while the camera goes round.
 *
 *   device     EGL: a GPU if there is one, else software
 *   volume     synthetic RAM (cli/bench_synthetic.h) as textures
 *   program    uniforms from the native renderer's own look (volume/march.h)
 *   frames
 */
#include "base/io.h"
#include "base/json_writer.h"
#include "cli/bench_synthetic.h"
#include "volume/hilbert3d.h"
#include "volume/march.h"

#define EGL_EGLEXT_PROTOTYPES
#include <EGL/egl.h>
#include <EGL/eglext.h>
#include <GLES3/gl3.h>
#include <inttypes.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define COLUMN 64u
#define TABLE_WIDTH 1024u
#define COLOURS_WIDTH 512u
#define COLOURS_ROWS 33u
#define LEVELS 5u
#define COARSEST 4u
#define TILE_LEVEL 4u
#define CELLS_MAX (UINT64_C(128) << 20) /* as web/volume/level.js */
#define CASES_MAX 8u

static void die(const char *format, ...) __attribute__((format(printf, 1, 2), noreturn));
static void die(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    vfprintf(stderr, format, args);
    va_end(args);
    fputc('\n', stderr);
    exit(1);
}

static void *need(size_t bytes)
{
    void *p = calloc(1, bytes);
    if (p == NULL) {
        die("out of memory");
    }
    return p;
}

/* ---- device ---- */

static bool begin_on(EGLDisplay display)
{
    static const EGLint attributes[] = {EGL_CONTEXT_CLIENT_VERSION, 3, EGL_NONE};
    if (display == EGL_NO_DISPLAY || !eglInitialize(display, NULL, NULL)) {
        return false;
    }
    eglBindAPI(EGL_OPENGL_ES_API);
    EGLContext context = eglCreateContext(display, EGL_NO_CONFIG_KHR, EGL_NO_CONTEXT, attributes);
    return context != EGL_NO_CONTEXT &&
           eglMakeCurrent(display, EGL_NO_SURFACE, EGL_NO_SURFACE, context);
}

static bool is_software(void)
{
    const char *name = (const char *)glGetString(GL_RENDERER);
    return name != NULL && (strstr(name, "llvmpipe") != NULL || strstr(name, "softpipe") != NULL);
}

static void open_device(bool software)
{
    PFNEGLQUERYDEVICESEXTPROC query =
        (PFNEGLQUERYDEVICESEXTPROC)eglGetProcAddress("eglQueryDevicesEXT");
    PFNEGLGETPLATFORMDISPLAYEXTPROC display_of =
        (PFNEGLGETPLATFORMDISPLAYEXTPROC)eglGetProcAddress("eglGetPlatformDisplayEXT");
    EGLDeviceEXT devices[16];
    EGLint n = 0;
    if (display_of == NULL) {
        die("EGL has no platforms");
    }
    for (EGLint i = 0; !software && query != NULL && query(16, devices, &n) && i < n; i++) {
        if (begin_on(display_of(EGL_PLATFORM_DEVICE_EXT, devices[i], NULL)) && !is_software()) {
            return;
        }
    }
    if (!begin_on(display_of(EGL_PLATFORM_SURFACELESS_MESA, EGL_DEFAULT_DISPLAY, NULL))) {
        die("no OpenGL ES 3 through EGL without a window");
    }
}

/* ---- volume ---- */

struct columns {
    unsigned shift, width, height;
};

struct volume {
    const uint8_t *bytes, *classes, *owners;
    const struct vt_highlights *highlights;
    uint64_t n_pages;
    unsigned order, base;
    uint32_t grid[3], skips[3];
    struct columns columns[LEVELS];
    GLuint cells[LEVELS], bricks, skip, offsets, attributes, newest, slots, opacities, colours;
    uint64_t texture_bytes;
};

static uint32_t cells_of(unsigned level)
{
    return 4096u >> 3 * level;
}

static struct columns columns_of(unsigned level, uint64_t places, unsigned side_max)
{
    uint64_t c = cells_of(level), rows = (places * c + COLUMN - 1) / COLUMN;
    unsigned height = c > COLUMN ? (unsigned)(c / COLUMN) : 1, shift = 0;
    while (height < rows && height * 2 <= side_max) {
        height *= 2;
    }
    while ((UINT64_C(1) << shift) * c < (uint64_t)height * COLUMN) {
        shift++;
    }
    uint64_t n = (places + (UINT64_C(1) << shift) - 1) >> shift;
    return (struct columns){shift, (unsigned)n * COLUMN, height};
}

static GLuint texture(struct volume *v, GLenum target, GLenum format, unsigned x, unsigned y,
                      unsigned z, unsigned texel_bytes)
{
    GLuint t;
    glGenTextures(1, &t);
    glBindTexture(target, t);
    glTexParameteri(target, GL_TEXTURE_MIN_FILTER, GL_NEAREST);
    glTexParameteri(target, GL_TEXTURE_MAG_FILTER, GL_NEAREST);
    if (target == GL_TEXTURE_3D) {
        glTexStorage3D(target, 1, format, (GLsizei)x, (GLsizei)y, (GLsizei)z);
    } else {
        glTexStorage2D(target, 1, format, (GLsizei)x, (GLsizei)y);
    }
    v->texture_bytes += (uint64_t)x * y * z * texel_bytes;
    return t;
}

static uint8_t mean(uint32_t sum, unsigned shift)
{
    uint32_t rounded = (sum + (1u << (shift - 1))) >> shift;
    return (uint8_t)(rounded == 0 && sum > 0 ? 1 : rounded);
}

/* A level of all pages; `finer` is the next finer one's cells, or the bytes. */
static uint8_t *coarser(const uint8_t *finer, uint64_t cells)
{
    uint8_t *out = need((cells + COLUMN) & ~(uint64_t)(COLUMN - 1));
    for (uint64_t i = 0; i < cells; i++) {
        uint32_t sum = 0;
        for (unsigned k = 0; k < 8; k++) {
            sum += finer[i * 8 + k];
        }
        out[i] = mean(sum, 3);
    }
    return out;
}

static void make_cells(struct volume *v, unsigned level, const uint8_t *cells, unsigned side_max)
{
    struct columns c = v->columns[level] = columns_of(level, v->n_pages, side_max);
    v->cells[level] = texture(v, GL_TEXTURE_2D, GL_R8UI, c.width, c.height, 1, 1);
    uint64_t total = v->n_pages * cells_of(level), column = (uint64_t)c.height * COLUMN;
    for (uint64_t at = 0, x = 0; at < total; at += column, x += COLUMN) {
        uint64_t rows = ((total - at < column ? total - at : column) + COLUMN - 1) / COLUMN;
        glTexSubImage2D(GL_TEXTURE_2D, 0, (GLint)x, 0, COLUMN, (GLsizei)rows, GL_RED_INTEGER,
                        GL_UNSIGNED_BYTE, cells + at);
    }
}

static GLuint table(struct volume *v, const uint32_t *words)
{
    unsigned rows = (unsigned)((v->n_pages + TABLE_WIDTH - 1) / TABLE_WIDTH);
    GLuint t = texture(v, GL_TEXTURE_2D, GL_R32UI, TABLE_WIDTH, rows, 1, 4);
    glTexSubImage2D(GL_TEXTURE_2D, 0, 0, 0, TABLE_WIDTH, (GLsizei)rows, GL_RED_INTEGER,
                    GL_UNSIGNED_INT, words);
    return t;
}

/* A node of 2^m bricks whose children have nothing becomes one. */
static void join_node(const struct volume *v, uint8_t *skip, unsigned m, const uint32_t at[3])
{
    uint32_t half = 1u << (m - 1), size = 1u << m;
    uint64_t sx = v->skips[0], sy = v->skips[1];
    for (unsigned k = 0; k < 8; k++) {
        uint64_t z = at[2] + (k >> 2) * half, y = at[1] + (k >> 1 & 1) * half;
        if (skip[(z * sy + y) * sx + at[0] + (k & 1) * half] != m) {
            return;
        }
    }
    for (uint64_t z = at[2]; z < at[2] + size; z++) {
        for (uint64_t y = at[1]; y < at[1] + size; y++) {
            memset(skip + (z * sy + y) * sx + at[0], (int)m + 1, size);
        }
    }
}

/* web/volume/skip.js */
static void make_skips(struct volume *v, const uint8_t *empty)
{
    unsigned side = 1u << TILE_LEVEL;
    for (unsigned i = 0; i < 3; i++) {
        v->skips[i] = (v->grid[i] + side - 1) / side * side;
    }
    uint32_t sx = v->skips[0], sy = v->skips[1], sz = v->skips[2], at[3];
    uint8_t *skip = need((size_t)sx * sy * sz);
    memset(skip, 1, (size_t)sx * sy * sz);
    for (uint32_t z = 0; z < v->grid[2]; z++) {
        for (uint32_t y = 0; y < v->grid[1]; y++) {
            memcpy(skip + ((uint64_t)z * sy + y) * sx,
                   empty + ((uint64_t)z * v->grid[1] + y) * v->grid[0], v->grid[0]);
        }
    }
    for (unsigned m = 1; m <= TILE_LEVEL; m++) {
        for (at[2] = 0; at[2] < sz; at[2] += 1u << m) {
            for (at[1] = 0; at[1] < sy; at[1] += 1u << m) {
                for (at[0] = 0; at[0] < sx; at[0] += 1u << m) {
                    join_node(v, skip, m, at);
                }
            }
        }
    }
    v->skip = texture(v, GL_TEXTURE_3D, GL_R8UI, sx, sy, sz, 1);
    glTexSubImage3D(GL_TEXTURE_3D, 0, 0, 0, 0, (GLsizei)sx, (GLsizei)sy, (GLsizei)sz,
                    GL_RED_INTEGER, GL_UNSIGNED_BYTE, skip);
    free(skip);
}

static void make_bricks(struct volume *v, const struct vt_bricks *tables, const uint8_t *coarsest,
                        const struct vt_scene *scene)
{
    uint64_t n = (uint64_t)v->grid[0] * v->grid[1] * v->grid[2];
    uint32_t *words = need(n * sizeof *words), brick[3];
    uint8_t *empty = need(n);
    memset(words, 0xff, n * sizeof *words);
    memset(empty, 1, n);
    for (uint64_t page = 0; page < v->n_pages; page++) {
        unsigned orientation = vt_brick_of_page(tables, v->order, page, brick);
        uint64_t at = ((uint64_t)brick[2] * v->grid[1] + brick[1]) * v->grid[0] + brick[0];
        if (v->classes[page] != VT_CLASS_HOLE) {
            words[at] = (uint32_t)page << 6 | orientation;
            empty[at] = coarsest[page] == 0 || scene->class_opacity[v->classes[page]] <= 0;
        }
    }
    v->bricks = texture(v, GL_TEXTURE_3D, GL_R32UI, v->grid[0], v->grid[1], v->grid[2], 4);
    glTexSubImage3D(GL_TEXTURE_3D, 0, 0, 0, 0, (GLsizei)v->grid[0], (GLsizei)v->grid[1],
                    (GLsizei)v->grid[2], GL_RED_INTEGER, GL_UNSIGNED_INT, words);
    make_skips(v, empty);
    free(words);
    free(empty);
}

/* Every 500th page was written lately; highlights as they are. */
static void make_tables(struct volume *v)
{
    size_t n = (v->n_pages + TABLE_WIDTH - 1) / TABLE_WIDTH * TABLE_WIDTH;
    uint32_t *attributes = need(n * 4), *newest = need(n * 4);
    for (uint64_t page = 0; page < v->n_pages; page++) {
        attributes[page] = VT_ATTRIBUTES(v->classes[page], v->owners[page], 0);
        newest[page] = page % 500 == 0 ? 9000 + (uint32_t)(page % 1000) : 1;
    }
    for (size_t i = 0; i < v->highlights->n; i++) {
        const struct vt_highlight *h = &v->highlights->all[i];
        for (size_t r = 0; r < h->n_runs; r++) {
            uint64_t first = h->runs[r].gpa.v / 4096, end = first + h->runs[r].bytes / 4096;
            for (; first < end && first < v->n_pages; first++) {
                attributes[first] = (attributes[first] & 0xffff) | (uint32_t)(i + 1) << 16;
            }
        }
    }
    v->attributes = table(v, attributes);
    v->newest = table(v, newest);
    v->slots = texture(v, GL_TEXTURE_2D, GL_R32UI, TABLE_WIDTH, 1, 1, 4);
    free(attributes);
    free(newest);
}

static void make_look_tables(struct volume *v, const struct vt_march_look *look)
{
    uint32_t *colours = need((size_t)COLOURS_WIDTH * COLOURS_ROWS * 4);
    for (unsigned c = 0; c < 32; c++) {
        memcpy(colours + c * COLOURS_WIDTH, look->colours[c], sizeof look->colours[c]);
    }
    memcpy(colours + (size_t)32 * COLOURS_WIDTH, look->highlights, sizeof look->highlights);
    v->colours = texture(v, GL_TEXTURE_2D, GL_RGBA8, COLOURS_WIDTH, COLOURS_ROWS, 1, 4);
    glTexSubImage2D(GL_TEXTURE_2D, 0, 0, 0, COLOURS_WIDTH, COLOURS_ROWS, GL_RGBA, GL_UNSIGNED_BYTE,
                    colours);
    free(colours);
    v->opacities = texture(v, GL_TEXTURE_2D, GL_R32F, 256, 2, 1, 4);
    glTexSubImage2D(GL_TEXTURE_2D, 0, 0, 0, 256, 1, GL_RED, GL_FLOAT, look->absorption);
    glTexSubImage2D(GL_TEXTURE_2D, 0, 0, 1, 32, 1, GL_RED, GL_FLOAT, look->class_opacity);
}

static void make_volume(struct volume *v, const struct vt_synthetic *ram,
                        const struct vt_scene *scene, const struct vt_march_look *look)
{
    struct vt_bricks *tables = need(sizeof *tables);
    GLint side_max;
    glGetIntegerv(GL_MAX_TEXTURE_SIZE, &side_max);
    glPixelStorei(GL_UNPACK_ALIGNMENT, 1);
    while (v->base < COARSEST &&
           (v->n_pages * cells_of(v->base) > CELLS_MAX ||
            columns_of(v->base, v->n_pages, (unsigned)side_max).width > (unsigned)side_max)) {
        v->base++;
    }
    const uint8_t *cells = vt_synthetic_bytes(ram);
    uint8_t *made = NULL;
    for (unsigned level = 0; level < LEVELS; level++) {
        if (level > 0) {
            uint8_t *next = coarser(cells, v->n_pages * cells_of(level));
            free(made);
            cells = made = next;
        }
        if (level >= v->base) {
            make_cells(v, level, cells, (unsigned)side_max);
        } else {
            v->cells[level] = texture(v, GL_TEXTURE_2D, GL_R8UI, 1, 1, 1, 1);
        }
    }
    vt_bricks_init(tables);
    make_bricks(v, tables, made, scene);
    v->offsets = texture(v, GL_TEXTURE_2D, GL_R16UI, 4096, VT_ORIENTATIONS, 1, 2);
    glTexSubImage2D(GL_TEXTURE_2D, 0, 0, 0, 4096, VT_ORIENTATIONS, GL_RED_INTEGER,
                    GL_UNSIGNED_SHORT, tables->offset);
    make_tables(v);
    make_look_tables(v, look);
    free(made);
    free(tables);
    if (glGetError() != GL_NO_ERROR) {
        die("the device does not take the textures");
    }
}

static void drop_volume(struct volume *v)
{
    glDeleteTextures(LEVELS, v->cells);
    const GLuint rest[] = {v->bricks, v->skip,  v->offsets,   v->attributes,
                           v->newest, v->slots, v->opacities, v->colours};
    glDeleteTextures(sizeof rest / sizeof *rest, rest);
}

/* ---- program ---- */

static char *file(const char *folder, const char *name)
{
    char path[4096];
    if ((size_t)snprintf(path, sizeof path, "%s/volume/%s", folder, name) >= sizeof path) {
        die("%s: too long", folder);
    }
    FILE *f = fopen(path, "re");
    char *text = need(1 << 16);
    if (f == NULL || fread(text, 1, (1 << 16) - 1, f) == 0) {
        die("%s: cannot be read", path);
    }
    fclose(f);
    return text;
}

static void compile(GLuint program, GLenum type, const char *folder, const char *common,
                    const char *name)
{
    const char *parts[3] = {"#version 300 es\n", common, file(folder, name)};
    GLuint shader = glCreateShader(type);
    GLint ok;
    glShaderSource(shader, 3, parts, NULL);
    glCompileShader(shader);
    glGetShaderiv(shader, GL_COMPILE_STATUS, &ok);
    if (!ok) {
        char log[4096];
        glGetShaderInfoLog(shader, sizeof log, NULL, log);
        die("%s: %s", name, log);
    }
    glAttachShader(program, shader);
    free((char *)parts[2]);
}

static GLuint make_program(const char *folder, const char *fragment)
{
    GLuint program = glCreateProgram();
    GLint ok;
    char *common = file(folder, "common.glsl");
    compile(program, GL_VERTEX_SHADER, folder, "", "march.vert");
    compile(program, GL_FRAGMENT_SHADER, folder, common, fragment);
    free(common);
    glLinkProgram(program);
    glGetProgramiv(program, GL_LINK_STATUS, &ok);
    if (!ok) {
        die("%s does not link", fragment);
    }
    return program;
}

static void use_volume(const struct volume *v, GLuint p)
{
    static const char *const cells[] = {"cells0", "cells1", "cells2", "cells3", "cells4"};
    const struct {
        const char *name;
        GLenum target;
        GLuint texture;
    } rest[] = {
        {"offsets", GL_TEXTURE_2D, v->offsets}, {"attributes", GL_TEXTURE_2D, v->attributes},
        {"newest", GL_TEXTURE_2D, v->newest},   {"slots", GL_TEXTURE_2D, v->slots},
        {"colours", GL_TEXTURE_2D, v->colours}, {"opacities", GL_TEXTURE_2D, v->opacities},
        {"bricks", GL_TEXTURE_3D, v->bricks},   {"skips", GL_TEXTURE_3D, v->skip},
    };
    glUseProgram(p);
    for (unsigned i = 0; i < LEVELS + sizeof rest / sizeof *rest; i++) {
        glActiveTexture(GL_TEXTURE0 + i);
        if (i < LEVELS) {
            glBindTexture(GL_TEXTURE_2D, v->cells[i]);
        } else {
            glBindTexture(rest[i - LEVELS].target, rest[i - LEVELS].texture);
        }
        glUniform1i(glGetUniformLocation(p, i < LEVELS ? cells[i] : rest[i - LEVELS].name),
                    (GLint)i);
    }
    const struct columns *c = v->columns;
    glUniform4i(glGetUniformLocation(p, "column_shift"), (GLint)c[0].shift, (GLint)c[1].shift,
                (GLint)c[2].shift, (GLint)c[3].shift);
    glUniform1i(glGetUniformLocation(p, "column_shift4"), (GLint)c[4].shift);
    glUniform1i(glGetUniformLocation(p, "base_level"), (GLint)v->base);
    glUniform1i(glGetUniformLocation(p, "fine_level"), (GLint)v->base);
    glUniform3i(glGetUniformLocation(p, "grid"), (GLint)v->grid[0], (GLint)v->grid[1],
                (GLint)v->grid[2]);
    glUniform1i(glGetUniformLocation(p, "order"), (GLint)v->order);
}

static void use_look(const struct volume *v, const struct vt_march_look *l, GLuint p)
{
    float clip_max[3];
    for (unsigned i = 0; i < 3; i++) {
        clip_max[i] = fminf(l->clip_max[i], (float)v->grid[i] * 16);
    }
    glUniform3fv(glGetUniformLocation(p, "eye"), 1, l->eye);
    glUniform3fv(glGetUniformLocation(p, "forward"), 1, l->forward);
    glUniform3fv(glGetUniformLocation(p, "right"), 1, l->right);
    glUniform3fv(glGetUniformLocation(p, "up"), 1, l->up);
    glUniform4f(glGetUniformLocation(p, "pixel"), l->right[3], l->up[3], l->coarse,
                (float)l->height);
    glUniform3fv(glGetUniformLocation(p, "clip_min"), 1, l->clip_min);
    glUniform3fv(glGetUniformLocation(p, "clip_max"), 1, clip_max);
    glUniform3fv(glGetUniformLocation(p, "slice"), 1, l->slice);
    glUniform3i(glGetUniformLocation(p, "slice_on"), l->flags & 1, l->flags >> 1 & 1,
                l->flags >> 2 & 1);
    glUniform3fv(glGetUniformLocation(p, "background"), 1, l->background);
    glUniform1i(glGetUniformLocation(p, "heat"), (l->flags & VT_MARCH_HEAT) != 0);
    glUniform1i(glGetUniformLocation(p, "dim_plain"), (l->flags & VT_MARCH_DIM_PLAIN) != 0);
    glUniform1ui(glGetUniformLocation(p, "only_owner"), l->only_owner);
    glUniform1ui(glGetUniformLocation(p, "now_ms"), l->now_ms);
    glUniform1f(glGetUniformLocation(p, "heat_decay"), l->heat_decay);
}

/* ---- frames ---- */

struct bench {
    struct vt_json_writer w;
    const char *folder;
    uint64_t sizes[CASES_MAX];
    uint32_t resolutions[CASES_MAX][2];
    unsigned n_sizes, n_resolutions, frames, fill;
    bool software;
};

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* The share of pixels that are not background: nothing drawn would be fast, too. */
static double covered(uint32_t width, uint32_t height)
{
    uint8_t *rgba = need((size_t)width * height * 4);
    uint64_t n = 0, pixels = (uint64_t)width * height;
    glReadPixels(0, 0, (GLsizei)width, (GLsizei)height, GL_RGBA, GL_UNSIGNED_BYTE, rgba);
    for (uint64_t i = 0; i < pixels; i++) {
        n += memcmp(rgba + 4 * i, rgba, 3) != 0;
    }
    free(rgba);
    return (double)n / (double)pixels;
}

static void measure(struct bench *b, const struct volume *v, GLuint program, const char *method,
                    const uint32_t size[2], const struct vt_scene *scene,
                    const struct vt_march_facts *facts)
{
    double *ms = need(b->frames * sizeof *ms);
    GLuint target, framebuffer;
    struct vt_camera camera;
    const struct vt_box whole = {
        .max = {v->grid[0] * 16 - 1, v->grid[1] * 16 - 1, v->grid[2] * 16 - 1}};
    glGenTextures(1, &target);
    glGenFramebuffers(1, &framebuffer);
    glActiveTexture(GL_TEXTURE15);
    glBindTexture(GL_TEXTURE_2D, target);
    glTexStorage2D(GL_TEXTURE_2D, 1, GL_RGBA8, (GLsizei)size[0], (GLsizei)size[1]);
    glBindFramebuffer(GL_FRAMEBUFFER, framebuffer);
    glFramebufferTexture2D(GL_FRAMEBUFFER, GL_COLOR_ATTACHMENT0, GL_TEXTURE_2D, target, 0);
    glViewport(0, 0, (GLsizei)size[0], (GLsizei)size[1]);
    vt_camera_named("iso", &camera, NULL);
    vt_camera_frame(&camera, &whole, v->order, (double)size[0] / size[1]);
    use_volume(v, program);
    for (unsigned i = 0; i <= b->frames; i++) { /* the first one compiles */
        struct vt_march_look look;
        const struct vt_shot shot = {.camera = &camera, .scene = scene, .scale = 1, .now_s = 10};
        if (vt_march_look_init(&look, facts, &shot, size[0], size[1], NULL) != 0) {
            die("no look");
        }
        uint64_t began = vt_now_ns();
        use_look(v, &look, program);
        glDrawArrays(GL_TRIANGLES, 0, 3);
        glFinish();
        ms[i > 0 ? i - 1 : 0] = (double)(vt_now_ns() - began) / 1e6;
        vt_camera_orbit(&camera, 0.05, 0.01 * (i % 8 < 4 ? 1 : -1));
    }
    qsort(ms, b->frames, sizeof *ms, by_value);
    vt_json_object(&b->w);
    vt_json_kv_u64(&b->w, "ram_bytes", v->n_pages * 4096);
    vt_json_kv_u64(&b->w, "level", v->base);
    vt_json_kv_u64(&b->w, "texture_bytes", v->texture_bytes);
    vt_json_kv_string(&b->w, "method", method);
    vt_json_key(&b->w, "resolution");
    vt_json_array(&b->w);
    vt_json_u64(&b->w, size[0]);
    vt_json_u64(&b->w, size[1]);
    vt_json_array_end(&b->w);
    vt_json_kv_f64(&b->w, "covered", covered(size[0], size[1]), 3);
    vt_json_key(&b->w, "frame_ms");
    vt_json_object(&b->w);
    vt_json_kv_f64(&b->w, "median", ms[b->frames / 2], 4);
    vt_json_kv_f64(&b->w, "p99", ms[(b->frames * 99 + 99) / 100 - 1], 4);
    vt_json_object_end(&b->w);
    vt_json_kv_f64(&b->w, "fps", 1000 / ms[b->frames / 2], 4);
    vt_json_object_end(&b->w);
    glDeleteFramebuffers(1, &framebuffer);
    glDeleteTextures(1, &target);
    free(ms);
}

static void measure_size(struct bench *b, uint64_t ram_bytes)
{
    struct vt_synthetic *ram = NULL;
    struct vt_error err;
    struct vt_scene scene;
    struct vt_colour colours[VT_HIGHLIGHTS_MAX];
    struct vt_march_look look;
    struct vt_camera camera;
    struct vt_box box;
    if (vt_synthetic_create(ram_bytes, b->fill, &ram, &err) != 0) {
        die("%s", err.message);
    }
    struct volume v = {
        .bytes = vt_synthetic_bytes(ram),
        .classes = vt_synthetic_classes(ram),
        .owners = vt_synthetic_owners(ram),
        .highlights = vt_synthetic_highlights(ram),
        .n_pages = vt_synthetic_pages(ram),
        .order = vt_volume_order(ram_bytes),
    };
    vt_volume_box(v.order, VT_OFF(0), ram_bytes, &box, NULL);
    for (unsigned i = 0; i < 3; i++) {
        v.grid[i] = (box.max[i] >> 4) + 1;
    }
    vt_scene_init(&scene);
    scene.dim_others = false; /* all of it is drawn in full */
    for (size_t i = 0; i < v.highlights->n; i++) {
        colours[i] = v.highlights->all[i].colour;
    }
    const struct vt_march_facts facts = {.order = v.order,
                                         .n_owners = 24,
                                         .highlights = colours,
                                         .n_highlights = v.highlights->n,
                                         .now_ms = 10001};
    const struct vt_shot shot = {.camera = &camera, .scene = &scene, .scale = 1, .now_s = 10};
    vt_camera_named("iso", &camera, NULL);
    vt_march_look_init(&look, &facts, &shot, 1280, 720, NULL);
    make_volume(&v, ram, &scene, &look);
    static const char *const methods[] = {"march", "slices"};
    for (unsigned m = 0; m < 2; m++) {
        GLuint program = make_program(b->folder, m == 0 ? "march.frag" : "slices.frag");
        for (unsigned i = 0; i < b->n_resolutions; i++) {
            measure(b, &v, program, methods[m], b->resolutions[i], &scene, &facts);
        }
        glDeleteProgram(program);
    }
    drop_volume(&v);
    vt_synthetic_destroy(ram);
}

static void parse(struct bench *b, int argc, char **argv)
{
    for (int i = 1; i < argc; i++) {
        const char *value = i + 1 < argc ? argv[i + 1] : "";
        if (strcmp(argv[i], "--software") == 0) {
            b->software = true;
            continue;
        }
        if (argv[i][0] != '-') {
            b->folder = argv[i];
            continue;
        }
        uint32_t *r = b->resolutions[b->n_resolutions % CASES_MAX];
        if (strcmp(argv[i], "--size") == 0 && b->n_sizes < CASES_MAX) {
            b->sizes[b->n_sizes++] = strtoull(value, NULL, 10) << 20;
        } else if (strcmp(argv[i], "--resolution") == 0 && b->n_resolutions < CASES_MAX &&
                   sscanf(value, "%" SCNu32 "x%" SCNu32, &r[0], &r[1]) == 2) {
            b->n_resolutions++;
        } else if (strcmp(argv[i], "--frames") == 0 && atoi(value) > 0) {
            b->frames = (unsigned)atoi(value);
        } else if (strcmp(argv[i], "--fill") == 0) {
            b->fill = (unsigned)atoi(value);
        } else {
            die("%s %s: not understood", argv[i], value);
        }
        i++;
    }
    if (b->folder == NULL) {
        die("usage: gles WEB-FOLDER [--size MiB]... [--resolution WxH]... [--frames N] "
            "[--fill PERCENT] [--software]");
    }
}

int main(int argc, char **argv)
{
    struct bench b = {.frames = 100, .fill = 60};
    parse(&b, argc, argv);
    if (b.n_sizes == 0) {
        b.sizes[b.n_sizes++] = UINT64_C(64) << 20;
        b.sizes[b.n_sizes++] = UINT64_C(1) << 30;
    }
    if (b.n_resolutions == 0) {
        memcpy(b.resolutions, (uint32_t[2][2]){{1280, 720}, {1920, 1080}}, 4 * sizeof(uint32_t));
        b.n_resolutions = 2;
    }
    open_device(b.software);
    vt_json_init(&b.w, stdout, true);
    vt_json_object(&b.w);
    vt_json_kv_string(&b.w, "device", (const char *)glGetString(GL_RENDERER));
    vt_json_kv_string(&b.w, "driver", (const char *)glGetString(GL_VERSION));
    vt_json_kv_u64(&b.w, "fill_percent", b.fill);
    vt_json_key(&b.w, "results");
    vt_json_array(&b.w);
    for (unsigned i = 0; i < b.n_sizes; i++) {
        measure_size(&b, b.sizes[i]);
    }
    vt_json_array_end(&b.w);
    vt_json_object_end(&b.w);
    putchar('\n');
    return 0;
}
