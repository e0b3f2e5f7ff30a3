/* shaders/march.comp - marches a ray a pixel through the volume, front to back.
 *
 * A ray goes from block to block: supergroups, groups and bricks that hold nothing to be seen, and
 * bricks that do. From a block it goes to the brick behind the nearest of the block's three far
 * faces, so each step moves the brick, and only ever the way that the ray goes: at most three times
 * the grid's side of them, whatever rounding does to lengths. Inside a brick it goes from cell to
 * cell, a few at a time, so that their bytes are fetched together.
 *
 * Cells are of the level whose size is about a pixel's; or coarser, as long as no cell is more than
 * look.fine of the picture: what is thin, or behind much else, is not looked at voxel by voxel.
 */
#version 460
#extension GL_GOOGLE_include_directive : require
#extension GL_EXT_control_flow_attributes : require
#extension GL_EXT_shader_explicit_arithmetic_types_int64 : require

#include "march.glsl"

layout(local_size_x = 8, local_size_y = 8) in;

const int TOGETHER = 2;               // cells
const int CELLS_MAX = 3 * 16;         // that a ray meets in a brick
const int BRICKS_MAX = 3 * 4;         // in a group
const uint AHEAD = 0x124u;
const float PER_LOG2 = -1.44269504;   // exp(-x) = exp2(PER_LOG2 x)
const float BYTE_SHADE = (1.0 - VT_MARCH_SHADE) / 255.0;

layout(buffer_reference, std430, buffer_reference_align = 1) readonly buffer Bytes { uint8_t at[]; };
// The chunks' members, five of each.
layout(buffer_reference, std430, buffer_reference_align = 8) readonly buffer Levels { uint64_t at[]; };

shared float absorption[256];
shared uint turns[32];

// Where a ray is: at a length, in a brick, and so in the blocks of 2^shift bricks a side around it.
struct Place {
    float t;
    ivec3 brick;
    bvec3 up; // the way it goes, by axis
};

// Goes on to the brick behind the nearest of the block's three far faces.
void leave(Ray ray, uint shift, inout Place p)
{
    ivec3 low = (p.brick >> shift) << shift, high = low + (1 << shift) - 1;
    ivec3 behind = mix(low - 1, high + 1, p.up);
    vec3 faces = (vec3(mix(low, high + 1, p.up) << 4) - ray.from) * ray.per;
    float exit = min(faces.x, min(faces.y, faces.z));
    p.t = max(p.t, exit);
    // Behind the face on one axis, still inside the block on the others.
    p.brick = clamp(ivec3(floor((ray.from + p.t * ray.along) * 0.0625)), low, high);
    if (faces.x == exit) {
        p.brick.x = behind.x;
    } else if (faces.y == exit) {
        p.brick.y = behind.y;
    } else {
        p.brick.z = behind.z;
    }
}

// log2 of the size of cells, by the difference of floats' exponents.
uint level_of(float t, float light, float absorb)
{
    int pixel = floatBitsToInt(t * look.coarse) - floatBitsToInt(1.0);
    int little = floatBitsToInt(look.fine) - floatBitsToInt(light * absorb);
    return uint(clamp(max(pixel, little) >> 23, 0, 4));
}

Bytes cells_of(uint page, uint slot, uint level)
{
    uint i = level == 0u ? slot : page, bytes = level == 4u ? 1u : 4096u >> (3u * level);
    Levels levels = Levels(uint64_t(volume) + VT_CHUNKS_AT);
    return Bytes(levels.at[vt_chunk_of(i) * 5u + level] + uint64_t(vt_in_chunk(i)) * bytes);
}

// What the ray gathers over `depth` of a byte, but for the colour.
float gather(inout Ray ray, float depth, uint value, uint word, uint place)
{
    depth *= absorption[value];
    float left = ray.light * exp2(depth), glow = ray.light - left;
    if (PICK && ray.light > VT_MARCH_END && outdoes(ray, hidden_by(depth / PER_LOG2))) {
        ray.picked = uvec2(word, place);
    }
    ray.light = left;
    return glow * (VT_MARCH_SHADE + BYTE_SHADE * float(value));
}

