// Buffers with dynamic offsets.
#version 450
layout(local_size_x = 16) in;
layout(binding = 0) uniform In { uvec4 numbers[4]; };
layout(std430, binding = 1) buffer Out { uint out_words[16]; };
void main()
{
    uint i = gl_LocalInvocationIndex;
    out_words[i] += numbers[i / 4u][i % 4u];
}
