// A picture across the rectangle, at a level that the colour's alpha says.
#version 450
layout(location = 0) in vec4 color;
layout(location = 1) in vec2 place;
layout(location = 0) out vec4 pixel;
layout(set = 0, binding = 0) uniform sampler2D picture;
void main()
{
    pixel = vec4(textureLod(picture, place * 2.0 - 0.5, color.a).rgb, 1.0);
}
