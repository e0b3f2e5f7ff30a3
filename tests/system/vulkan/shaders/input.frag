// Reads what the subpass before has drawn at this pixel.
#version 450
layout(location = 0) in vec4 color;
layout(location = 0) out vec4 pixel;
layout(input_attachment_index = 0, set = 0, binding = 0) uniform subpassInput before;
void main()
{
    pixel = vec4(subpassLoad(before).gbr, 1.0) * color;
}
