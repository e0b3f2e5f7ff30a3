#version 450
void main()
{
    gl_Position = vec4(float(gl_VertexIndex % 4) / 2.0 - 0.75, float(gl_VertexIndex / 4) / 2.0 - 0.75, 0.0, 1.0);
    gl_PointSize = 1.0;
}
