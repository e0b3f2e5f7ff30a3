#!/usr/bin/env bash
# tests/unit/volume/shader.sh GLSLANG SHADERS FILE - what a shader compiles to is valid SPIR-V.
set -euo pipefail
command -v spirv-val >/dev/null || {
    echo 'skipped: no spirv-val (tools/setup test)'
    exit 77
}
out=$(mktemp)
trap 'rm -f "$out"' EXIT
"$1" --quiet -V --target-env vulkan1.2 "-I$2" -o "$out" "$3"
spirv-val --target-env vulkan1.2 --scalar-block-layout "$out"
