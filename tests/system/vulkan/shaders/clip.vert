// A rectangle cut by a plane.
#version 450
layout(location = 0) out vec4 color;
out gl_PerVertex { vec4 gl_Position; float gl_ClipDistance[2]; };
void main()
{
    vec2 corner = vec2(gl_VertexIndex & 1, gl_VertexIndex >> 1) * 1.8 - 0.9;
    gl_Position = vec4(corner, 0.5, 1.0);
    gl_ClipDistance[0] = corner.x + corner.y + 0.3;
    gl_ClipDistance[1] = 0.6 - corner.y;
    color = vec4(corner * 0.5 + 0.5, 0.25, 1.0);
}
