// Sums in shared memory, a histogram and a maximum by atomics.
#version 450
layout(local_size_x = 128) in;
layout(std430, binding = 0) readonly buffer In { uint in_words[]; };
layout(std430, binding = 1) buffer Out { uint sum; uint highest; uint lowest; uint exchanged; uint histogram[16]; };
shared uint part[128];
void main()
{
    uint i = gl_GlobalInvocationID.x;
    uint v = i < uint(in_words.length()) ? in_words[i] : 0u;
    part[gl_LocalInvocationIndex] = v;
    barrier();
    for (uint step = 64u; step > 0u; step >>= 1) {
        if (gl_LocalInvocationIndex < step) {
            part[gl_LocalInvocationIndex] += part[gl_LocalInvocationIndex + step];
        }
        barrier();
    }
    if (gl_LocalInvocationIndex == 0u) {
        atomicAdd(sum, part[0]);
    }
    if (i < uint(in_words.length())) {
        atomicMax(highest, v);
        atomicMin(lowest, v);
        atomicAdd(histogram[v >> 28], 1u);
        atomicCompSwap(exchanged, 0u, 7u);
    }
}
