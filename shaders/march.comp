/* shaders/march.comp - marches a ray a pixel through the volume, front to back.
 *
 * A ray's place is a voxel (whole numbers) and a length. It goes from block to block: a node above
 * the bricks that holds nothing, a brick that holds nothing to be seen, or inside a brick a cell of
 * the level whose size is about a pixel's. From a block it goes to the voxel behind the nearest of
 * the block's three far faces, so each step moves the voxel, and only ever the way that the ray
 * goes: at most three times the cube's side of them, whatever rounding does to the lengths.
 */
#version 460
#extension GL_GOOGLE_include_directive : require

#include "march.glsl"

// Nodes this coarse are looked at first, 2^m bricks a side.
layout(constant_id = 0) const uint NODE_LEVEL = 2;

// The first voxel that hides half of what is behind it, or else the most opaque one; of two that
// hide alike the nearer.
void pick(inout Ray ray, uvec3 voxel, float hides)
{
    if (!ray.sure && (hides >= 0.5 || hides > ray.hides * VT_MARCH_MORE)) {
        ray.picked = voxel;
        ray.hides = hides;
        ray.sure = hides >= 0.5;
    }
}

void gather(inout Ray ray, vec3 colour, float hides)
{
    ray.colour += ray.light * hides * colour;
    ray.light *= 1.0 - hides;
}

// Leaves the block of 2^shift voxels a side that v lies in: t is where, v the voxel behind.
void leave(Ray ray, uint shift, inout ivec3 v, inout float t)
{
    ivec3 low = (v >> shift) << shift, size = ivec3(1 << shift);
    bvec3 up = greaterThan(ray.along, vec3(0));
    vec3 faces = (vec3(low + mix(ivec3(0), size, up)) - ray.from) * ray.per;
    float exit = min(faces.x, min(faces.y, faces.z));
    bvec3 on;
    on.x = faces.x <= faces.y && faces.x <= faces.z;
    on.y = !on.x && faces.y <= faces.z;
    on.z = !on.x && !on.y;
    t = max(t, exit);
    // Behind the face on one axis, still inside the block on the others.
    ivec3 within = clamp(ivec3(floor(ray.from + t * ray.along)), low, low + size - 1);
    v = mix(within, mix(low - 1, low + size, up), on);
}

void march(inout Ray ray, vec2 span)
{
    int side = 1 << look.order;
    float t = max(span.x, 0.0);
    ivec3 v = clamp(ivec3(floor(ray.from + t * ray.along)), ivec3(look.clip_min.xyz),
                    ivec3(ceil(look.clip_max.xyz)) - 1);
    uint node_level = min(NODE_LEVEL, volume.n_node_levels);
    bool zeros = look.absorption[0] > 0.0;
    for (int step = 0; step < 3 * side && t < span.y && ray.light > VT_MARCH_END; step++) {
        if (any(lessThan(v, ivec3(0))) || any(greaterThanEqual(v, ivec3(side)))) {
            break;
        }
        uvec3 brick = uvec3(v) >> 4;
        uvec3 grid = uvec3(volume.grid[0], volume.grid[1], volume.grid[2]);
        if (any(greaterThanEqual(brick, grid))) { // past the end of RAM: a brick at a time
            leave(ray, 4, v, t);
            continue;
        }
        if (node_level > 0) {
            VtNode node = vt_node(volume, node_level, brick >> node_level);
            if (vt_node_present(node) == 0 || (vt_node_mean(node) == 0 && !zeros)) {
                leave(ray, 4 + node_level, v, t);
                continue;
            }
        }
        uint word = vt_brick(volume, brick);
        if (word == VT_HOLE || ((word & VT_BRICK_ZERO) != 0 && !zeros)) {
            leave(ray, 4, v, t);
            continue;
        }
        Page page = page_of(vt_brick_page(word));
        if (page.absorb == 0.0) {
            leave(ray, 4, v, t);
            continue;
        }
        uint slot = vt_slot(volume, vt_brick_page(word));
        uint level = level_at(t);
        for (int inner = 0; inner < 48 && uvec3(v) >> 4 == brick && t < span.y &&
             ray.light > VT_MARCH_END; inner++) {
            uvec3 at = uvec3(v);
            float from = t;
            leave(ray, level, v, t);
            t = min(t, span.y);
            uint value = value_at(word, slot, level, at);
            float depth = page.absorb * look.absorption[value] * (t - from);
            if (depth > 0.0) {
                float hides = hidden_by(depth);
                pick(ray, at, hides);
                gather(ray, shaded(page.colour, value), hides);
            }
        }
    }
}

void main()
{
    uvec2 pixel = gl_GlobalInvocationID.xy;
    if (pixel.x >= look.width || pixel.y >= look.height) {
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
            uint page = vt_brick_page(word);
            uint value = value_at(word, vt_slot(volume, page), level_at(span.y), cut);
            pick(ray, cut, 1.0);
            gather(ray, shaded(page_of(page).colour, value), 1.0);
        }
    }
    finish(pixel, ray);
}
