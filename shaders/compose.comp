/* shaders/compose.comp - one picture's place in a window's frame: what was drawn, enlarged, and over
 * it what is drawn over pictures (src/volume/compose.h).
 */
#version 460
#extension GL_EXT_buffer_reference : require

layout(local_size_x = 8, local_size_y = 8) in;

layout(buffer_reference, std430, buffer_reference_align = 4) readonly buffer Pixels { uint at[]; };
layout(buffer_reference, std430, buffer_reference_align = 4) writeonly buffer Frame { uint at[]; };

const uint COMPOSE_BGRA = 1;
const uint COMPOSE_OVERLAY = 2;
const uint COMPOSE_PICTURE = 4;

layout(push_constant, std430) uniform Push {
    Frame frame;
    Pixels picture; // R lowest; 1 / scale of the place's pixels, in both directions
    Pixels overlay; // R lowest, premultiplied; the place's pixels
    uint stride;    // of the frame, pixels
    uint x, y, width, height; // the place
    uint drawn_width, drawn_height, scale, flags;
    float grey;      // 0: as it is, 1: without colours
    uint background; // where there is no picture
};

vec4 drawn(ivec2 at)
{
    at = clamp(at, ivec2(0), ivec2(drawn_width, drawn_height) - 1);
    return unpackUnorm4x8(picture.at[uint(at.y) * drawn_width + uint(at.x)]);
}

// Between the middles of what was drawn.
vec3 enlarged(uvec2 pixel)
{
    if (scale == 1u) {
        return drawn(ivec2(pixel)).rgb;
    }
    vec2 at = (vec2(pixel) + 0.5) / float(scale) - 0.5;
    ivec2 low = ivec2(floor(at));
    vec2 f = at - vec2(low);
    vec3 upper = mix(drawn(low).rgb, drawn(low + ivec2(1, 0)).rgb, f.x);
    vec3 lower = mix(drawn(low + ivec2(0, 1)).rgb, drawn(low + ivec2(1, 1)).rgb, f.x);
    return mix(upper, lower, f.y);
}

void main()
{
    uvec2 pixel = gl_GlobalInvocationID.xy;
    if (pixel.x >= width || pixel.y >= height) {
        return;
    }
    vec3 colour = unpackUnorm4x8(background).rgb;
    if ((flags & COMPOSE_PICTURE) != 0u) {
        colour = enlarged(pixel);
        colour = mix(colour, vec3(dot(colour, vec3(0.2126, 0.7152, 0.0722))), grey);
    }
    if ((flags & COMPOSE_OVERLAY) != 0u) {
        vec4 over = unpackUnorm4x8(overlay.at[pixel.y * width + pixel.x]);
        colour = over.rgb + colour * (1.0 - over.a);
    }
    vec4 shown = vec4((flags & COMPOSE_BGRA) != 0u ? colour.bgr : colour, 1.0);
    frame.at[(y + pixel.y) * stride + x + pixel.x] = packUnorm4x8(shown);
}
