// Writes and reads storage images of several formats, with atomics on one.
#version 450
layout(local_size_x = 8, local_size_y = 8) in;
layout(binding = 0, rgba8) uniform image2D color;
layout(binding = 1, r32ui) uniform uimage2D counts;
layout(binding = 2, rgba32f) uniform image2D wide;
void main()
{
    ivec2 at = ivec2(gl_GlobalInvocationID.xy);
    ivec2 size = imageSize(color);
    if (any(greaterThanEqual(at, size))) {
        return;
    }
    imageStore(color, at, vec4(vec2(at) / vec2(size), 0.5, 1.0));
    imageAtomicAdd(counts, at % 16, 1u);
    imageStore(wide, at, vec4(at, at.x * at.y, -1.0));
}
