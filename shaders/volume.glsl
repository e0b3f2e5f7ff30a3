/* shaders/volume.glsl - a volume as programs see it; src/volume/volume.h is the same for the host.
 *
 * A program is pushed the address of a Volume (`layout(push_constant, std430) uniform Push {
 * Volume volume; ... }`, aligned to 8) and reaches everything from there.
 *
 *   brick      16^3 voxels = one page of RAM. bricks[] says which page lies where in the grid.
 *   levels     of a page: level 0 is its 16^3 bytes, level l its (16 >> l)^3 cells, down to the one
 *              cell of level 4: the mean of their bytes, 0 only where all of them are 0. All levels
 *              lie along the Hilbert curve: the cell of byte number n is number n >> 3 l. So one
 *              table, offsets[], leads from a voxel in its brick to its cell on every level.
 *   turns      the curve runs through every brick in the same way, but for which axis is which and
 *              which way it goes: 24 turns (src/volume/hilbert3d.h). A voxel is turned first, then
 *              looked up.
 *   nodes      above bricks: level m is of (2^m)^3 bricks, m = 1 .. n_node_levels, x fastest.
 *   class, owner, highlight and last write are the page's; there is nothing finer.
 *
 * The grid is the part of the cube that RAM reaches: grid[] bricks from the cube's corner 0 on. It
 * need not be a power of two; nodes at its edge stand for fewer bricks.
 */
#ifndef VT_VOLUME_GLSL
#define VT_VOLUME_GLSL

#extension GL_EXT_buffer_reference : require
#extension GL_EXT_shader_8bit_storage : require
#extension GL_EXT_shader_16bit_storage : require
#extension GL_EXT_shader_explicit_arithmetic_types_int8 : require
#extension GL_EXT_shader_explicit_arithmetic_types_int16 : require

const uint VT_HOLE = ~0u;          // in bricks[]: nothing there
const uint VT_NO_SLOT = ~0u;       // in slots[]: the voxels are not on the device, levels 1-4 are
const uint VT_BRICK_ZERO = 1u << 5; // in bricks[]: all bytes of the page are 0
const uint VT_CHUNK_SHIFT = 18;    // pages of a chunk: 2^18, a gibibyte
const uint VT_NODE_LEVELS_MAX = 12;
const uint VT_CHUNKS_AT = 272; // bytes from a Volume's beginning to its chunks

const uint VT_VOLUME_POOLED = 1; // flag: voxels of a page lie in slot slots[page], not in slot page

// One page's cells, by level.
struct VtCells0 { uint8_t at[4096]; };
struct VtCells1 { uint8_t at[512]; };
struct VtCells2 { uint8_t at[64]; };
struct VtCells3 { uint8_t at[8]; };

layout(buffer_reference, std430, buffer_reference_align = 8) buffer VtLevel0 { VtCells0 page[]; };
layout(buffer_reference, std430, buffer_reference_align = 8) buffer VtLevel1 { VtCells1 page[]; };
layout(buffer_reference, std430, buffer_reference_align = 8) buffer VtLevel2 { VtCells2 page[]; };
layout(buffer_reference, std430, buffer_reference_align = 8) buffer VtLevel3 { VtCells3 page[]; };
layout(buffer_reference, std430, buffer_reference_align = 8) buffer VtLevel4 { uint8_t page[]; };
layout(buffer_reference, std430, buffer_reference_align = 4) buffer VtWords { uint at[]; };
layout(buffer_reference, std430, buffer_reference_align = 4) buffer VtHalves { uint16_t at[]; };

// (2^m)^3 bricks.
struct VtNode {
    uint summary; // mean of all voxels (8) | dominant class (8) | present (8) | highlighted (1)
                  //  mean: holes count as 0; 0 only where all voxels are
                  //  present: share of bricks that are no hole, of 255; 0 only without any
                  //  highlighted: a page of it is
    uint newest;  // the newest last write, as in newest[] of pages
    uint classes; // bit c: a page of class c is among them
    uint owners;  // bit o % 32: a page of owner o > 0 is among them
};
layout(buffer_reference, std430, buffer_reference_align = 16) buffer VtNodes { VtNode at[]; };

// Of 2^VT_CHUNK_SHIFT pages.
struct VtChunk {
    VtLevel0 level0; // by slot
    VtLevel1 level1; // by page, these and the following
    VtLevel2 level2;
    VtLevel3 level3;
    VtLevel4 level4;
};

