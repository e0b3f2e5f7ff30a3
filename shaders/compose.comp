/* shaders/compose.comp - one picture's place in a window's frame: what was drawn, enlarged, and over
 * it what is drawn over pictures (src/volume/compose.h).
 *
 * A thread makes RUN pixels of a row, which share what they are mixed of.
 */
#version 460
#extension GL_EXT_buffer_reference : require

layout(local_size_x = 8, local_size_y = 8) in;

layout(constant_id = 0) const uint SCALE = 1; // 1, 2, 4, 8; 0: there is no picture
layout(constant_id = 1) const uint OVERLAY = 1; // 0: nothing is over it

layout(buffer_reference, std430, buffer_reference_align = 4) readonly buffer Pixels { uint at[]; };
layout(buffer_reference, std430, buffer_reference_align = 4) writeonly buffer Frame { uint at[]; };

const uint RUN = 4;

layout(push_constant, std430) uniform Push {
    Frame frame;
    Pixels picture; // R lowest; 1 / SCALE of the place's pixels, in both directions
    Pixels overlay; // R lowest, premultiplied; the place's pixels
    uint stride;    // of the frame, pixels
    uint x, y, width, height; // the place
    uint drawn_width, drawn_height;
    uint bgra;
    float grey;      // 0: as it is, 1: without colours
    uint background; // where there is no picture
};

vec3 drawn(int column, uint row)
{
    uint at = uint(clamp(column, 0, int(drawn_width) - 1));
    return unpackUnorm4x8(picture.at[row * drawn_width + at]).rgb;
}

// Between the middles of what was drawn. With RUN = 4 the columns that pixel i lies between are the
// same for every run, counted from those of the first.
void enlarge(uvec2 first, out vec3 colours[RUN])
{
    vec2 at = (vec2(first) + 0.5) / float(SCALE) - 0.5;
    int left = int(floor(at.x));
    float fx = at.x - floor(at.x), fy = at.y - floor(at.y);
    uint upper = uint(max(floor(at.y), 0.0));
    uint lower = min(uint(floor(at.y) + 1.0), drawn_height - 1u);
    const uint columns = SCALE == 2u ? 4u : SCALE == 4u ? 3u : 2u;
    vec3 column[RUN];
    for (uint k = 0u; k < columns; k++) {
        column[k] = mix(drawn(left + int(k), upper), drawn(left + int(k), lower), fy);
    }
    for (uint i = 0u; i < RUN; i++) {
        uint k = SCALE == 2u ? (i + 1u) / 2u : SCALE == 4u ? i / 2u : 0u;
        colours[i] = mix(column[k], column[k + 1u], fx + float(i) / float(SCALE) - float(k));
    }
}

void main()
{
    uvec2 first = gl_GlobalInvocationID.xy * uvec2(RUN, 1u);
    if (first.x >= width || first.y >= height) {
        return;
    }
    vec3 colours[RUN];
    if (SCALE > 1u) {
        enlarge(first, colours);
    }
    for (uint i = 0u; i < RUN && first.x + i < width; i++) {
        vec3 colour = SCALE == 0u   ? unpackUnorm4x8(background).rgb
                      : SCALE == 1u ? drawn(int(first.x + i), first.y)
                                    : colours[i];
        colour = mix(colour, vec3(dot(colour, vec3(0.2126, 0.7152, 0.0722))), grey);
        if (OVERLAY != 0u) {
            vec4 over = unpackUnorm4x8(overlay.at[first.y * width + first.x + i]);
            colour = over.rgb + colour * (1.0 - over.a);
        }
        vec4 shown = vec4(bgra != 0u ? colour.bgr : colour, 1.0);
        frame.at[(y + first.y) * stride + x + first.x + i] = packUnorm4x8(shown);
    }
}
