/* tests/system/venus/gl_draw.c - draws a few hundred frames with OpenGL ES 3 on a surfaceless EGL
 * display, for zink: shaders, textures, depth, blending, instancing, multisampling, reading back.
 *
 *   gl_draw FRAMES [PPM]
 *
 * Prints a checksum every 16 frames; the last frame goes to PPM. The renderer's name goes to
 * stderr.
 */
#include <EGL/egl.h>
#include <EGL/eglext.h>
#include <GLES3/gl3.h>

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SIDE 256
#define INSTANCES 64

__attribute__((noreturn)) static void die(const char *what)
{
    fprintf(stderr, "gl_draw: %s (EGL %#x, GL %#x)\n", what, eglGetError(), glGetError());
    exit(1);
}

static const char vertex_text[] =
    "#version 300 es\n"
    "layout(location = 0) in vec2 corner;\n"
    "uniform float turn;\n"
    "out vec3 shade; out vec2 at;\n"
    "void main() {\n"
    "  float i = float(gl_InstanceID);\n"
    "  float angle = turn + i * 0.1;\n"
    "  vec2 place = vec2(mod(i, 8.0), floor(i / 8.0)) / 4.0 - 0.875;\n"
    "  mat2 spin = mat2(cos(angle), sin(angle), -sin(angle), cos(angle));\n"
    "  gl_Position = vec4(place + spin * corner * 0.3, i / 64.0 - 0.5, 1.0);\n"
    "  shade = vec3(i / 64.0, 1.0 - i / 64.0, 0.5);\n"
    "  at = corner * 0.5 + 0.5;\n"
    "}\n";

static const char fragment_text[] =
    "#version 300 es\n"
    "precision highp float;\n"
    "in vec3 shade; in vec2 at;\n"
    "uniform sampler2D checks;\n"
    "out vec4 color;\n"
    "void main() { color = vec4(shade * texture(checks, at).rgb, 0.75); }\n";

static GLuint compile(GLenum stage, const char *text)
{
    GLuint shader = glCreateShader(stage);
    GLint ok = 0;
    glShaderSource(shader, 1, &text, NULL);
    glCompileShader(shader);
    glGetShaderiv(shader, GL_COMPILE_STATUS, &ok);
    if (!ok) {
        die("a shader");
    }
    return shader;
}

static GLuint make_program(void)
{
    GLuint program = glCreateProgram();
    GLint ok = 0;
    glAttachShader(program, compile(GL_VERTEX_SHADER, vertex_text));
    glAttachShader(program, compile(GL_FRAGMENT_SHADER, fragment_text));
    glLinkProgram(program);
    glGetProgramiv(program, GL_LINK_STATUS, &ok);
    if (!ok) {
        die("a program");
    }
    return program;
}

static void make_context(void)
{
    const EGLint config_attributes[] = {EGL_SURFACE_TYPE, EGL_PBUFFER_BIT, EGL_RENDERABLE_TYPE,
                                        EGL_OPENGL_ES3_BIT, EGL_NONE};
    const EGLint context_attributes[] = {EGL_CONTEXT_MAJOR_VERSION, 3, EGL_NONE};
    PFNEGLGETPLATFORMDISPLAYEXTPROC get_display =
        (PFNEGLGETPLATFORMDISPLAYEXTPROC)eglGetProcAddress("eglGetPlatformDisplayEXT");
    EGLDisplay display = get_display != NULL
                             ? get_display(EGL_PLATFORM_SURFACELESS_MESA, NULL, NULL)
                             : EGL_NO_DISPLAY;
    EGLConfig config;
    EGLint n = 0;
    if (display == EGL_NO_DISPLAY || !eglInitialize(display, NULL, NULL) ||
        !eglBindAPI(EGL_OPENGL_ES_API) ||
        !eglChooseConfig(display, config_attributes, &config, 1, &n) || n != 1) {
        die("no surfaceless display");
    }
    EGLContext context = eglCreateContext(display, config, EGL_NO_CONTEXT, context_attributes);
    if (context == EGL_NO_CONTEXT ||
        !eglMakeCurrent(display, EGL_NO_SURFACE, EGL_NO_SURFACE, context)) {
        die("no context");
    }
    fprintf(stderr, "%s\n", (const char *)glGetString(GL_RENDERER));
}

static GLuint make_target(GLsizei samples, GLuint *color)
{
    GLuint frame, depth;
    glGenFramebuffers(1, &frame);
    glBindFramebuffer(GL_FRAMEBUFFER, frame);
    glGenRenderbuffers(1, color);
    glBindRenderbuffer(GL_RENDERBUFFER, *color);
    glRenderbufferStorageMultisample(GL_RENDERBUFFER, samples, GL_RGBA8, SIDE, SIDE);
    glFramebufferRenderbuffer(GL_FRAMEBUFFER, GL_COLOR_ATTACHMENT0, GL_RENDERBUFFER, *color);
    glGenRenderbuffers(1, &depth);
    glBindRenderbuffer(GL_RENDERBUFFER, depth);
    glRenderbufferStorageMultisample(GL_RENDERBUFFER, samples, GL_DEPTH_COMPONENT24, SIDE, SIDE);
    glFramebufferRenderbuffer(GL_FRAMEBUFFER, GL_DEPTH_ATTACHMENT, GL_RENDERBUFFER, depth);
    if (glCheckFramebufferStatus(GL_FRAMEBUFFER) != GL_FRAMEBUFFER_COMPLETE) {
        die("a framebuffer");
    }
    return frame;
}

