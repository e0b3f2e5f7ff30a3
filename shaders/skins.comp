/* shaders/skins.comp - what each brick looks like in a picture, before its rays are cast: skins, and
 * masks of what is seen (march.glsl). First a group a group of bricks, then, when all of them are
 * there, a group a supergroup.
 */
#version 460
#extension GL_GOOGLE_include_directive : require
#include "march.glsl"

layout(local_size_x = 64) in;

layout(constant_id = 1) const bool SUPERGROUPS = false;

shared uint low, high;
shared vec4 parts[64]; // what bricks of a group give, times absorption; absorption

vec3 colour_of(uint packed) { return unpackUnorm4x8(packed).rgb; }

float heat_of(uint newest)
{
    if ((look.flags & VT_MARCH_HEAT) == 0 || newest == 0) {
        return 0.0;
    }
    float age_ms = look.now_ms > newest ? float(look.now_ms - newest) : 0.0;
    return exp2(age_ms * look.heat_decay);
}

Skin skin_of_page(uint page)
{
    uint attributes = volume.attributes.at[page];
    uint type = vt_class(attributes) & 31u, owner = vt_owner(attributes);
    uint highlight = vt_highlight(attributes), shade = owner <= VT_OWNERS_MAX ? owner : 0u;
    Skin s = Skin(colour_of(look.colours[type * (VT_OWNERS_MAX + 1u) + shade]),
                  look.class_opacity[type], vt_cell(volume, page, 4u, 0u));
    if (highlight != 0) {
        s.colour = mix(s.colour, colour_of(look.highlights[highlight]), VT_MARCH_TINT);
    }
    if ((highlight == 0 && (look.flags & VT_MARCH_DIM_PLAIN) != 0) ||
        (look.only_owner != 0 && owner != look.only_owner)) {
        s.absorb *= VT_MARCH_DIM_ABSORB;
        s.colour *= VT_MARCH_DIM_COLOUR;
    }
    float heat = heat_of(volume.newest.at[page]);
    s.absorb *= 1.0 + VT_MARCH_HEAT_ABSORB * heat;
    s.colour = mix(s.colour, VT_MARCH_HOT, VT_MARCH_HEAT_COLOUR * heat);
    return s;
}

// Brick i of group n. A slice shows a brick whatever its class: only holes have no skin.
bool brick_seen(uint n, uint i)
{
    uint s = n >> 6;
    uvec3 size = supergrid();
    uvec3 super = uvec3(s % size.x, s / size.x % size.y, s / size.x / size.y);
    uvec3 group = super * 4u + (uvec3(n, n >> 2, n >> 4) & 3u);
    uint word = brick_at(group * 4u + (uvec3(i, i >> 2, i >> 4) & 3u));
    parts[i] = vec4(0);
    if (word == VT_HOLE) {
        return false;
    }
    Skin skin = skin_of_page(vt_brick_page(word));
    skins.at[n * 64u + i] =
        uvec2(packUnorm4x8(vec4(skin.colour, 0.0)) | skin.mean << 24, floatBitsToUint(skin.absorb));
    float absorbs = skin.absorb * look.absorption[skin.mean];
    parts[i] = vec4(shaded(skin.colour, skin.mean), 1.0) * absorbs;
    return skin.absorb > 0.0 && ((word & VT_BRICK_ZERO) == 0 || look.absorption[0] > 0.0);
}

void main()
{
    uint n = gl_WorkGroupID.y * gl_NumWorkGroups.x + gl_WorkGroupID.x, i = gl_LocalInvocationIndex;
    uvec3 size = supergrid();
    if (n >= size.x * size.y * size.z * (SUPERGROUPS ? 1u : 64u)) {
        return; // the whole group
    }
    if (i == 0u) {
        low = high = 0u;
    }
    barrier();
    if (SUPERGROUPS ? groups.at[n * 64u + i] != uvec2(0) : brick_seen(n, i)) {
        if (i < 32u) {
            atomicOr(low, 1u << i);
        } else {
            atomicOr(high, 1u << (i - 32u));
        }
    }
    barrier();
    for (uint n_parts = 32u; !SUPERGROUPS && n_parts > 0u; n_parts >>= 1) {
        if (i < n_parts) {
            parts[i] += parts[i + n_parts];
        }
        barrier();
    }
    if (i == 0u) {
        if (SUPERGROUPS) {
            supergroups.at[n] = uvec2(low, high);
        } else {
            groups.at[n] = uvec2(low, high);
            vec4 all = parts[0];
            group_skins.at[n] = uvec2(packUnorm4x8(vec4(all.rgb / max(all.a, 1e-30), 0.0)),
                                      floatBitsToUint(all.a / 64.0));
        }
    }
}
