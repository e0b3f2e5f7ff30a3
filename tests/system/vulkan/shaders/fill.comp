// Numbers from an index and push constants; the workgroup's size and a factor are specialised.
#version 450
layout(local_size_x_id = 0) in;
layout(constant_id = 1) const uint factor = 3u;
layout(constant_id = 2) const bool negate = false;
layout(constant_id = 3) const float scale = 1.5;
layout(push_constant) uniform Push { uint first, count; vec2 more; } push;
layout(std430, binding = 0) buffer Out { uint out_words[]; };
void main()
{
    uint i = gl_GlobalInvocationID.x;
    if (i < push.count) {
        uint v = (push.first + i) * factor + uint(push.more.x * scale + push.more.y);
        out_words[i] = negate ? ~v : v;
    }
}
