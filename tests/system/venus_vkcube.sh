#!/usr/bin/env bash
# tests/system/venus_vkcube.sh - vkcube in a window of Xvfb, natively and through Venus: the same
# frame after as many. Xvfb has no DRI3, which Mesa's drivers but lavapipe have to be told.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/venus/lib.sh"

for tool in Xvfb ffmpeg; do
    command -v $tool >/dev/null || skip "no $tool"
done
hold=$VITRINE_BUILD/tests/system/libhold_window.so

displays=()
end() {
    local status=$?
    set +e
    [ ${#displays[@]} = 0 ] || kill "${displays[@]}" 2>/dev/null
    (exit $status)
    venus_finish
}
trap end EXIT

# cube native|venus: on a display of its own, 40 frames; then it waits to be let go.
declare -A display cubes
cube() {
    local how=$1
    mkdir "$scratch/$how"
    mkfifo "$scratch/$how/go"
    Xvfb -displayfd 3 -screen 0 640x640x24 -nolisten tcp 3>"$scratch/$how/display" \
        >"$scratch/$how/xvfb.log" 2>&1 &
    displays+=($!)
    wait_until 'an X server' grep -q . "$scratch/$how/display"
    display[$how]=:$(cat "$scratch/$how/display")
    DISPLAY=${display[$how]} HOLD_WINDOW=$scratch/$how MESA_VK_WSI_DEBUG=sw \
        "$how" env LD_PRELOAD="$hold" vkcube --c 40 >"$scratch/$how/log" 2>&1 &
    cubes[$how]=$!
    wait_until "vkcube ($how) has drawn" test -e "$scratch/$how/drawn" -o ! -e "/proc/$!"
    [ -e "$scratch/$how/drawn" ] || fail "vkcube ($how): $(tail -n 5 "$scratch/$how/log")"
}

# What the X server has of the window: the last frame, at the latest a moment after it was drawn.
look() {
    ffmpeg -loglevel error -f x11grab -draw_mouse 0 -video_size 640x640 -i "${display[$1]}" \
        -frames:v 1 -y "$scratch/$1.ppm" </dev/null
}
same() { look native && look venus && cmp "$scratch/native.ppm" "$scratch/venus.ppm"; }

serve
cube native
cube venus
wait_until 'the same frame on both' same
[ "$(tail -c +16 "$scratch/venus.ppm" | od -An -v -tx1 -w3 | LC_ALL=C sort -u | wc -l)" -gt 100 ] ||
    fail 'there is no cube'
for how in native venus; do
    status=0
    : >"$scratch/$how/go"
    wait "${cubes[$how]}" || status=$?
    expect_eq "status of vkcube ($how)" 0 "$status"
done
served_end
