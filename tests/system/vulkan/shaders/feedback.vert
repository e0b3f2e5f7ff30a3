// What it computes is kept by transform feedback.
#version 450
layout(location = 0, xfb_buffer = 0, xfb_offset = 0, xfb_stride = 16) out vec3 kept;
layout(location = 1, xfb_buffer = 0, xfb_offset = 12) out float number;
void main()
{
    kept = vec3(gl_VertexIndex, gl_VertexIndex * gl_VertexIndex, 0.5);
    number = float(gl_InstanceIndex) * 100.0;
    gl_Position = vec4(0.0, 0.0, 0.0, 1.0);
    gl_PointSize = 1.0;
}
