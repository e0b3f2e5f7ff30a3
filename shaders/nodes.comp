/* shaders/nodes.comp - nodes above bricks anew, one level a dispatch, each from its eight children.
 */
#version 460
#extension GL_GOOGLE_include_directive : require
#include "volume.glsl"

layout(local_size_x = 64) in;

layout(push_constant, std430) uniform Push {
    Volume volume;
    VtWords list; // which nodes of the level: x fastest, in vt_node_grid
    uint n_list;
    uint level;
};

// A brick as if it were a node.
VtNode node_of_brick(Volume v, uvec3 b)
{
    uint word = vt_brick(v, b);
    if (word == VT_HOLE) {
        return VtNode(0u, 0u, 0u, 0u);
    }
    uint page = vt_brick_page(word), a = v.attributes.at[page], owner = vt_owner(a);
    uint mean = vt_cell(v, page, 4u, 0u), lit = vt_highlight(a) != 0u ? 1u : 0u;
    return VtNode(mean | vt_class(a) << 8 | 255u << 16 | lit << 24, v.newest.at[page],
                  1u << (vt_class(a) & 31u), owner != 0u ? 1u << (owner & 31u) : 0u);
}

void main()
{
    uint i = gl_GlobalInvocationID.x;
    if (i >= n_list) {
        return;
    }
    Volume v = volume;
    uvec3 grid = vt_node_grid(v, level), below = vt_node_grid(v, level - 1u);
    uint n = list.at[i];
    uvec3 at = uvec3(n % grid.x, n / grid.x % grid.y, n / grid.x / grid.y);

    VtNode child[8];
    VtNode node = VtNode(0u, 0u, 0u, 0u);
    uint mean = 0u, present = 0u, lit = 0u;
    for (uint k = 0u; k < 8u; k++) {
        uvec3 c = at * 2u + uvec3(k & 1u, k >> 1 & 1u, k >> 2);
        child[k] = VtNode(0u, 0u, 0u, 0u);
        if (all(lessThan(c, below))) {
            if (level == 1u) {
                child[k] = node_of_brick(v, c);
            } else {
                child[k] = vt_node(v, level - 1u, c);
            }
        }
        mean += vt_node_mean(child[k]);
        present += vt_node_present(child[k]);
        lit |= child[k].summary & 1u << 24;
        node.newest = max(node.newest, child[k].newest);
        node.classes |= child[k].classes;
        node.owners |= child[k].owners;
    }

    // The class of most children, each counted as much as it is present; of equals the lowest.
    uint most = 0u, dominant = 0u;
    for (uint k = 0u; k < 8u; k++) {
        uint of_class = vt_node_class(child[k]), votes = 0u;
        for (uint j = 0u; j < 8u; j++) {
            votes += vt_node_class(child[j]) == of_class ? vt_node_present(child[j]) : 0u;
        }
        if (votes > most || (votes == most && votes > 0u && of_class < dominant)) {
            most = votes;
            dominant = of_class;
        }
    }
    node.summary = max((mean + 4u) >> 3, min(mean, 1u)) | dominant << 8 |
                   (present + 7u) >> 3 << 16 | lit;
    v.nodes.at[v.node_first[level] + n] = node;
}