layout(buffer_reference, std430, buffer_reference_align = 16) buffer Volume {
    VtWords bricks;     // by brick, x fastest: page << 6 | zero << 5 | orientation, or VT_HOLE
    VtHalves offsets;   // [x + 16 y + 256 z] of a voxel that was turned: byte of the page
    VtWords attributes; // by page: class (8) | owner (8) | highlight, 0 or 1 + index (9)
    VtWords newest;     // by page: last write in ms of the volume's clock, from 1; 0: never seen
    VtWords slots;      // by page, with VT_VOLUME_POOLED only
    VtNodes nodes;      // of all levels; those of level m begin at node_first[m]
    uint order;         // the cube's side is 2^order voxels
    uint flags;
    uint n_pages;
    uint n_node_levels; // the last one is a single node
    uint grid[4];       // bricks along x, y, z; 0
    uint node_first[16]; // [0] is not used
    uint turns[32];     // by orientation: see vt_turned
    VtChunk chunk[];
};

uint vt_class(uint attributes) { return attributes & 255u; }
uint vt_owner(uint attributes) { return attributes >> 8 & 255u; }
uint vt_highlight(uint attributes) { return attributes >> 16 & 511u; }

// The word of the brick at b, which lies in the grid.
uint vt_brick(Volume v, uvec3 b) { return v.bricks.at[(b.z * v.grid[1] + b.y) * v.grid[0] + b.x]; }
uint vt_brick_page(uint word) { return word >> 6; }

// A turn: of each axis the place of its four bits in an index (0, 4, 8; four bits each), and
// whether it runs backwards (a bit each).
uvec3 vt_turn_shifts(uint turn) { return uvec3(turn, turn >> 4, turn >> 8) & 15u; }
bvec3 vt_turn_backwards(uint turn) { return notEqual(uvec3(turn) & uvec3(1u, 2u, 4u) << 12, uvec3(0)); }
// The index of voxel x, y, z (0-15) of a brick in offsets[].
uint vt_turned(uint turn, uvec3 xyz)
{
    uvec3 place = mix(xyz, 15u - xyz, vt_turn_backwards(turn)) << vt_turn_shifts(turn);
    return place.x | place.y | place.z;
}

// The byte in its page of voxel x, y, z (0-15) of a brick.
uint vt_brick_offset(Volume v, uint word, uvec3 xyz)
{
    return uint(v.offsets.at[vt_turned(v.turns[word & 31u], xyz)]);
}

// Which slot holds the voxels of a page, or VT_NO_SLOT.
uint vt_slot(Volume v, uint page)
{
    return (v.flags & VT_VOLUME_POOLED) == 0u ? page : v.slots.at[page];
}

uint vt_chunk_of(uint page) { return page >> VT_CHUNK_SHIFT; }
uint vt_in_chunk(uint page) { return page & ((1u << VT_CHUNK_SHIFT) - 1u); }

// Byte `offset` of the page in `slot`.
uint vt_voxel(Volume v, uint slot, uint offset)
{
    return uint(v.chunk[vt_chunk_of(slot)].level0.page[vt_in_chunk(slot)].at[offset]);
}

// The cell of level 1-4 of a page that holds its byte `offset`.
uint vt_cell(Volume v, uint page, uint level, uint offset)
{
    uint c = vt_chunk_of(page), i = vt_in_chunk(page);
    switch (level) {
    case 1u: return uint(v.chunk[c].level1.page[i].at[offset >> 3]);
    case 2u: return uint(v.chunk[c].level2.page[i].at[offset >> 6]);
    case 3u: return uint(v.chunk[c].level3.page[i].at[offset >> 9]);
    default: return uint(v.chunk[c].level4.page[i]);
    }
}

// Nodes of level m along x, y, z.
uvec3 vt_node_grid(Volume v, uint m)
{
    uvec3 g = uvec3(v.grid[0], v.grid[1], v.grid[2]);
    return (g + (1u << m) - 1u) >> m;
}
// Node n of level m, 1 <= m <= n_node_levels: which holds bricks n << m and following.
uint vt_node_index(Volume v, uint m, uvec3 n)
{
    uvec3 g = vt_node_grid(v, m);
    return v.node_first[m] + (n.z * g.y + n.y) * g.x + n.x;
}
VtNode vt_node(Volume v, uint m, uvec3 n) { return v.nodes.at[vt_node_index(v, m, n)]; }
uint vt_node_mean(VtNode n) { return n.summary & 255u; }
uint vt_node_class(VtNode n) { return n.summary >> 8 & 255u; }
uint vt_node_present(VtNode n) { return n.summary >> 16 & 255u; }
bool vt_node_highlighted(VtNode n) { return (n.summary >> 24 & 1u) != 0u; }

#endif
