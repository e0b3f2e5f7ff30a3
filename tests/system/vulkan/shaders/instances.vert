// Vertices and instances from buffers.
#version 450
layout(location = 0) in vec2 at;
layout(location = 1) in vec4 tint;
layout(location = 2) in vec3 offset;
layout(location = 3) in float size;
layout(location = 0) out vec4 color;
layout(location = 1) out vec2 place;
void main()
{
    gl_Position = vec4(at * size + offset.xy, offset.z, 1.0);
    color = tint + vec4(float(gl_InstanceIndex) / 64.0, 0.0, float(gl_VertexIndex) / 8.0, 0.0);
    place = at;
    gl_PointSize = 1.0;
}
