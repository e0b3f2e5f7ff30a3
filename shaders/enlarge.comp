/* shaders/enlarge.comp - a picture of which every n-th pixel was drawn, in full: each becomes a
 * square. */
#version 460
#extension GL_EXT_buffer_reference : require

layout(local_size_x = 8, local_size_y = 8) in;

layout(buffer_reference, std430, buffer_reference_align = 4) readonly buffer Small { uint at[]; };
layout(buffer_reference, std430, buffer_reference_align = 4) writeonly buffer Image { uint at[]; };

layout(push_constant, std430) uniform Push {
    Small small;
    Image image;
    uint width, height, small_width, scale;
};

void main()
{
    uvec2 at = gl_GlobalInvocationID.xy;
    if (at.x < width && at.y < height) {
        image.at[at.y * width + at.x] = small.at[at.y / scale * small_width + at.x / scale];
    }
}
