// Each view has a place and a colour of its own.
#version 450
#extension GL_EXT_multiview : require
layout(location = 0) out vec4 color;
void main()
{
    vec2 corner = vec2(gl_VertexIndex & 1, gl_VertexIndex >> 1) - 0.5;
    gl_Position = vec4(corner + vec2(float(gl_ViewIndex) * 0.2 - 0.3, 0.1), 0.0, 1.0);
    color = vec4(float(gl_ViewIndex) / 3.0, 1.0 - float(gl_ViewIndex) / 3.0, 0.5, 1.0);
}
