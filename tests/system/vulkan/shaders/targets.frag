// Four attachments of different kinds.
#version 450
layout(location = 0) in vec4 color;
layout(location = 1) in vec2 place;
layout(location = 0) out vec4 plain;
layout(location = 1) out uvec4 whole;
layout(location = 2) out vec4 wide;
layout(location = 3) out float one;
void main()
{
    plain = color;
    whole = uvec4(gl_FragCoord.xy, 7u, 4000000000u);
    wide = vec4(place * 100.0, -color.r, gl_FragCoord.z);
    one = gl_FragCoord.x / 64.0;
}
