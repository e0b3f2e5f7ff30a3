/* shaders/hilbert.comp - the Hilbert curve through a cube, by Skilling's transform: distances to
 * points and back. src/volume/hilbert3d.c is the same in C and is what this is held to.
 *
 * (J. Skilling, "Programming the Hilbert curve", AIP Conf. Proc. 707, 2004: transpose form.)
 */
#version 460
#extension GL_EXT_buffer_reference : require

layout(local_size_x = 64) in;

layout(buffer_reference, std430, buffer_reference_align = 4) buffer Words { uint at[]; };

const uint TO_POINTS = 0; // point i = that of distance first + i
const uint TO_DISTANCES = 1;

layout(push_constant, std430) uniform Push {
    Words points;    // x, y, z each
    Words distances; // low and high word each
    uint n;
    uint order; // 1-21
    uint what;
    uint first_low, first_high;
};

// Mirrors the cube below bit q where axis i has that bit, else exchanges axes 0 and i.
void turn(inout uvec3 x, uint i, uint q)
{
    uint below = q - 1u;
    if ((x[i] & q) != 0u) {
        x[0] ^= below;
    } else {
        uint t = (x[0] ^ x[i]) & below;
        x[0] ^= t;
        x[i] ^= t;
    }
}

// Octal digit k of a distance of two words.
uint digit(uvec2 d, uint k)
{
    uint bit = 3u * k;
    if (bit >= 32u) {
        return d.y >> (bit - 32u) & 7u;
    }
    return (d.x >> bit | (bit > 29u ? d.y << (32u - bit) : 0u)) & 7u;
}

uvec3 point_of(uvec2 d)
{
    uvec3 x = uvec3(0u);
    for (uint k = 0u; k < order; k++) {
        uint o = digit(d, k);
        x |= uvec3(o >> 2 & 1u, o >> 1 & 1u, o & 1u) << k;
    }
    uint carry = x.z >> 1; // Gray code to binary, digit by digit
    x.z ^= x.y;
    x.y ^= x.x;
    x.x ^= carry;
    for (uint k = 1u; k < order; k++) {
        turn(x, 2u, 1u << k);
        turn(x, 1u, 1u << k);
        turn(x, 0u, 1u << k);
    }
    return x;
}

uvec2 distance_of(uvec3 x)
{
    uint carry = 0u;
    for (uint k = order - 1u; k > 0u; k--) {
        turn(x, 0u, 1u << k);
        turn(x, 1u, 1u << k);
        turn(x, 2u, 1u << k);
    }
    x.y ^= x.x;
    x.z ^= x.y;
    for (uint k = order - 1u; k > 0u; k--) {
        carry ^= (x.z >> k & 1u) != 0u ? (1u << k) - 1u : 0u;
    }
    x ^= carry;
    uvec2 d = uvec2(0u);
    for (uint k = 0u; k < order; k++) {
        uint o = (x.x >> k & 1u) << 2 | (x.y >> k & 1u) << 1 | (x.z >> k & 1u), bit = 3u * k;
        if (bit >= 32u) {
            d.y |= o << (bit - 32u);
        } else {
            d.x |= o << bit;
            d.y |= bit > 29u ? o >> (32u - bit) : 0u;
        }
    }
    return d;
}

void main()
{
    uint i = gl_GlobalInvocationID.x;
    if (i >= n) {
        return;
    }
    if (what == TO_POINTS) {
        uint carry;
        uint low = uaddCarry(first_low, i, carry);
        uvec3 p = point_of(uvec2(low, first_high + carry));
        points.at[i * 3u] = p.x;
        points.at[i * 3u + 1u] = p.y;
        points.at[i * 3u + 2u] = p.z;
    } else {
        uvec2 d = distance_of(
            uvec3(points.at[i * 3u], points.at[i * 3u + 1u], points.at[i * 3u + 2u]));
        distances.at[i * 2u] = d.x;
        distances.at[i * 2u + 1u] = d.y;
    }
}
