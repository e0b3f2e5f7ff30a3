// What subgroups compute, made independent of their size.
#version 450
#extension GL_KHR_shader_subgroup_basic : require
#extension GL_KHR_shader_subgroup_vote : require
#extension GL_KHR_shader_subgroup_arithmetic : require
#extension GL_KHR_shader_subgroup_ballot : require
#extension GL_KHR_shader_subgroup_shuffle : require
layout(local_size_x = 64) in;
layout(std430, binding = 0) buffer Out { uint total, highest, counted, all_true, wrong, bits; };
void main()
{
    uint i = gl_GlobalInvocationID.x;
    uint sum = subgroupAdd(i);
    uint high = subgroupMax(i);
    uint before = subgroupExclusiveAdd(1u);
    uint n = subgroupBallotBitCount(subgroupBallot(true));
    uint first = subgroupBroadcastFirst(i);
    uint other = subgroupShuffle(i, (gl_SubgroupInvocationID + 1u) % n);
    if (before != gl_SubgroupInvocationID || first > i || (other != i + 1u && other != first)) {
        atomicAdd(wrong, 1u);
    }
    if (subgroupElect()) {
        atomicAdd(total, sum);
        atomicMax(highest, high);
        atomicAdd(counted, n);
        atomicAdd(bits, subgroupOr(1u));
    }
    if (subgroupAll(i < 4096u)) {
        atomicAdd(all_true, 1u);
    }
}
