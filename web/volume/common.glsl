/* common.glsl - what march.frag and slices.frag share: the volume's textures, a pixel's ray, what a
 * page looks like, what becomes of a ray. As shaders/march.glsl does it in the native renderer; the
 * numbers are src/volume/march.h's.
 *
 * A page's cells lie in columns of a texture 64 texels wide: a page's cells follow each other, and
 * pages follow each other down a column (renderer.js). Levels below `base_level` are of a pool of
 * fine pages only, and their places are slots, not pages.
 */
precision highp float;
precision highp int;
precision highp usampler2D;
precision highp usampler3D;
precision highp sampler2D;

uniform usampler2D cells0, cells1, cells2, cells3, cells4; // by level
uniform usampler3D bricks;     // page << 6 | orientation, or HOLE
uniform usampler3D skips;      // by brick: 0: there is something to be seen, m: nothing in the node
                               // of 2^(m - 1) bricks a side around it
uniform usampler2D offsets;    // [orientation][voxel of the brick]: byte of the page
uniform usampler2D attributes; // by page: class (8) | owner (8) | highlight (9)
uniform usampler2D newest;     // by page: last write, ms of the volume's clock; 0: never seen
uniform usampler2D slots;      // by page: 1 + slot of the fine ones; 0: not one of them
uniform sampler2D opacities;   // row 0: absorption by byte, row 1: opacity by class
uniform sampler2D colours;     // by class and owner, a row a class; row 32: by highlight

uniform ivec4 column_shift;    // places of a column of level 0-3, as a shift
uniform int column_shift4;
uniform int base_level;
uniform int fine_level;        // of the pool; base_level: there is none
uniform ivec3 grid;            // bricks
uniform int order;

uniform vec3 eye, forward, right, up; // right, up: half the picture at distance 1
uniform vec4 pixel;            // xy: a pixel of that, z: a pixel's width for levels, w: rows drawn
uniform vec3 clip_min, clip_max, slice;
uniform bvec3 slice_on;
uniform vec3 background;
uniform bool heat, dim_plain;
uniform uint only_owner, now_ms;
uniform float heat_decay;

const uint HOLE = 0xffffffffu;
const uint NO_SLOT = 0u;
const int TABLE_SHIFT = 10;    // tables by page are 1024 wide
const int HIGHLIGHTS_ROW = 32;
const uint OWNERS_MAX = 64u;

const float END = 0.004;
const float SHADE = 0.6;
const float TINT = 0.7;
const float DIM_ABSORB = 0.12;
const float DIM_COLOUR = 0.5;
const float HEAT_COLOUR = 0.85;
const float HEAT_ABSORB = 3.0;
const vec3 HOT = vec3(1.0, 0.62, 0.16);
const float DIRECTION_MIN = 1e-6;

out vec4 fragment;

// A ray, and what it has gathered so far.
struct Ray {
    vec3 from, along, per; // per: 1 / along
    vec3 colour;           // times what it covers
    float light;           // what is left of what is behind
};

// A page's part in what its voxels look like.
struct Page {
    vec3 colour;
    float absorb;
};

// A brick's page: where its cells are, and the finest level there is of them.
struct Place {
    int page, slot, level, orientation;
};

Ray ray_of(vec2 at)
{
    vec2 n = vec2(at.x * pixel.x - 1.0, 1.0 - (pixel.w - at.y) * pixel.y);
    vec3 d = normalize(forward + n.x * right + n.y * up);
    vec3 least = mix(vec3(DIRECTION_MIN), vec3(-DIRECTION_MIN), lessThan(d, vec3(0)));
    d = mix(d, least, lessThan(abs(d), vec3(DIRECTION_MIN)));
    return Ray(eye, d, 1.0 / d, vec3(0), 1.0);
}

// Where the ray is inside a box: x to y, nowhere where y <= max(x, 0).
vec2 span_of(Ray ray, vec3 low, vec3 high)
{
    vec3 a = (low - ray.from) * ray.per, b = (high - ray.from) * ray.per;
    vec3 near = min(a, b), far = max(a, b);
    return vec2(max(near.x, max(near.y, near.z)), min(far.x, min(far.y, far.z)));
}

ivec2 table_at(int page) { return ivec2(page & ((1 << TABLE_SHIFT) - 1), page >> TABLE_SHIFT); }

float heat_of(int page)
{
    uint written = texelFetch(newest, table_at(page), 0).r;
    if (written == 0u) {
        return 0.0;
    }
    float age_ms = now_ms > written ? float(now_ms - written) : 0.0;
    return exp2(age_ms * heat_decay);
}

