#!/usr/bin/env bash
# tests/system/venus_zink.sh - an OpenGL ES program on zink, on lavapipe and on Venus: every frame is
# the same.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/venus/lib.sh"

draw=$VITRINE_BUILD/tests/system/venus-gl-draw
[ -x "$draw" ] || skip 'no EGL and OpenGL ES to build with'
serve
native "$draw" 32 "$scratch/native.ppm" >"$scratch/native" 2>"$scratch/native.err" ||
    fail "zink natively: $(cat "$scratch/native.err")"
venus "$draw" 32 "$scratch/venus.ppm" >"$scratch/venus" 2>"$scratch/venus.err" ||
    fail "zink through Venus: $(cat "$scratch/venus.err")"
expect_match 'renderer' 'zink.*Venus' "$(cat "$scratch/venus.err")"
expect_eq 'frames' "$(cat "$scratch/native")" "$(cat "$scratch/venus")"
cmp "$scratch/native.ppm" "$scratch/venus.ppm" || fail 'the last frames differ'
served_end
