// Texel buffers and a sampled image by its texels.
#version 450
layout(local_size_x = 16) in;
layout(binding = 0) uniform textureBuffer numbers;
layout(binding = 1, r32f) uniform imageBuffer results;
layout(binding = 2) uniform sampler2D picture;
void main()
{
    int i = int(gl_GlobalInvocationID.x);
    vec4 texel = texelFetch(numbers, i);
    vec4 sampled = textureLod(picture, vec2(float(i) / 64.0, 0.3), 0.0);
    imageStore(results, i, vec4(dot(texel, vec4(1.0, 2.0, 3.0, 4.0)) + sampled.x * 8.0 + sampled.y));
}
