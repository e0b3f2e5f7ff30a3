/* shaders/march.glsl - what march.comp and slices.comp share: the look, a pixel's ray, what a page
 * looks like, and what becomes of a ray. src/volume/march.h says what all of it means, and
 * src/volume/march_reference.c does the same on the CPU.
 */
#ifndef VT_MARCH_GLSL
#define VT_MARCH_GLSL

#include "volume.glsl"

layout(local_size_x = 8, local_size_y = 8) in;

const float VT_MARCH_END = 0.004;
const float VT_MARCH_MORE = 1.01;
const float VT_MARCH_SHADE = 0.6;
const float VT_MARCH_TINT = 0.7;
const float VT_MARCH_DIM_ABSORB = 0.12;
const float VT_MARCH_DIM_COLOUR = 0.5;
const float VT_MARCH_HEAT_COLOUR = 0.85;
const float VT_MARCH_HEAT_ABSORB = 3.0;
const vec3 VT_MARCH_HOT = vec3(1.0, 0.62, 0.16);
const float VT_MARCH_DIRECTION_MIN = 1e-6;

const uint VT_MARCH_SLICE_X = 1, VT_MARCH_HEAT = 8, VT_MARCH_DIM_PLAIN = 16;

const uint VT_OWNERS_MAX = 64;

// struct vt_march_look
layout(buffer_reference, std430, buffer_reference_align = 16) readonly buffer Look {
    vec4 eye, forward, right, up;
    vec4 clip_min, clip_max, slice, background;
    uint width, height, order, flags;
    uint now_ms, only_owner;
    float coarse, heat_decay;
    float absorption[256];
    float class_opacity[32];
    uint highlights[512];
    uint colours[32 * (VT_OWNERS_MAX + 1)];
};

layout(buffer_reference, std430, buffer_reference_align = 4) writeonly buffer Image { uint at[]; };

// What is picked at a pixel: x (21 bits), y (21), z (21), whether anything is (1), lowest first.
layout(buffer_reference, std430, buffer_reference_align = 8) writeonly buffer Picks { uvec2 at[]; };

layout(push_constant, std430) uniform Push {
    Volume volume;
    Look look;
    Image image;
    Picks picks;
};

// A ray, and what it has gathered so far.
struct Ray {
    vec3 from, along, per; // per: 1 / along
    vec3 colour; // times what it covers
    float light; // what is left of what is behind
    uvec3 picked;
    float hides; // of what is picked; 0: nothing is
    bool sure;
};

// A page's part in what its voxels look like.
struct Page {
    vec3 colour;
    float absorb;
};

Ray ray_of(uvec2 pixel)
{
    vec2 n = vec2(float(pixel.x) + 0.5, float(pixel.y) + 0.5) * vec2(look.right.w, look.up.w);
    vec3 d = normalize(look.forward.xyz + (n.x - 1.0) * look.right.xyz +
                       (1.0 - n.y) * look.up.xyz);
    vec3 least = mix(vec3(VT_MARCH_DIRECTION_MIN), vec3(-VT_MARCH_DIRECTION_MIN),
                     lessThan(d, vec3(0)));
    d = mix(d, least, lessThan(abs(d), vec3(VT_MARCH_DIRECTION_MIN)));
    return Ray(look.eye.xyz, d, 1.0 / d, vec3(0), 1.0, uvec3(0), 0.0, false);
}

// Where the ray is inside a box: x to y, nowhere where y <= max(x, 0).
vec2 span_of(Ray ray, vec3 low, vec3 high)
{
    vec3 a = (low - ray.from) * ray.per, b = (high - ray.from) * ray.per;
    vec3 near = min(a, b), far = max(a, b);
    return vec2(max(near.x, max(near.y, near.z)), min(far.x, min(far.y, far.z)));
}

vec3 colour_of(uint packed) { return unpackUnorm4x8(packed).rgb; }

float heat_of(uint newest)
{
    if ((look.flags & VT_MARCH_HEAT) == 0 || newest == 0) {
        return 0.0;
    }
    float age_ms = look.now_ms > newest ? float(look.now_ms - newest) : 0.0;
    return exp2(age_ms * look.heat_decay);
}

