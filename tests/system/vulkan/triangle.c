/* tests/system/vulkan/triangle.c - one triangle drawn offscreen. `triangle FILE` writes it as PPM.
 */
#include "client.h"

#include "color.frag.h"
#include "triangle.vert.h"

#define SIDE 256u

static const char *file;

static void write_picture(const struct target *t)
{
    FILE *f = fopen(file, "wb");
    EXPECT(f != NULL);
    fprintf(f, "P6\n%u %u\n255\n", t->width, t->height);
    for (size_t i = 0; i < (size_t)t->width * t->height; i++) {
        fwrite((const uint8_t *)t->pixels.at + i * 4, 1, 3, f);
    }
    EXPECT(fclose(f) == 0);
}

static void triangle(struct client *c)
{
    struct target t = target_create(c, SIDE, SIDE);
    VkPipeline pipeline = graphics_pipeline(c, &(struct graphics){.vert = CODE(triangle_vert),
                                                                  .frag = CODE(color_frag),
                                                                  .pass = t.pass,
                                                                  .n_colors = 1,
                                                                  .width = SIDE,
                                                                  .height = SIDE});
    VkCommandBuffer commands = commands_begin(c);
    target_begin(&t, commands, VK_SUBPASS_CONTENTS_INLINE);
    vkCmdBindPipeline(commands, VK_PIPELINE_BIND_POINT_GRAPHICS, pipeline);
    vkCmdDraw(commands, 3, 1, 0, 0);
    target_finish(c, &t, commands, "picture");
    printf("corner %08x, middle %08x\n", target_pixel(&t, 0, 0),
           target_pixel(&t, SIDE / 2, SIDE / 2));
    EXPECT(target_pixel(&t, 0, 0) == 0xff604020 || target_pixel(&t, 0, 0) == 0xff5f4020 ||
           target_pixel(&t, 0, 0) == 0xff60401f);
    EXPECT(target_pixel(&t, SIDE / 2, SIDE / 2) != target_pixel(&t, 0, 0));
    if (file != NULL) {
        write_picture(&t);
    }
}

int main(int argc, char **argv)
{
    static const struct client_case cases[] = {{"triangle", triangle}};
    file = argc > 1 ? argv[1] : NULL;
    return client_main(NULL, cases, COUNT(cases));
}
