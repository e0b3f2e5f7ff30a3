// An array of buffers without a size, indexed by what another buffer says.
#version 450
#extension GL_EXT_nonuniform_qualifier : require
layout(local_size_x = 64) in;
layout(std430, set = 0, binding = 0) readonly buffer Index { uint which[]; };
layout(std430, set = 0, binding = 1) buffer Out { uint out_words[]; };
layout(std430, set = 1, binding = 0) readonly buffer Many { uint words[]; } many[];
void main()
{
    uint i = gl_GlobalInvocationID.x;
    uint k = which[i];
    out_words[i] = many[nonuniformEXT(k)].words[i % 16u];
}