// Through a brick that is seen, from t to its end.
void march_brick(inout Ray ray, ivec3 brick, bvec3 up, uint number, float t, float end)
{
    Skin skin = skin_of(number);
    uint level = level_of(t, ray.light, skin.absorb);
    float strength = skin.absorb * PER_LOG2;
    if (level == 4u && !PICK) {
        ray.colour += gather(ray, max(end - t, 0.0) * strength, skin.mean, 0u, 0u) * skin.colour;
        return;
    }
    uint word = vt_brick(volume, uvec3(brick)), slot = vt_slot(volume, vt_brick_page(word));
    level = slot == VT_NO_SLOT ? max(level, 1u) : level;
    Bytes cells = cells_of(vt_brick_page(word), slot, level);
    VtHalves offsets = volume.offsets;

    // The voxel where it comes in, where its cell ends, and its place among offsets.
    ivec3 low = brick << 4;
    uvec3 v = uvec3(clamp(ivec3(floor(ray.from + t * ray.along)) - low, ivec3(0), ivec3(15)));
    ivec3 ends = (ivec3(v >> level) + mix(ivec3(0), ivec3(1), up)) << level;
    vec3 next = (vec3(low + ends) - ray.from) * ray.per;
    vec3 size = abs(ray.per) * float(1u << level);
    uint turn = turns[word & 31u], at = vt_turned(turn, v);
    uvec3 ahead = (uvec3(1u) << vt_turn_shifts(turn)) << level;
    ahead = mix(-ahead, ahead, notEqual(up, vt_turn_backwards(turn)));

    float glow = 0.0;
    for (int n = 0; n < CELLS_MAX && t < end && ray.light > VT_MARCH_END; n += TOGETHER) {
        uint place[TOGETHER], value[TOGETHER];
        float depth[TOGETHER];
        [[unroll]] for (int i = 0; i < TOGETHER; i++) {
            float face = min(next.x, min(next.y, next.z)), to = min(face, end);
            place[i] = uint(offsets.at[at & 4095u]); // past the brick's end any, of no depth
            depth[i] = (to - t) * strength;
            t = to;
            bool x = next.x == face, y = next.y == face;
            at += x ? ahead.x : y ? ahead.y : ahead.z;
            if (x) {
                next.x += size.x;
            } else if (y) {
                next.y += size.y;
            } else {
                next.z += size.z;
            }
        }
        [[unroll]] for (int i = 0; i < TOGETHER; i++) {
            value[i] = uint(cells.at[place[i] >> (3u * level)]);
        }
        [[unroll]] for (int i = 0; i < TOGETHER; i++) {
            glow += gather(ray, depth[i], value[i], word, place[i]);
        }
    }
    ray.colour += glow * skin.colour;
}

// Through a group of which something is seen: `mask` says what.
void march_group(inout Ray ray, inout Place p, uvec2 mask, uint number, float far)
{
    ivec3 low = (p.brick >> 2) << 2;
    uvec3 b = uvec3(p.brick - low), left = mix(b, 3u - b, p.up);
    vec3 next = (vec3((p.brick + mix(ivec3(0), ivec3(1), p.up)) << 4) - ray.from) * ray.per;
    vec3 size = abs(ray.per) * 16.0;
    // The brick's number in the group, and how many there are ahead on each axis: three fields
    // whose third bit goes when there are none.
    uint at = number_in(b) << 9 | left.z << 6 | left.y << 3 | left.x | AHEAD;
    uvec3 ahead = mix(-uvec3(1u << 9, 4u << 9, 16u << 9), uvec3(1u << 9, 4u << 9, 16u << 9), p.up) -
                  uvec3(1u, 8u, 64u);
    float t = p.t;
    for (int n = 0; n < BRICKS_MAX && t < far && ray.light > VT_MARCH_END && (at & AHEAD) == AHEAD;) {
        float from = t;
        uint i;
        bool found = false;
        for (; n < BRICKS_MAX && !found && (at & AHEAD) == AHEAD; n++) {
            i = at >> 9 & 63u;
            found = bit_of(mask, i);
            from = t;
            float exit = min(next.x, min(next.y, next.z));
            t = max(t, exit);
            bool x = next.x == exit, y = next.y == exit;
            at += x ? ahead.x : y ? ahead.y : ahead.z;
            if (x) {
                next.x += size.x;
            } else if (y) {
                next.y += size.y;
            } else {
                next.z += size.z;
            }
        }
        if (found) {
            ivec3 brick = low + ivec3(uvec3(i, i >> 2, i >> 4) & 3u);
            march_brick(ray, brick, p.up, number * 64u + i, from, min(t, far));
        }
    }
    p.t = t;
}

