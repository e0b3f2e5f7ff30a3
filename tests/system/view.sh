#!/usr/bin/env bash
# tests/system/view.sh - a window under Xvfb, drawn by the software driver with Vulkan's validation
# layers listening (a complaint fails the verb), moved by an X client's keys and pointer.
. "$(dirname "$0")/lib.sh"

for tool in Xvfb xdotool jq; do
    command -v $tool >/dev/null || skip "no $tool"
done
vitrine gpus >/dev/null 2>&1 || skip 'no Vulkan driver'

# A display of its own; its number is what Xvfb chose.
x=
end() {
    local status=$?
    set +e
    [ -z "$x" ] || kill "$x" 2>/dev/null || true
    (exit $status)
    finish
}
trap end EXIT
Xvfb -displayfd 3 -screen 0 1400x900x24 -nolisten tcp 3>"$scratch/display" >"$scratch/xvfb.log" 2>&1 &
x=$!
wait_until 'an X server' grep -q . "$scratch/display"
DISPLAY=:$(cat "$scratch/display")
export DISPLAY XDG_RUNTIME_DIR=$scratch VITRINE_GPU=llvmpipe VITRINE_GPU_VALIDATE=1 SDL_VIDEODRIVER=x11
unset WAYLAND_DISPLAY

# view VM...: a window of 640 x 360 in the background; its events go to $scratch/events.
view() {
    : >"$scratch/events"
    seen=0
    "$VITRINE" view "$@" --json >"$scratch/events" 2>"$scratch/view.err" &
    viewer=$!
    await '.event == "opened"'
    window=$(xdotool search --sync --onlyvisible --name vitrine)
}

# await CONDITION: until there is an event of which it is true, after the one awaited before;
# the event is $event then.
arrived() {
    local line
    line=$(jq -c "select($1) | input_line_number" "$scratch/events" 2>/dev/null |
        awk -v "seen=$seen" '$1 > seen { print; exit }')
    [ -n "$line" ] && seen=$line && event=$(sed -n "${line}p" "$scratch/events")
}
await() {
    local deadline=$((SECONDS + patience))
    until arrived "$1"; do
        kill -0 "$viewer" 2>/dev/null || arrived "$1" ||
            fail "the window ended before an event with $1: $(cat "$scratch/view.err" "$scratch/events")"
        [ $SECONDS -lt $deadline ] || fail "no event with $1: $(cat "$scratch/view.err" "$scratch/events")"
        sleep 0.05
    done
}
of() { jq -c "$1" <<<"$event"; }

# The window's end: its exit status, and nothing said on stderr.
closed() { # STATUS WHY
    local status=0
    wait "$viewer" || status=$?
    expect_eq "status of the window ($(cat "$scratch/view.err"))" "$1" "$status"
    await '.event == "closed"'
    expect_eq 'why it ended' "\"$2\"" "$(of .why)"
}

pointer() { xdotool mousemove --window "$window" "$@"; }

start_vm a --memory 128M
wait_console 'shell ready'

# ---- one VM, drawn and saved ---------------------------------------------------------------------

expect_status 0 vitrine view "$vm" --size 640x360 --frames 3 --screenshot "$scratch/a.png" --json
picture=$("$tools/../tests/system/view_check.py" "$scratch/a.png")
expect_eq 'size of the screenshot' '640 360' "$(jq -r '"\(.width) \(.height)"' <<<"$picture")"
expect_eq "several classes are seen: $picture" true "$(jq '.colours >= 3 and .dark > 0.2 and .dark < 0.95' <<<"$picture")"

# ---- moved by hand ---------------------------------------------------------------------------------

vitrine highlight "$vm" text --area kernel_text >/dev/null
view "$vm" --size 640x360 --screenshot "$scratch/b.png"
expect_eq 'the VM in the window' "[\"$vm\",134217728,true]" "$(of '[.vms[0] | .vm, .ram_bytes, .understood]')"

pointer 320 180
xdotool mousedown 1
for at in 330 350 380 420; do
    pointer $at 190
