/* slices.frag - the same picture by planes of voxels, back to front: shaders/slices.comp for a
 * browser. All rays take the same steps. Comes behind common.glsl.
 */

void lay(inout Ray ray, vec3 colour, float hides)
{
    ray.colour = mix(ray.colour, colour, hides);
    ray.light *= 1.0 - hides;
}

void planes(inout Ray ray, vec2 span)
{
    vec3 a = abs(forward);
    int axis = a.x >= a.y && a.x >= a.z ? 0 : a.y >= a.z ? 1 : 2;
    // One level for the picture, by what is nearest in it: planes of two levels would not meet.
    int level = max(level_at(distance(ray.from, clamp(ray.from, clip_min, clip_max))), base_level);
    int side = 1 << order, size = 1 << level;
    int first = int(clip_min[axis]) >> level, last = int(ceil(clip_max[axis]) - 1.0) >> level;
    bool ahead = ray.along[axis] > 0.0;
    float thick = abs(ray.per[axis]) * float(size);
    ivec3 brick = ivec3(-1);
    uint word = HOLE;
    Page page = Page(vec3(0), 0.0);
    Place place = Place(0, -1, base_level, 0);
    for (int n = 0; n <= last - first && n < side; n++) {
        int k = ahead ? last - n : first + n;
        float middle = (float(k) + 0.5) * float(size);
        float t = (middle - ray.from[axis]) * ray.per[axis];
        if (t < max(span.x, 0.0) || t > span.y) {
            continue;
        }
        vec3 at = ray.from + t * ray.along;
        at[axis] = middle;
        ivec3 v = clamp(ivec3(floor(at)), ivec3(0), ivec3(side - 1));
        if ((v >> 4) != brick) {
            brick = v >> 4;
            word = brick_at(brick);
            if (word != HOLE) {
                place = place_of(word);
                page = page_of(place.page);
            }
        }
        if (word == HOLE) {
            continue;
        }
        uint value = value_at(place, level, v);
        float depth = page.absorb * absorption_of(value) * thick;
        if (depth > 0.0) {
            lay(ray, shaded(page.colour, value), hidden_by(depth));
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
        if (cut_by_slice(ray, span, voxel, word)) {
            lay(ray, cut_colour(word, voxel, span.y), 1.0);
        }
        planes(ray, span);
    }
    finish(ray);
}
