#version 450
layout(vertices = 3) out;
layout(push_constant) uniform Push { float level; } push;
layout(location = 0) patch out vec4 tint;
void main()
{
    gl_out[gl_InvocationID].gl_Position = gl_in[gl_InvocationID].gl_Position;
    if (gl_InvocationID == 0) {
        gl_TessLevelOuter[0] = gl_TessLevelOuter[1] = gl_TessLevelOuter[2] = push.level;
        gl_TessLevelInner[0] = push.level;
        tint = vec4(0.25, 0.5, 0.75, 1.0);
    }
}