done
xdotool mouseup 1
await '.event == "camera"'
before=$(of .cameras[0])
xdotool click 4
await ".event == \"camera\" and .cameras[0].eye != $(jq -c .eye <<<"$before")"
xdotool key 2
await '.event == "camera" and (.cameras[0].up[1] > 0.999)'
expect_eq 'the view from the front' true "$(of '.cameras[0] | (.eye[0] - .target[0] | fabs) < 1e-6 and .eye[2] > .target[2]')"
xdotool key x
await '.event == "scene" and .slices.x == 0.5'
xdotool key bracketright
await '.event == "scene" and .slices.x > 0.5'
xdotool key h
await '.event == "scene" and (.heat | not)'
xdotool key m
await '.event == "scene" and .method == "slices"'
xdotool key m
await '.event == "scene" and .method == "march"'
xdotool key question
await '.event == "scene" and .help'
xdotool key Escape
await '.event == "scene" and (.help | not)'

# What a click says is what is there: held against the byte in RAM, while it holds still.
vitrine pause "$vm"
hits=0
for at in '320 180' '260 210' '340 140' '280 180' '360 220'; do
    # shellcheck disable=SC2086
    pointer $at
    xdotool click 1
    await '.event == "pick"'
    [ "$(of .hit)" = true ] || continue
    hits=$((hits + 1))
    expect_eq "the byte at $(of .gpa)" "$(of .value)" \
        "$(vitrine read "$vm" "$(of .gpa | tr -d '"')" 1 --raw | od -An -tu1 | tr -d ' ')"
done
[ $hits -gt 0 ] || fail 'no click hit anything'
vitrine resume "$vm"

# ---- another size ------------------------------------------------------------------------------------

xdotool windowsize "$window" 500 420
await '.event == "size" and .width == 500 and .height == 420'
xdotool windowunmap --sync "$window" # nobody sees it
xdotool windowmap --sync "$window" windowfocus --sync "$window"
xdotool key F12
await '.event == "saved"'
expect_eq 'size of the screenshot' '500 420' \
    "$("$tools/../tests/system/view_check.py" "$scratch/b.png" | jq -r '"\(.width) \(.height)"')"

# ---- a VM that ends, and one of its name ----------------------------------------------------------------

vitrine kill "$vm"
await '.event == "vm" and .state == "ended"'
xdotool key F12
await '.event == "saved"'
picture=$("$tools/../tests/system/view_check.py" "$scratch/b.png")
expect_eq "the last picture stays, greyed: $picture" true "$(jq '.dark < 0.97 and .grey > 0.3' <<<"$picture")"
vitrine run "$vm" --memory 192M
await '.event == "vm" and .state == "back"'
expect_eq 'RAM of the next one' 201326592 "$(of .ram_bytes)"
kill -TERM "$viewer"
closed 0 interrupted

# ---- two VMs, side by side ---------------------------------------------------------------------------

wait_console 'shell ready'
first=$vm
start_vm b --memory 128M
view "$first" "$vm" --size 800x300 --screenshot "$scratch/two.png"
expect_eq 'both are there' "[\"$first\",\"$vm\"]" "$(of '[.vms[].vm]')"
expect_eq 'beside each other' true "$(of '.vms[1].x > 390 and .vms[0].width < 402')"
pointer 600 150
xdotool click 5
await '.event == "camera"'
expect_eq 'cameras are linked' true "$(of '.linked and .cameras[0].eye == .cameras[1].eye')"
xdotool key k
await '.event == "scene" and (.linked | not)'
xdotool key Left
await '.event == "camera" and .cameras[0].eye != .cameras[1].eye'
xdotool key q
closed 0 quit
vitrine kill "$first"

# ---- bad input -----------------------------------------------------------------------------------------

expect_error 2 '--fps' vitrine view "$vm" --fps 0
expect_error 2 '--size' vitrine view "$vm" --size 10x
expect_error 3 "$prefix-none" vitrine view "$prefix-none"
expect_error 3 'no GPU' vitrine view "$vm" --gpu 'no such'
expect_error 1 'no Vulkan driver' env VK_DRIVER_FILES=/dev/null VK_ICD_FILENAMES=/dev/null "$VITRINE" view "$vm"
expect_error 1 'no display' env -u DISPLAY "$VITRINE" view "$vm"
expect_error 1 'No space left' vitrine view "$vm" --size 320x180 --frames 1 --screenshot /dev/full

# The display goes while a window is open: the verb ends, with a status of failure.
view "$vm" --size 320x180
kill "$x"
wait "$x" 2>/dev/null || true
x=
wait_until 'the window ended with its display' bash -c "! kill -0 $viewer"
status=0
wait "$viewer" || status=$?
[ "$status" != 0 ] || fail 'a display that goes is no failure'
vitrine kill "$vm"
