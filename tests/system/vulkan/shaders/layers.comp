// Reads cubes, arrays, volumes and 1-D pictures.
#version 450
layout(local_size_x = 64) in;
layout(binding = 0) uniform samplerCube cube;
layout(binding = 1) uniform sampler2DArray layered;
layout(binding = 2) uniform sampler3D solid;
layout(binding = 3) uniform sampler1D line;
layout(std430, binding = 4) buffer Out { vec4 results[]; };
void main()
{
    uint i = gl_GlobalInvocationID.x;
    float t = float(i) / 64.0;
    vec3 way = vec3(sin(t * 6.0), cos(t * 5.0), sin(t * 3.0) - 0.3);
    results[i * 4u] = textureLod(cube, way, 0.0);
    results[i * 4u + 1u] = textureLod(layered, vec3(t, 1.0 - t, float(i % 4u)), 0.0);
    results[i * 4u + 2u] = textureLod(solid, vec3(t, 0.4, 1.0 - t), 0.0);
    results[i * 4u + 3u] = textureLod(line, t, 0.0);
}
