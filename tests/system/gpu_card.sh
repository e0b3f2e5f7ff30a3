#!/usr/bin/env bash
# tests/system/gpu_card.sh - the bare-metal kernel's test card, pixel by pixel: what QEMU shows is what
# lies in the guest's framebuffer, on four machines and in sizes up to 3840x2160.
. "$(dirname "$0")/lib.sh"

here=$(realpath "$(dirname "$0")")
export PYTHONDONTWRITEBYTECODE=1

# card SUFFIX SCRIPT [option of run...]: boots it; returns when the script is through.
card() {
    local suffix=$1 script=$2
    shift 2
    start_vm "$suffix" --guest gpu-card --memory 256M --append "$script; stay" "$@"
    wait_console '"event": "(stay|error|trap|end)"'
    report=$(grep -a '^{' "$VITRINE_RUNTIME_DIR/$vm/console.log")
}

# of EVENT EXPRESSION: of the last report of that kind, as Python's d.
of() {
    grep -a "\"event\": \"$1\"" <<<"$report" | tail -n 1 | json "$2"
}

# Everything that scanout 0 (or HEAD) shows, against the framebuffer that the guest reports for it.
same_picture() { # [HEAD]
    local head=${1:-0} address stride height line
    line=$(grep -a '"event": "framebuffer"' <<<"$report" | grep -a "\"scanout\": $head," | tail -n 1)
    [ -n "$line" ] || fail "no framebuffer of scanout $head: $report"
    address=$(json 'd["address"]' <<<"$line")
    stride=$(json 'd["stride_bytes"]' <<<"$line")
    height=$(json 'd["height"]' <<<"$line")
    vitrine read "$vm" "$address" $((stride * height)) --raw >"$scratch/framebuffer"
    expect_eq 'checksum of the framebuffer' "$(json 'd["crc32"]' <<<"$line")" \
        "$(python3 -c 'import sys, zlib; print(hex(zlib.crc32(open(sys.argv[1], "rb").read())))' "$scratch/framebuffer")"
    vitrine gpu state "$vm" --screendump "$scratch/shown.ppm" --head "$head" >/dev/null
    python3 "$here/gpu/same_pixels.py" "$scratch/shown.ppm" "$scratch/framebuffer" "$stride" >"$scratch/pixels" 2>&1 ||
        fail "$vm, scanout $head: $(cat "$scratch/pixels")"
    expect_match 'size' "^$(json 'str(d["width"]) + "x" + str(d["height"])' <<<"$line"):" "$(cat "$scratch/pixels")"
    note "$vm, scanout $head: $(cat "$scratch/pixels")"
}

for where in 'x86_64 microvm mmio' 'x86_64 q35 pci' 'aarch64 virt mmio' 'riscv64 virt mmio'; do
    read -r arch machine transport <<<"$where"
    for size in 640x480 1023x769 1920x1080 3840x2160; do
        card "$arch-$machine-$size" "card $size; dump" --arch "$arch" --machine "$machine" \
            --gpu "virtio,transport=$transport"
        expect_eq 'the display' virtio-gpu "$(of card 'd["display"]')"
        same_picture
        vitrine kill "$vm"
    done

    # After an animation, and on two outputs, each with a picture of its own.
    card "$arch-$machine-two" 'card 800x600 one; animate 20; dump; set scanout 1; set first_id 11; card 1024x768 two; dump' \
        --arch "$arch" --machine "$machine" --gpu "virtio,outputs=2,transport=$transport"
    same_picture 0
    same_picture 1
    vitrine kill "$vm"
done

# A scanout that is refused leaves what was shown.
card refused 'card 800x600; raw SET_SCANOUT scanout_id=0 resource_id=1000 rect=0,0,801x600; dump' \
    --machine q35 --gpu virtio
expect_match 'the answer' 'ERR_INVALID_PARAMETER' "$report"
same_picture
vitrine kill "$vm"

# The same card without virtio-gpu.
card ramfb 'set display ramfb; card 1024x768; dump' --machine q35 --gpu ramfb
expect_eq 'the display' ramfb "$(of card 'd["display"]')"
same_picture
