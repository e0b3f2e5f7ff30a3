/* tests/unit/volume/gpu_probe.comp - each byte becomes its double plus a constant: bytes through
 * addresses, a push block, a parameter block behind an address, and a specialization constant. */
#version 460
#extension GL_EXT_buffer_reference : require
#extension GL_EXT_scalar_block_layout : require
#extension GL_EXT_shader_8bit_storage : require
#extension GL_EXT_shader_explicit_arithmetic_types_int8 : require

layout(local_size_x = 64) in;
layout(constant_id = 0) const uint step = 1;

layout(buffer_reference, scalar, buffer_reference_align = 1) readonly buffer Bytes { uint8_t at[]; };
layout(buffer_reference, scalar, buffer_reference_align = 4) writeonly buffer Words { uint at[]; };
layout(buffer_reference, scalar, buffer_reference_align = 4) readonly buffer Parameters { uint n; };

layout(push_constant, scalar) uniform Push {
    Bytes from;
    Words to;
    Parameters parameters;
    uint plus;
};

void main()
{
    uint i = gl_GlobalInvocationID.x;
    if (i < parameters.n) {
        to.at[i] = uint(from.at[i]) * 2 + plus * step;
    }
}