void march(inout Ray ray, vec2 span)
{
    Place p;
    p.t = max(span.x, 0.0);
    p.up = greaterThan(ray.along, vec3(0));
    p.brick = clamp(ivec3(floor(ray.from + p.t * ray.along)), ivec3(look.clip_min.xyz),
                    ivec3(ceil(look.clip_max.xyz)) - 1) >> 4;
    uvec3 side = uvec3(1u << (look.order - 4u)), known = uvec3(~0u);
    uvec2 something = uvec2(0); // the mask of supergroup `known`
    int steps = 3 * int(side.x);
    for (int step = 0; step < steps && p.t < span.y && ray.light > VT_MARCH_END; step++) {
        uvec3 group = uvec3(p.brick) >> 2, supergroup = group >> 2;
        if (any(greaterThanEqual(supergroup, supergrid()))) {
            if (any(greaterThanEqual(uvec3(p.brick), side))) { // out of the cube, also below 0
                break;
            }
            leave(ray, 4u, p);
            continue;
        }
        if (supergroup != known) {
            known = supergroup;
            something = supergroups.at[supergroup_at(supergroup)];
        }
        if (!bit_of(something, number_in(group))) {
            leave(ray, something != uvec2(0) ? 2u : 4u, p);
            continue;
        }
        uint number = group_at(group);
        uvec2 skin = group_skins.at[number];
        float absorbs = uintBitsToFloat(skin.y), from = p.t;
        bool as_one = !PICK && ray.light * absorbs * 64.0 < look.little;
        if (!as_one) {
            march_group(ray, p, groups.at[number], number, span.y);
        }
        leave(ray, 2u, p);
        if (as_one) {
            float left = ray.light * exp2(max(min(p.t, span.y) - from, 0.0) * absorbs * PER_LOG2);
            ray.colour += (ray.light - left) * unpackUnorm4x8(skin.x).rgb;
            ray.light = left;
        }
    }
}

void main()
{
    for (uint i = gl_LocalInvocationIndex; i < 256u; i += 64u) {
        absorption[i] = look.absorption[i];
    }
    if (gl_LocalInvocationIndex < 32u) {
        turns[gl_LocalInvocationIndex] = volume.turns[gl_LocalInvocationIndex];
    }
    barrier();
    uvec2 pixel;
    if (!pixel_of(pixel)) {
        return;
    }
    Ray ray = ray_of(pixel);
    vec2 span = span_of(ray, look.clip_min.xyz, look.clip_max.xyz);
    if (span.y > max(span.x, 0.0)) {
        uvec3 cut;
        uint word;
        bool opaque = slice(ray, span, cut, word);
        march(ray, span);
        if (opaque && ray.light > VT_MARCH_END) {
            uint value = value_at(word, vt_slot(volume, vt_brick_page(word)), level_at(span.y), cut);
            if (outdoes(ray, 1.0)) {
                ray.picked = uvec2(word, vt_brick_offset(volume, word, cut & 15u));
            }
            ray.colour += ray.light * shaded(skin_of(brick_number(cut >> 4)).colour, value);
            ray.light = 0.0;
        }
    }
    finish(pixel, ray);
}
