// A star of triangles from each point.
#version 450
layout(points, invocations = 2) in;
layout(triangle_strip, max_vertices = 8) out;
layout(location = 0) out vec4 color;
void main()
{
    for (int i = 0; i < 4; i++) {
        float angle = float(i + gl_InvocationID * 2) * 0.785;
        color = vec4(float(i) / 4.0, float(gl_InvocationID), float(gl_PrimitiveIDIn) / 16.0, 1.0);
        gl_Position = gl_in[0].gl_Position + vec4(cos(angle) * 0.2, sin(angle) * 0.2, 0.0, 0.0);
        EmitVertex();
        gl_Position = gl_in[0].gl_Position;
        EmitVertex();
    }
    EndPrimitive();
}
