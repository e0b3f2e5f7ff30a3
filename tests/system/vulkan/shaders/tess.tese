#version 450
layout(triangles, fractional_odd_spacing, ccw) in;
layout(location = 0) patch in vec4 tint;
layout(location = 0) out vec4 color;
void main()
{
    gl_Position = gl_in[0].gl_Position * gl_TessCoord.x + gl_in[1].gl_Position * gl_TessCoord.y +
                  gl_in[2].gl_Position * gl_TessCoord.z;
    gl_Position.xy += sin(gl_TessCoord.xy * 9.0) * 0.05;
    color = tint * vec4(gl_TessCoord, 1.0);
}