Page page_of(int page)
{
    uint a = texelFetch(attributes, table_at(page), 0).r;
    int type = int(a & 31u);
    uint owner = a >> 8 & 255u, highlight = a >> 16 & 511u;
    uint shade = owner <= OWNERS_MAX ? owner : 0u;
    Page p = Page(texelFetch(colours, ivec2(int(shade), type), 0).rgb,
                  texelFetch(opacities, ivec2(type, 1), 0).r);
    if (highlight != 0u) {
        vec3 tint = texelFetch(colours, ivec2(int(highlight), HIGHLIGHTS_ROW), 0).rgb;
        p.colour = mix(p.colour, tint, TINT);
    }
    if ((highlight == 0u && dim_plain) || (only_owner != 0u && owner != only_owner)) {
        p.absorb *= DIM_ABSORB;
        p.colour *= DIM_COLOUR;
    }
    if (heat) {
        float h = heat_of(page);
        p.absorb *= 1.0 + HEAT_ABSORB * h;
        p.colour = mix(p.colour, HOT, HEAT_COLOUR * h);
    }
    return p;
}

Place place_of(uint word)
{
    int page = int(word >> 6), slot = -1, level = base_level;
    if (fine_level < base_level) {
        uint s = texelFetch(slots, table_at(page), 0).r;
        if (s != NO_SLOT) {
            slot = int(s) - 1;
            level = fine_level;
        }
    }
    return Place(page, slot, level, int(word & 31u));
}

ivec2 cell_at(int place, int level, int cell, int shift)
{
    int row = (place & ((1 << shift) - 1)) << (12 - 3 * level) | cell;
    return ivec2((place >> shift) << 6 | (row & 63), row >> 6);
}

// The cell that a voxel of a brick lies in, of a level that is not finer than the place's.
uint value_at(Place p, int level, ivec3 voxel)
{
    ivec3 v = voxel & 15;
    int byte = int(texelFetch(offsets, ivec2(v.x | v.y << 4 | v.z << 8, p.orientation), 0).r);
    int place = level < base_level ? p.slot : p.page, cell = byte >> (3 * level);
    switch (level) {
    case 0:
        return texelFetch(cells0, cell_at(place, 0, cell, column_shift.x), 0).r;
    case 1:
        return texelFetch(cells1, cell_at(place, 1, cell, column_shift.y), 0).r;
    case 2:
        return texelFetch(cells2, cell_at(place, 2, cell, column_shift.z), 0).r;
    case 3:
        return texelFetch(cells3, cell_at(place, 3, cell, column_shift.w), 0).r;
    default:
        return texelFetch(cells4, cell_at(place, 4, cell, column_shift4), 0).r;
    }
}

float absorption_of(uint value) { return texelFetch(opacities, ivec2(int(value), 0), 0).r; }

vec3 shaded(vec3 colour, uint value) { return colour * (SHADE + (1.0 - SHADE) * float(value) / 255.0); }

// 1 - exp(-x), without losing what is small.
float hidden_by(float x) { return x < 0.01 ? x * (1.0 - x * (0.5 - x / 6.0)) : 1.0 - exp(-x); }

// How coarse a level shows cells of a pixel's size at a distance.
int level_at(float t) { return int(clamp(floor(log2(max(t * pixel.z, 1.0))), 0.0, 4.0)); }

uint brick_at(ivec3 brick)
{
    bool in_grid = all(greaterThanEqual(brick, ivec3(0))) && all(lessThan(brick, grid));
    return in_grid ? texelFetch(bricks, brick, 0).r : HOLE;
}

// The nearest slice plane that has a page where the ray meets it: ends the ray's span there.
bool cut_by_slice(Ray ray, inout vec2 span, out ivec3 voxel, out uint word)
{
    float last = float((1 << order) - 1);
    bool found = false;
    voxel = ivec3(0);
    word = HOLE;
    for (int axis = 0; axis < 3; axis++) {
        float t = (slice[axis] - ray.from[axis]) * ray.per[axis];
        if (!slice_on[axis] || t < max(span.x, 0.0) || t > span.y) {
            continue;
        }
        vec3 at = ray.from + t * ray.along;
        at[axis] = slice[axis];
        ivec3 v = ivec3(clamp(at, vec3(0), vec3(last)));
        uint w = brick_at(v >> 4);
        if (w != HOLE) {
            span.y = t;
            found = true;
            voxel = v;
            word = w;
        }
    }
    return found;
}

// The colour of a slice plane at a voxel.
vec3 cut_colour(uint word, ivec3 voxel, float t)
{
    Place place = place_of(word);
    return shaded(page_of(place.page).colour, value_at(place, max(level_at(t), place.level), voxel));
}

void finish(Ray ray) { fragment = vec4(min(ray.colour + ray.light * background, 1.0), 1.0); }
