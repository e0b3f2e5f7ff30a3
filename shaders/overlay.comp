/* shaders/overlay.comp - draws a drawing (src/volume/drawing.h) over a picture.
 *
 * The picture is cut into tiles of 16 x 16 pixels, a group each. It looks through the strokes, 64 at
 * once, and draws those that touch its tile in their order; an invocation four pixels. What a stroke
 * covers of a pixel is what src/volume/draw.c says, but for round shapes: there it is exact, here a
 * distance stands for it, which differs by less than an eighth of a pixel.
 */
#version 460
#extension GL_EXT_buffer_reference : require
#extension GL_EXT_shader_8bit_storage : require
#extension GL_EXT_shader_explicit_arithmetic_types_int8 : require

layout(local_size_x = 8, local_size_y = 8) in;

const uint LINE = 0u, RECT = 1u, ROUND = 2u, WORDS = 3u; // enum vt_stroke_kind
const int TILE = 16;

struct Stroke {
    vec4 box;   // line: from, to; else: corner, size
    float size; // line: width; round: radius
    uint colour; // R lowest
    uint kind;
    uint words; // WORDS: where in sprites its coverage begins, box.z a row
};
layout(buffer_reference, std430, buffer_reference_align = 16) readonly buffer Strokes { Stroke at[]; };
layout(buffer_reference, std430, buffer_reference_align = 4) readonly buffer Sprites { uint8_t at[]; };
layout(buffer_reference, std430, buffer_reference_align = 4) buffer Image { uint at[]; };

shared uint touch[2]; // of 64 strokes: a bit each that touches the tile

layout(push_constant, std430) uniform Push {
    Strokes strokes;
    Sprites sprites;
    Image image;
    uint width, height, n_strokes;
};

// The share of [i, i + 1] that lies in [low, high].
float overlap(float i, float low, float high) { return max(0.0, min(high, i + 1.0) - max(low, i)); }

float line(Stroke s, vec2 pixel)
{
    vec2 from = s.box.xy, to = s.box.zw, way = abs(to - from);
    if (way.y > way.x) { // steep: along y, across x
        from = from.yx;
        to = to.yx;
        pixel = pixel.yx;
    }
    float slope = (to.y - from.y) / (to.x - from.x);
    float half_ = 0.5 * s.size * sqrt(1.0 + slope * slope);
    float middle = from.y + slope * (pixel.x + 0.5 - from.x);
    return overlap(pixel.x, min(from.x, to.x), max(from.x, to.x)) *
           overlap(pixel.y, middle - half_, middle + half_);
}

float round_rect(Stroke s, vec2 pixel)
{
    vec2 half_ = 0.5 * s.box.zw;
    float radius = min(s.size, min(half_.x, half_.y));
    vec2 out_ = abs(pixel + 0.5 - s.box.xy - half_) - half_ + radius;
    float away = length(max(out_, 0.0)) + min(max(out_.x, out_.y), 0.0) - radius;
    return clamp(0.5 - away, 0.0, 1.0);
}

float words(Stroke s, vec2 pixel)
{
    ivec2 at = ivec2(pixel - s.box.xy), size = ivec2(s.box.zw);
    bool within = all(greaterThanEqual(at, ivec2(0))) && all(lessThan(at, size));
    return within ? float(sprites.at[s.words + uint(at.y * size.x + at.x)]) / 255.0 : 0.0;
}

float covers(Stroke s, vec2 pixel)
{
    switch (s.kind) {
    case LINE: return line(s, pixel);
    case RECT: {
        vec2 at = pixel - s.box.xy;
        return all(greaterThanEqual(at, vec2(0))) && all(lessThan(at, s.box.zw)) ? 1.0 : 0.0;
    }
    case ROUND: return round_rect(s, pixel);
    default: return words(s, pixel);
    }
}

uvec4 unpacked(uint c) { return uvec4(c, c >> 8, c >> 16, c >> 24) & 255u; }

// Whether a stroke may reach into the tile around `middle`.
bool touches(Stroke s, vec2 middle)
{
    vec2 low = s.box.xy, high = s.box.xy + s.box.zw;
    float reach = 0.5 * float(TILE) + 1.0;
    if (s.kind == LINE) {
        vec2 way = s.box.zw - s.box.xy, away = middle - s.box.xy;
        low = min(s.box.xy, s.box.zw) - s.size;
        high = max(s.box.xy, s.box.zw) + s.size;
        float aside = abs(way.x * away.y - way.y * away.x);
        if (aside > (reach + s.size) * (abs(way.x) + abs(way.y))) {
            return false;
        }
    }
    return all(lessThan(low - reach, middle)) && all(greaterThan(high + reach, middle));
}

void main()
{
    ivec2 corner = ivec2(gl_WorkGroupID.xy) * TILE + ivec2(gl_LocalInvocationID.xy);
    vec2 middle = (vec2(gl_WorkGroupID.xy) + 0.5) * float(TILE);
    uint own = gl_LocalInvocationIndex;
    uvec4 pixels[4];
    bool drawn = false;
    for (uint first = 0u; first < n_strokes; first += 64u) {
        barrier();
        if (own < 2u) {
            touch[own] = 0u;
        }
        barrier();
        if (first + own < n_strokes && touches(strokes.at[first + own], middle)) {
            atomicOr(touch[own >> 5], 1u << (own & 31u));
        }
        barrier();
        for (uint half_ = 0u; half_ < 2u; half_++) {
            for (uint bits = touch[half_]; bits != 0u; bits &= bits - 1u) {
                Stroke s = strokes.at[first + half_ * 32u + uint(findLSB(bits))];
                uvec4 colour = unpacked(s.colour);
                for (int k = 0; k < 4; k++) {
                    ivec2 at = corner + ivec2(k & 1, k >> 1) * 8;
                    if (!drawn) {
                        bool within = at.x < int(width) && at.y < int(height);
                        pixels[k] = within ? unpacked(image.at[at.y * width + at.x]) : uvec4(0);
                    }
                    uint alpha = uint(min(covers(s, vec2(at)), 1.0) * float(colour.a) + 0.5);
                    pixels[k] =
                        (pixels[k] * (255u - alpha) + uvec4(colour.rgb, 255u) * alpha + 127u) / 255u;
                }
                drawn = true;
            }
        }
    }
    for (int k = 0; drawn && k < 4; k++) {
        ivec2 at = corner + ivec2(k & 1, k >> 1) * 8;
        if (at.x < int(width) && at.y < int(height)) {
            uvec4 p = pixels[k];
            image.at[at.y * width + at.x] = p.r | p.g << 8 | p.b << 16 | p.a << 24;
        }
    }
}
