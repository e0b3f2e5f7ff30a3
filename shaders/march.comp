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
const float PER_LOG2 = -1.44269504;   // exp(-x) = exp2(PER_LOG2 x)
const float BYTE_SHADE = (1.0 - VT_MARCH_SHADE) / 255.0;

layout(buffer_reference, std430, buffer_reference_align = 1) readonly buffer Bytes { uint8_t at[]; };
// The chunks' members, five of each.
layout(buffer_reference, std430, buffer_reference_align = 8) readonly buffer Levels { uint64_t at[]; };

shared float absorption[256];
shared uint turns[32];

// Where a ray is.
struct Place {
    ivec3 brick;
    float t;
    bvec3 up;   // the way it goes, by axis
    vec3 faces; // where it meets the far faces of a block
    float exit; // the nearest of them
};

// The far faces of the block of 2^shift bricks a side around the brick.
void find_exit(Ray ray, uint shift, inout Place p)
{
    ivec3 ends = ((p.brick >> shift) + mix(ivec3(0), ivec3(1), p.up)) << (shift + 4u);
    p.faces = (vec3(ends) - ray.from) * ray.per;
    p.exit = min(p.faces.x, min(p.faces.y, p.faces.z));
}

// Goes on to the brick behind the exit of the brick.
void leave_brick(inout Place p)
{
    p.t = max(p.t, p.exit);
    if (p.faces.x == p.exit) {
        p.brick.x += p.up.x ? 1 : -1;
    } else if (p.faces.y == p.exit) {
        p.brick.y += p.up.y ? 1 : -1;
    } else {
        p.brick.z += p.up.z ? 1 : -1;
    }
}

// The same of a block.
void leave(Ray ray, uint shift, inout Place p)
{
    p.t = max(p.t, p.exit);
    ivec3 low = (p.brick >> shift) << shift, high = low + (1 << shift) - 1;
    ivec3 behind = mix(low - 1, high + 1, p.up);
    // Behind the face on one axis, still inside the block on the others.
    p.brick = clamp(ivec3(floor((ray.from + p.t * ray.along) * 0.0625)), low, high);
    if (p.faces.x == p.exit) {
        p.brick.x = behind.x;
    } else if (p.faces.y == p.exit) {
        p.brick.y = behind.y;
    } else {
        p.brick.z = behind.z;
    }
}

// What of masks a ray knows already.
struct Known {
    uvec3 group, supergroup;
    uvec2 groups, bricks; // the masks
    uint number;          // of the group
};

// Whether the brick is seen; else the size of the block around it that holds nothing.
bool seen(inout Known known, uvec3 brick, out uint empty)
{
    uvec3 group = brick >> 2, supergroup = brick >> 4;
    empty = 4u;
    if (any(greaterThanEqual(supergroup, supergrid()))) {
        return false;
    }
    if (group != known.group) {
        known.group = group;
        if (supergroup != known.supergroup) {
            known.supergroup = supergroup;
            known.groups = supergroups.at[supergroup_at(supergroup)];
        }
        known.number = group_at(group);
        known.bricks = bit_of(known.groups, number_in(group)) ? groups.at[known.number] : uvec2(0);
    }
    empty = known.bricks != uvec2(0) ? 0u : known.groups != uvec2(0) ? 2u : 4u;
    return bit_of(known.bricks, number_in(brick));
}

uint level_of(float t, float light, float absorb)
{
    float size = max(t * look.coarse, look.fine / (light * absorb));
    return (floatBitsToUint(clamp(size, 1.0, 16.0)) >> 23) - 127u; // log2, rounded down
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

// Through the brick that the ray is in, which is seen; p.exit is the brick's.
void march_brick(inout Ray ray, Place p, uint number, float far)
{
    Skin skin = skin_of(number);
    uint level = level_of(p.t, ray.light, skin.absorb);
    float strength = skin.absorb * PER_LOG2, end = min(p.exit, far);
    if (level == 4u && !PICK) {
        ray.colour += gather(ray, max(end - p.t, 0.0) * strength, skin.mean, 0u, 0u) * skin.colour;
        return;
    }
    uint word = vt_brick(volume, uvec3(p.brick)), slot = vt_slot(volume, vt_brick_page(word));
    level = slot == VT_NO_SLOT ? max(level, 1u) : level;
    Bytes cells = cells_of(vt_brick_page(word), slot, level);
    VtHalves offsets = volume.offsets;

    // The voxel where it comes in, where its cell ends, and its place among offsets.
    ivec3 low = p.brick << 4;
    uvec3 v = uvec3(clamp(ivec3(floor(ray.from + p.t * ray.along)) - low, ivec3(0), ivec3(15)));
    ivec3 ends = (ivec3(v >> level) + mix(ivec3(0), ivec3(1), p.up)) << level;
    vec3 next = (vec3(low + ends) - ray.from) * ray.per;
    vec3 size = abs(ray.per) * float(1u << level);
    uint turn = turns[word & 31u], at = vt_turned(turn, v);
    uvec3 ahead = (uvec3(1u) << vt_turn_shifts(turn)) << level;
    ahead = mix(-ahead, ahead, notEqual(p.up, vt_turn_backwards(turn)));

    float glow = 0.0, t = p.t;
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

void march(inout Ray ray, vec2 span)
{
    Place p;
    Known known = Known(uvec3(~0u), uvec3(~0u), uvec2(0), uvec2(0), 0u);
    p.t = max(span.x, 0.0);
    p.up = greaterThan(ray.along, vec3(0));
    p.brick = clamp(ivec3(floor(ray.from + p.t * ray.along)), ivec3(look.clip_min.xyz),
                    ivec3(ceil(look.clip_max.xyz)) - 1) >> 4;
    uvec3 side = uvec3(1u << (look.order - 4u));
    int steps = 3 * int(side.x);
    for (int step = 0; step < steps && p.t < span.y && ray.light > VT_MARCH_END; step++) {
        bool found = false;
        for (; step < steps && p.t < span.y; step++) {
            uint empty;
            if (any(greaterThanEqual(uvec3(p.brick), side))) { // out of the cube, also below 0
                return;
            }
            found = seen(known, uvec3(p.brick), empty);
            find_exit(ray, found ? 0u : empty, p);
            if (found) {
                break;
            }
            if (empty == 0u) {
                leave_brick(p);
            } else {
                leave(ray, empty, p);
            }
        }
        if (!found) {
            return;
        }
        march_brick(ray, p, known.number * 64u + number_in(uvec3(p.brick)), span.y);
        leave_brick(p);
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