static void make_texture(void)
{
    static uint8_t texels[64][64][4];
    GLuint texture;
    for (unsigned y = 0; y < 64; y++) {
        for (unsigned x = 0; x < 64; x++) {
            uint8_t v = ((x ^ y) & 8) != 0 ? 255 : 96;
            memcpy(texels[y][x], (uint8_t[]){v, (uint8_t)(x * 4), (uint8_t)(y * 4), 255}, 4);
        }
    }
    glGenTextures(1, &texture);
    glBindTexture(GL_TEXTURE_2D, texture);
    glTexImage2D(GL_TEXTURE_2D, 0, GL_RGBA8, 64, 64, 0, GL_RGBA, GL_UNSIGNED_BYTE, texels);
    glGenerateMipmap(GL_TEXTURE_2D);
    glTexParameteri(GL_TEXTURE_2D, GL_TEXTURE_MIN_FILTER, GL_LINEAR_MIPMAP_LINEAR);
}

static uint64_t checksum(const uint8_t *bytes, size_t n)
{
    uint64_t sum = UINT64_C(0xcbf29ce484222325);
    for (size_t i = 0; i < n; i++) {
        sum = (sum ^ bytes[i]) * UINT64_C(0x100000001b3);
    }
    return sum;
}

static void write_ppm(const char *path, const uint8_t *pixels)
{
    FILE *out = fopen(path, "wb");
    if (out == NULL) {
        die(path);
    }
    fprintf(out, "P6 %d %d 255\n", SIDE, SIDE);
    for (size_t i = 0; i < (size_t)SIDE * SIDE; i++) {
        fwrite(pixels + i * 4, 1, 3, out);
    }
    if (fclose(out) != 0) {
        die(path);
    }
}

int main(int argc, char **argv)
{
    static const float corners[] = {-1, -1, 1, -1, 0, 1};
    static uint8_t pixels[SIDE * SIDE * 4];
    int frames = argc > 1 ? atoi(argv[1]) : 64;
    setvbuf(stdout, NULL, _IOLBF, 0); /* somebody may wait for a line */
    GLuint buffer, color, resolved_color;
    make_context();
    GLuint program = make_program();
    GLuint target = make_target(4, &color), resolved = make_target(0, &resolved_color);
    glUseProgram(program);
    make_texture();
    glGenBuffers(1, &buffer);
    glBindBuffer(GL_ARRAY_BUFFER, buffer);
    glBufferData(GL_ARRAY_BUFFER, sizeof corners, corners, GL_STATIC_DRAW);
    glEnableVertexAttribArray(0);
    glVertexAttribPointer(0, 2, GL_FLOAT, GL_FALSE, 0, NULL);
    glViewport(0, 0, SIDE, SIDE);
    glEnable(GL_DEPTH_TEST);
    glEnable(GL_BLEND);
    glBlendFunc(GL_SRC_ALPHA, GL_ONE_MINUS_SRC_ALPHA);
    GLint turn = glGetUniformLocation(program, "turn");
    for (int frame = 0; frame < frames; frame++) {
        glBindFramebuffer(GL_FRAMEBUFFER, target);
        glClearColor(0.1f, 0.1f, 0.2f, 1.0f);
        glClear(GL_COLOR_BUFFER_BIT | GL_DEPTH_BUFFER_BIT);
        glUniform1f(turn, (float)frame * 0.05f);
        glDrawArraysInstanced(GL_TRIANGLES, 0, 3, INSTANCES);
        glBindFramebuffer(GL_READ_FRAMEBUFFER, target);
        glBindFramebuffer(GL_DRAW_FRAMEBUFFER, resolved);
        glBlitFramebuffer(0, 0, SIDE, SIDE, 0, 0, SIDE, SIDE, GL_COLOR_BUFFER_BIT, GL_NEAREST);
        glBindFramebuffer(GL_FRAMEBUFFER, resolved);
        glReadPixels(0, 0, SIDE, SIDE, GL_RGBA, GL_UNSIGNED_BYTE, pixels);
        if (frame % 16 == 15) {
            printf("frame %d: %016llx\n", frame,
                   (unsigned long long)checksum(pixels, sizeof pixels));
        }
    }
    if (glGetError() != GL_NO_ERROR) {
        die("an error while drawing");
    }
    if (argc > 2) {
        write_ppm(argv[2], pixels);
    }
    return 0;
}
