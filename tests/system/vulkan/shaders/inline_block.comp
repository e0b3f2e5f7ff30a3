// A uniform block whose bytes lie in the descriptor.
#version 450
layout(local_size_x = 1) in;
layout(binding = 0) uniform Block { uvec4 numbers[2]; };
layout(std430, binding = 1) buffer Out { uint out_words[8]; };
void main()
{
    for (uint i = 0u; i < 8u; i++) {
        out_words[i] = numbers[i / 4u][i % 4u] * 5u;
    }
}
