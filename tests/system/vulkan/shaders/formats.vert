// Attributes of many formats become the colour of one pixel each.
#version 450
layout(location = 0) in vec4 snorm8;
layout(location = 1) in vec2 half2;
layout(location = 2) in vec4 packed10;
layout(location = 3) in uint whole;
layout(location = 4) in ivec2 small;
layout(location = 5) in vec4 scaled;
layout(location = 6) in vec3 wide;
layout(location = 0) out vec4 color;
layout(location = 1) out vec2 place;
void main()
{
    gl_Position = vec4((float(gl_VertexIndex) + 0.5) / 16.0 - 1.0, 0.5, 0.0, 1.0);
    gl_PointSize = 1.0;
    color = vec4(snorm8.x + half2.x + packed10.x, float(whole & 255u) / 255.0 + half2.y,
                 float(small.x + small.y) / 256.0 + 0.5, dot(scaled, vec4(0.25)) + wide.x + wide.y * wide.z);
    place = vec2(0);
}
