#!/usr/bin/env bash
# tests/system/venus_card.sh - vitrine's own driver, without an operating system, on vitrine's own GPU: every pixel of
# the picture is what lies in the guest's framebuffer, before and after an animation.
. "$(dirname "$0")/lib.sh"

here=$(realpath "$(dirname "$0")")
export PYTHONDONTWRITEBYTECODE=1
command -v ffmpeg >/dev/null || skip 'no ffmpeg'

same_picture() {
    local line address stride height
    line=$(grep -a '"event": "framebuffer"' "$VITRINE_RUNTIME_DIR/$vm/console.log" | tail -n 1)
    address=$(json 'd["address"]' <<<"$line")
    stride=$(json 'd["stride_bytes"]' <<<"$line")
    height=$(json 'd["height"]' <<<"$line")
    vitrine read "$vm" "$address" $((stride * height)) --raw >"$scratch/framebuffer"
    vitrine gpu state "$vm" --screendump "$scratch/shown.png" >/dev/null
    ffmpeg -loglevel error -y -i "$scratch/shown.png" "$scratch/shown.ppm" </dev/null
    python3 "$here/gpu/same_pixels.py" "$scratch/shown.ppm" "$scratch/framebuffer" "$stride" >"$scratch/pixels" 2>&1 ||
        fail "$vm: $(cat "$scratch/pixels")"
    note "$vm: $(cat "$scratch/pixels")"
}

for script in 'card 1023x769; dump' 'card 1920x1080 one; animate 10; dump'; do
    start_vm a --guest gpu-card --gpu venus --append "$script; stay"
    wait_console '"event": "(stay|error|trap|end)"'
    expect_eq 'the display' '"display": "virtio-gpu"' \
        "$(grep -aom 1 '"display": "[a-z-]*"' "$VITRINE_RUNTIME_DIR/$vm/console.log")"
    same_picture
    expect_error 1 'PNG only' vitrine gpu state "$vm" --screendump "$scratch/shown.ppm"
    vitrine kill "$vm"
done
