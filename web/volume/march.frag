/* march.frag - marches a ray a pixel through the volume, front to back: shaders/march.comp for a
 * browser. Comes behind common.glsl.
 *
 * A ray's place is a voxel (whole numbers) and a length. It goes from block to block: a node of
 * bricks with nothing to be seen, or inside a brick a cell of the level whose size is about a
 * pixel's. From a block it goes to the voxel behind the nearest of the block's three far faces, so
 * each step moves the voxel, and only ever the way that the ray goes, whatever rounding does to the
 * lengths: there are at most three times the cube's side of them.
 */

void gather(inout Ray ray, vec3 colour, float hides)
{
    ray.colour += ray.light * hides * colour;
    ray.light *= 1.0 - hides;
}

// Leaves the block of 2^shift voxels a side that v lies in: t is where, v the voxel behind.
void leave(Ray ray, int shift, inout ivec3 v, inout float t)
{
    ivec3 low = (v >> shift) << shift, size = ivec3(1 << shift);
    bvec3 ahead = greaterThan(ray.along, vec3(0));
    ivec3 high = low + size;
    vec3 faces = (vec3(mix(vec3(low), vec3(high), ahead)) - ray.from) * ray.per;
    t = max(t, min(faces.x, min(faces.y, faces.z)));
    // Behind the face on one axis, still inside the block on the others.
    bool x = faces.x <= faces.y && faces.x <= faces.z, y = !x && faces.y <= faces.z;
    ivec3 within = clamp(ivec3(floor(ray.from + t * ray.along)), low, high - 1);
    v = ivec3(x ? (ahead.x ? high.x : low.x - 1) : within.x,
              y ? (ahead.y ? high.y : low.y - 1) : within.y,
              !x && !y ? (ahead.z ? high.z : low.z - 1) : within.z);
}

void pass_brick(inout Ray ray, ivec3 brick, vec2 span, inout ivec3 v, inout float t)
{
    uint word = texelFetch(bricks, brick, 0).r;
    if (word == HOLE) {
        leave(ray, 4, v, t);
        return;
    }
    Place place = place_of(word);
    Page page = page_of(place.page);
    int level = max(level_at(t), place.level);
    for (int inner = 0; inner < 48 && (v >> 4) == brick && t < span.y && ray.light > END; inner++) {
        ivec3 at = v;
        float from = t;
        leave(ray, level, v, t);
        t = min(t, span.y);
        uint value = value_at(place, level, at);
        float depth = page.absorb * absorption_of(value) * (t - from);
        if (depth > 0.0) {
            gather(ray, shaded(page.colour, value), hidden_by(depth));
        }
    }
}

void march(inout Ray ray, vec2 span)
{
    float t = max(span.x, 0.0);
    ivec3 v = clamp(ivec3(floor(ray.from + t * ray.along)), ivec3(clip_min), ivec3(ceil(clip_max)) - 1);
    int steps = 3 << order;
    for (int i = 0; i < steps && t < span.y && ray.light > END; i++) {
        ivec3 brick = v >> 4;
        if (any(lessThan(v, ivec3(0))) || any(greaterThanEqual(brick, grid))) {
            break; // the span ends where RAM does
        }
        int skip = int(texelFetch(skips, brick, 0).r);
        if (skip != 0) {
            leave(ray, 3 + skip, v, t);
        } else {
            pass_brick(ray, brick, span, v, t);
        }
    }
}

void main()
{
    Ray ray = ray_of(gl_FragCoord.xy);
    vec2 span = span_of(ray, clip_min, clip_max);
    if (span.y > max(span.x, 0.0)) {
        ivec3 voxel;
        uint word;
        bool opaque = cut_by_slice(ray, span, voxel, word);
        march(ray, span);
        if (opaque && ray.light > END) {
            gather(ray, cut_colour(word, voxel, span.y), 1.0);
        }
    }
    finish(ray);
}
