// A rectangle of one colour, by push constants, as a strip of four vertices.
#version 450
layout(push_constant) uniform Push { vec4 rect; vec4 color; float depth; } push;
layout(location = 0) out vec4 color;
layout(location = 1) out vec2 place;
void main()
{
    vec2 corner = vec2(gl_VertexIndex & 1, gl_VertexIndex >> 1);
    place = corner;
    color = push.color;
    gl_Position = vec4(mix(push.rect.xy, push.rect.zw, corner), push.depth, 1.0);
    gl_PointSize = 1.0;
}
