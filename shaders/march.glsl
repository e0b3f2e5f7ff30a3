/* shaders/march.glsl - what march.comp and slices.comp share: the look, a pixel's ray, what bricks
 * look like, and what becomes of a ray. src/volume/march.h says what all of it means, and
 * src/volume/march_reference.c does the same on the CPU.
 *
 * Before rays are cast, skins.comp writes what each brick looks like in this picture, its skin, and
 * which are seen at all: a bit a brick, 64 of them a group of 4^3 bricks, and 64 groups a
 * supergroup. Rays find the next brick to look at by those bits.
 */
#ifndef VT_MARCH_GLSL
#define VT_MARCH_GLSL

#include "volume.glsl"

const float VT_MARCH_END = 0.004;
const float VT_MARCH_LEAST = 1e-5;
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
    float fine, little, pad[2];
    float absorption[256];
    float class_opacity[32];
    uint highlights[512];
    uint colours[32 * (VT_OWNERS_MAX + 1)];
};

layout(buffer_reference, std430, buffer_reference_align = 4) writeonly buffer Image { uint at[]; };

// By number of the brick: colour and its one cell of level 4 as of packUnorm4x8, absorption as of
// floatBitsToUint. Bricks are
// numbered group after group, groups supergroup after supergroup as far as the grid reaches; x
// fastest among the 64 of each.
layout(buffer_reference, std430, buffer_reference_align = 8) buffer Skins { uvec2 at[]; };
// By number of the group, or of the supergroup: bit i says that something of its i-th is seen.
layout(buffer_reference, std430, buffer_reference_align = 8) buffer Masks { uvec2 at[]; };
// By number of the group, as if it were one cell: what it gives as of packUnorm4x8, and absorption a
// voxel as of floatBitsToUint.
layout(buffer_reference, std430, buffer_reference_align = 8) buffer GroupSkins { uvec2 at[]; };
// What is picked: the word of its brick, its byte in the page; and 1, or 0: nothing is.
layout(buffer_reference, std430, buffer_reference_align = 4) writeonly buffer Picked {
    uint word, offset, hit;
};

layout(push_constant, std430) uniform Push {
    Volume volume;
    Look look;
    Skins skins;
    Masks groups, supergroups;
    GroupSkins group_skins;
    Image image;
    Picked picked;
    uint x, y; // the pixel whose pick is wanted
};

// Instead of a picture, what is picked at one pixel of it: one group is dispatched.
layout(constant_id = 0) const bool PICK = false;

uvec3 grid() { return uvec3(volume.grid[0], volume.grid[1], volume.grid[2]); }
uvec3 supergrid() { return (grid() + 15u) >> 4; }
uint number_in(uvec3 at) { return (at.z & 3u) << 4 | (at.y & 3u) << 2 | at.x & 3u; }
bool bit_of(uvec2 mask, uint n) { return ((n < 32u ? mask.x : mask.y) >> (n & 31u) & 1u) != 0u; }
uint supergroup_at(uvec3 s) { return (s.z * supergrid().y + s.y) * supergrid().x + s.x; }
uint group_at(uvec3 g) { return supergroup_at(g >> 2) * 64u + number_in(g); }

// A ray, and what it has gathered so far.
struct Ray {
    vec3 from, along, per; // per: 1 / along
    vec3 colour; // times what it covers
    float light; // what is left of what is behind
    uvec2 picked; // word of its brick, byte of its page; with PICK only
    float more;   // what hides more than this is picked
};

// A brick's part in what its voxels look like.
struct Skin {
    vec3 colour;
    float absorb;
    uint mean; // of its bytes
};

Ray ray_of(uvec2 pixel)
{
    vec2 n = vec2(float(pixel.x) + 0.5, float(pixel.y) + 0.5) * vec2(look.right.w, look.up.w);
    vec3 d = normalize(look.forward.xyz + (n.x - 1.0) * look.right.xyz +
                       (1.0 - n.y) * look.up.xyz);
    vec3 least = mix(vec3(VT_MARCH_DIRECTION_MIN), vec3(-VT_MARCH_DIRECTION_MIN),
                     lessThan(d, vec3(0)));
    d = mix(d, least, lessThan(abs(d), vec3(VT_MARCH_DIRECTION_MIN)));
    return Ray(look.eye.xyz, d, 1.0 / d, vec3(0), 1.0, uvec2(0), VT_MARCH_LEAST);
}

// Where the ray is inside a box: x to y, nowhere where y <= max(x, 0).
vec2 span_of(Ray ray, vec3 low, vec3 high)
{
    vec3 a = (low - ray.from) * ray.per, b = (high - ray.from) * ray.per;
    vec3 near = min(a, b), far = max(a, b);
    return vec2(max(near.x, max(near.y, near.z)), min(far.x, min(far.y, far.z)));
}

Skin skin_of(uint number)
{
    uvec2 packed = skins.at[number];
    return Skin(unpackUnorm4x8(packed.x).rgb, uintBitsToFloat(packed.y), packed.x >> 24);
}
uint brick_number(uvec3 brick) { return group_at(brick >> 2) * 64u + number_in(brick); }

vec3 shaded(vec3 colour, uint value)
{
    return colour * (VT_MARCH_SHADE + (1.0 - VT_MARCH_SHADE) * float(value) / 255.0);
}

// 1 - exp(-x), without losing what is small.
float hidden_by(float x)
{
    return x < 0.01 ? x * (1.0 - x * (0.5 - x / 6.0)) : 1.0 - exp(-x);
}

// The brick's word; VT_HOLE also outside the grid.
uint brick_at(uvec3 brick)
{
    return all(lessThan(brick, grid())) ? vt_brick(volume, brick) : VT_HOLE;
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

// What hides `hides` lies at voxel `voxel` of the brick: the first that hides half of what is behind
// it is picked, or else the one that hides most; of two that hide alike the nearer. `more` is what
// the next one must outdo.
const float VT_NEARLY_HALF = 0.49999997; // the last float before
bool outdoes(inout Ray ray, float hides)
{
    bool yes = hides > ray.more;
    if (yes) {
        ray.more = hides >= 0.5 ? 2.0 : min(hides * VT_MARCH_MORE, VT_NEARLY_HALF);
    }
    return yes;
}

// The pixel that this invocation is for; false: none.
bool pixel_of(out uvec2 pixel)
{
    pixel = PICK ? uvec2(x, y) : gl_GlobalInvocationID.xy;
    return PICK ? gl_LocalInvocationIndex == 0u : pixel.x < look.width && pixel.y < look.height;
}

// Writes the pixel, or what is picked there.
void finish(uvec2 pixel, Ray ray)
{
    if (PICK) {
        picked.word = ray.picked.x;
        picked.offset = ray.picked.y;
        picked.hit = ray.more > VT_MARCH_LEAST ? 1u : 0u;
        return;
    }
    vec4 behind = look.background;
    float alpha = 1.0 - ray.light + ray.light * behind.a;
    vec3 colour = ray.colour + ray.light * behind.a * behind.rgb;
    image.at[pixel.y * look.width + pixel.x] =
        packUnorm4x8(vec4(alpha > 0.0 ? colour / alpha : vec3(0), alpha));
}

#endif
