/* shaders/levels.comp - levels 1 to 4 of pages whose bytes changed, from their voxels.
 *
 * A group a page, an invocation a cell of level 2: 64 bytes that follow each other in RAM, since
 * levels lie along the curve as RAM does. A job says which brick becomes what; holes are jobs, too.
 */
#version 460
#extension GL_GOOGLE_include_directive : require
#include "volume.glsl"

layout(local_size_x = 64) in;

struct Bytes16 { uvec4 at[256]; };
struct Bytes4 { uint at[128]; };
layout(buffer_reference, std430, buffer_reference_align = 16) readonly buffer Pages {
    Bytes16 page[];
};
layout(buffer_reference, std430, buffer_reference_align = 8) writeonly buffer Level1Words {
    Bytes4 page[];
};

layout(buffer_reference, std430, buffer_reference_align = 8) readonly buffer Jobs {
    uvec2 at[]; // brick, and its word without VT_BRICK_ZERO
};

layout(push_constant, std430) uniform Push {
    Volume volume;
    Jobs jobs;
    uint n_jobs;
    uint now;     // newest[] of the pages
    uint groups_x; // job number: y * groups_x + x
};

shared uint sums[64];

// Sum of the four bytes of a word.
uint bytes_of(uint w)
{
    uint pairs = (w & 0x00ff00ffu) + (w >> 8 & 0x00ff00ffu);
    return (pairs & 0xffffu) + (pairs >> 16);
}

// The mean of 2^shift bytes: rounded, and 0 only where all are 0.
uint mean(uint sum, uint shift)
{
    return max((sum + (1u << (shift - 1u))) >> shift, min(sum, 1u));
}

void main()
{
    uint number = gl_WorkGroupID.y * groups_x + gl_WorkGroupID.x, i = gl_LocalInvocationIndex;
    if (number >= n_jobs) {
        return; // the whole group
    }
    uvec2 job = jobs.at[number];
    Volume v = volume;
    if (job.y == VT_HOLE) {
        if (i == 0u) {
            v.bricks.at[job.x] = VT_HOLE;
        }
        return; // the whole group
    }
    uint page = vt_brick_page(job.y), slot = vt_slot(v, page);
    uint c = vt_chunk_of(page), p = vt_in_chunk(page);
    Pages voxels = Pages(v.chunk[vt_chunk_of(slot)].level0);

    uint sum = 0u, means[2];
    for (uint half_ = 0u; half_ < 2u; half_++) {
        means[half_] = 0u;
        for (uint k = 0u; k < 2u; k++) {
            uvec4 w = voxels.page[vt_in_chunk(slot)].at[i * 4u + half_ * 2u + k];
            uint a = bytes_of(w.x) + bytes_of(w.y), b = bytes_of(w.z) + bytes_of(w.w);
            means[half_] |= (mean(a, 3u) | mean(b, 3u) << 8) << (16u * k);
            sum += a + b;
        }
    }
    Level1Words level1 = Level1Words(v.chunk[c].level1);
    level1.page[p].at[i * 2u] = means[0];
    level1.page[p].at[i * 2u + 1u] = means[1];
    v.chunk[c].level2.page[p].at[i] = uint8_t(mean(sum, 6u));
    sums[i] = sum;
    barrier();

    if (i < 8u) {
        uint eight = 0u;
        for (uint k = 0u; k < 8u; k++) {
            eight += sums[i * 8u + k];
        }
        v.chunk[c].level3.page[p].at[i] = uint8_t(mean(eight, 9u));
    }
    if (i == 0u) {
        uint all = 0u;
        for (uint k = 0u; k < 64u; k++) {
            all += sums[k];
        }
        v.chunk[c].level4.page[p] = uint8_t(mean(all, 12u));
        v.bricks.at[job.x] = job.y | (all == 0u ? VT_BRICK_ZERO : 0u);
        v.newest.at[page] = now;
    }
}
