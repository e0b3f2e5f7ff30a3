// Follows a list through buffer addresses.
#version 450
#extension GL_EXT_buffer_reference : require
#extension GL_EXT_shader_explicit_arithmetic_types_int64 : require
layout(local_size_x = 1) in;
layout(buffer_reference) buffer Node;
layout(buffer_reference, std430, buffer_reference_align = 16) buffer Node { Node next; uint value; uint pad; };
layout(push_constant) uniform Push { Node first; uint count; } push;
layout(std430, binding = 0) buffer Out { uint out_words[]; };
void main()
{
    Node node = push.first;
    for (uint i = 0u; i < push.count; i++) {
        out_words[i] = node.value;
        node.value += 1000u;
        node = node.next;
    }
}
