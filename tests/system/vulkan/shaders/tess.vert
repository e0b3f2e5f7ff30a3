#version 450
void main()
{
    gl_Position = vec4(gl_VertexIndex == 1 ? 0.9 : -0.9, gl_VertexIndex == 2 ? 0.9 : -0.9, 0.0, 1.0);
}