Page page_of(uint page)
{
    uint attributes = volume.attributes.at[page];
    uint type = vt_class(attributes) & 31u, owner = vt_owner(attributes);
    uint highlight = vt_highlight(attributes), shade = owner <= VT_OWNERS_MAX ? owner : 0u;
    Page p = Page(colour_of(look.colours[type * (VT_OWNERS_MAX + 1u) + shade]),
                  look.class_opacity[type]);
    if (highlight != 0) {
        p.colour = mix(p.colour, colour_of(look.highlights[highlight]), VT_MARCH_TINT);
    }
    if ((highlight == 0 && (look.flags & VT_MARCH_DIM_PLAIN) != 0) ||
        (look.only_owner != 0 && owner != look.only_owner)) {
        p.absorb *= VT_MARCH_DIM_ABSORB;
        p.colour *= VT_MARCH_DIM_COLOUR;
    }
    float heat = (look.flags & VT_MARCH_HEAT) != 0 ? heat_of(volume.newest.at[page]) : 0.0;
    p.absorb *= 1.0 + VT_MARCH_HEAT_ABSORB * heat;
    p.colour = mix(p.colour, VT_MARCH_HOT, VT_MARCH_HEAT_COLOUR * heat);
    return p;
}

vec3 shaded(vec3 colour, uint value)
{
    return colour * (VT_MARCH_SHADE + (1.0 - VT_MARCH_SHADE) * float(value) / 255.0);
}

// 1 - exp(-x), without losing what is small.
float hidden_by(float x)
{
    return x < 0.01 ? x * (1.0 - x * (0.5 - x / 6.0)) : 1.0 - exp(-x);
}

// The brick's word at a voxel of the cube.
uint brick_at(uvec3 brick)
{
    bool in_grid = brick.x < volume.grid[0] && brick.y < volume.grid[1] && brick.z < volume.grid[2];
    return in_grid ? vt_brick(volume, brick) : VT_HOLE;
}

// The voxel's byte, or that of its cell of level 1-4; voxels that are not on the device are shown
// by the finest level that is.
uint value_at(uint word, uint slot, uint level, uvec3 voxel)
{
    uint offset = vt_brick_offset(volume, word, voxel & 15u);
    if (level == 0u && slot != VT_NO_SLOT) {
        return vt_voxel(volume, slot, offset);
    }
    return vt_cell(volume, vt_brick_page(word), max(level, 1u), offset);
}

// How coarse a level shows cells of a pixel's size at a distance.
uint level_at(float t)
{
    return uint(clamp(floor(log2(max(t * look.coarse, 1.0))), 0.0, 4.0));
}

// The nearest slice plane that has a page where the ray meets it: ends the ray's span there.
bool slice(Ray ray, inout vec2 span, out uvec3 voxel, out uint word)
{
    float last = float((1u << look.order) - 1u);
    bool found = false;
    for (uint axis = 0; axis < 3; axis++) {
        float t = (look.slice[axis] - ray.from[axis]) * ray.per[axis];
        if ((look.flags & VT_MARCH_SLICE_X << axis) == 0 || t < max(span.x, 0.0) || t > span.y) {
            continue;
        }
        vec3 at = ray.from + t * ray.along;
        at[axis] = look.slice[axis];
        uvec3 v = uvec3(clamp(at, vec3(0), vec3(last)));
        uint w = brick_at(v >> 4);
        if (w != VT_HOLE) {
            span.y = t;
            found = true;
            voxel = v;
            word = w;
        }
    }
    return found;
}

// Writes the pixel and what is picked there.
void finish(uvec2 pixel, Ray ray)
{
    vec4 behind = look.background;
    float alpha = 1.0 - ray.light + ray.light * behind.a;
    vec3 colour = ray.colour + ray.light * behind.a * behind.rgb;
    uint at = pixel.y * look.width + pixel.x;
    image.at[at] = packUnorm4x8(vec4(alpha > 0.0 ? colour / alpha : vec3(0), alpha));
    uvec3 p = ray.picked;
    picks.at[at] = uvec2(p.x | p.y << 21, p.y >> 11 | p.z << 10 | (ray.hides > 0.0 ? 1u << 31 : 0u));
}

#endif
