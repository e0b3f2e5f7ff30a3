/* shaders/slices.comp - the same picture by planes of voxels, back to front: across the axis that
 * the picture's middle looks along most, each sampled once and laid over what is behind it. All rays
 * of a picture take the same steps, which devices like that are slow where rays part.
 */
#version 460
#extension GL_GOOGLE_include_directive : require

#include "march.glsl"

layout(local_size_x = 8, local_size_y = 8) in;

// Lays a colour over what was laid before. What is picked is decided from behind, too: what hides
// half wins over all that is behind it, and else the most opaque.
void lay(inout Ray ray, vec3 colour, float hides)
{
    ray.colour = mix(ray.colour, colour, hides);
    ray.light *= 1.0 - hides;
}

void pick(inout Ray ray, uint word, uvec3 voxel, float hides)
{
    if (PICK && (hides >= 0.5 || (ray.more < 0.5 && hides > VT_MARCH_LEAST && hides >= ray.more))) {
        ray.picked = uvec2(word, vt_brick_offset(volume, word, voxel & 15u));
        ray.more = hides;
    }
}

uint axis_of(vec3 forward)
{
    vec3 a = abs(forward);
    return a.x >= a.y && a.x >= a.z ? 0u : a.y >= a.z ? 1u : 2u;
}

void planes(inout Ray ray, vec2 span)
{
    uint axis = axis_of(look.forward.xyz);
    // One level for the picture, by what is nearest in it: planes of two levels would not meet.
    uint level = level_at(distance(ray.from, clamp(ray.from, look.clip_min.xyz, look.clip_max.xyz)));
    int side = 1 << look.order, size = 1 << level;
    int first = int(look.clip_min[axis]) >> level, last = int(ceil(look.clip_max[axis]) - 1) >> level;
    bool up = ray.along[axis] > 0.0;
    float thick = abs(ray.per[axis]) * float(size);
    uvec3 brick = uvec3(~0u);
    uint word = VT_HOLE, slot = VT_NO_SLOT;
    Skin skin = Skin(vec3(0), 0.0, 0u);
    for (int n = 0; n <= last - first && n < side; n++) {
        int k = up ? last - n : first + n;
        float middle = (float(k) + 0.5) * float(size);
        float t = (middle - ray.from[axis]) * ray.per[axis];
        if (t < max(span.x, 0.0) || t > span.y) {
            continue;
        }
        vec3 at = ray.from + t * ray.along;
        at[axis] = middle;
        uvec3 v = uvec3(clamp(ivec3(floor(at)), ivec3(0), ivec3(side - 1)));
        if (v >> 4 != brick) {
            brick = v >> 4;
            word = brick_at(brick);
            if (word != VT_HOLE) {
                skin = skin_of(brick_number(brick));
                slot = vt_slot(volume, vt_brick_page(word));
            }
        }
        if (word == VT_HOLE) {
            continue;
        }
        uint value = value_at(word, slot, level, v);
        float depth = skin.absorb * look.absorption[value] * thick;
        if (depth > 0.0) {
            float hides = hidden_by(depth);
            pick(ray, word, v, hides);
            lay(ray, shaded(skin.colour, value), hides);
        }
    }
}

void main()
{
    uvec2 pixel;
    if (!pixel_of(pixel)) {
        return;
    }
    Ray ray = ray_of(pixel);
    vec2 span = span_of(ray, look.clip_min.xyz, look.clip_max.xyz);
    if (span.y > max(span.x, 0.0)) {
        uvec3 cut;
        uint word;
        if (slice(ray, span, cut, word)) {
            uint value = value_at(word, vt_slot(volume, vt_brick_page(word)), level_at(span.y), cut);
            lay(ray, shaded(skin_of(brick_number(cut >> 4)).colour, value), 1.0);
            pick(ray, word, cut, 1.0);
        }
        planes(ray, span);
    }
    finish(pixel, ray);
}
