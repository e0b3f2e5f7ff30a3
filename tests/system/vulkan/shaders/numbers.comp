// Where each invocation is, with a base and an indirect size.
#version 450
layout(local_size_x = 4, local_size_y = 2, local_size_z = 1) in;
layout(std430, binding = 0) buffer Out { uint out_words[]; };
void main()
{
    uvec3 g = gl_WorkGroupID;
    uint at = ((g.z * 8u + g.y) * 8u + g.x) * 8u + gl_LocalInvocationIndex;
    if (at < uint(out_words.length())) {
        out_words[at] = 1u + gl_GlobalInvocationID.x + gl_GlobalInvocationID.y * 100u + g.z * 10000u;
    }
}
