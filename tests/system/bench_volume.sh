#!/usr/bin/env bash
# tests/system/bench_volume.sh - what `vitrine bench volume` says, of RAM made for it and of a guest's.
. "$(dirname "$0")/lib.sh"

command -v jq >/dev/null || skip 'no jq'
vitrine gpus >/dev/null 2>&1 || skip 'no Vulkan driver'
export VITRINE_GPU=llvmpipe

# measure OPTION...: what it says goes to $scratch/bench.
measure() {
    expect_status 0 vitrine bench volume --json --frames 8 "$@"
    cp "$scratch/out" "$scratch/bench"
}
holds() { # WHAT EXPRESSION
    jq -e "$2" "$scratch/bench" >/dev/null ||
        fail "$1: $2 of $(jq -c . "$scratch/bench")"
}

measure --synthetic 25 --memory 16M --resolution 96x54
holds 'its device' '(.device | test("llvmpipe")) and (.driver | length > 0)'
holds 'what was drawn' '.ram_bytes == 16777216 and .resolution == "96x54" and .frames == 8 and .method == "march"'
holds 'times' '.frame_ms.median > 0 and .frame_ms.p99 >= .frame_ms.median and .update_ms.median > 0 and .fps > 0'
holds 'memory' '.gpu_bytes > .volume_bytes and .volume_bytes > 0'
holds 'a picture' '.drawn_share > 0.05 and .drawn_share < 1'
holds 'features' '.features == ["classes", "heat", "highlights", "dim", "boxes", "labels", "frame"]'
holds 'changed pages' '.dirty_pages_per_tick > 0'

# Nothing of the device is destroyed that a queue may still hold.
measure_held() { LD_PRELOAD=$VITRINE_BUILD/tests/system/libwatch_idle.so measure "$@"; }
measure_held --synthetic 25 --memory 1M --resolution 96x54

# Less of everything, and both methods; what is left out is not said to be there.
measure --synthetic 5 --size 128 --resolution 96x54 --write-rate 0 --method both --without dim --without heat
holds 'a cube' '.ram_bytes == 2097152 and .side == 128'
holds 'nothing written' '.dirty_pages_per_tick == 0'
holds 'both methods' '.method == "march" and .compared.method == "slices" and .compared.fps > 0'
holds 'features' '.features == ["classes", "highlights", "boxes", "labels", "frame"]'

# Where frames take longer than they may, pixels are given up.
measure --synthetic 25 --memory 16M --adaptive 1000 --resolution 640x360
holds 'a coarser picture' '.scale.max > 1'

# Every write is found in a picture, however long that takes.
measure --synthetic 25 --memory 16M --resolution 96x54 --latency --writes 5
holds 'a write and its pixel' '.write_to_pixel_parts.writes == 5 and .write_to_pixel_parts.missed == 0
    and .write_to_pixel_ms.p99 >= .write_to_pixel_ms.median
    and .write_to_pixel_ms.median >= .write_to_pixel_parts.draw_ms.median'
expect_status 3 vitrine bench volume --synthetic 0 --memory 1M --resolution 96x54 --latency

# The same of a guest: written by a program in it, noticed by the tracker.
start_vm a --memory 128M
guest_exec 'vt-dirty 50 60 </dev/null >/dev/null 2>&1 &'
measure "$vm" --resolution 96x54 --latency --writes 5
holds 'its VM' ".vm == \"$vm\" and .ram_bytes == 134217728"
holds 'a write and its pixel' '.write_to_pixel_parts.writes == 5 and .write_to_pixel_ms.median > 0'
holds 'changed pages' '.dirty_pages_per_tick > 0 and .drawn_share > 0.05'
expect_eq 'what it left running' '' "$(guest_exec 'pidof vt-blink' || true)"
vitrine snapshot "$vm" "$scratch/ram" >/dev/null
vitrine kill "$vm" >/dev/null
expect_status 3 vitrine bench volume "$vm"x --frames 1
measure "$scratch/ram" --resolution 96x54
holds 'saved RAM' '.dirty_pages_per_tick == 0 and .drawn_share > 0.05'

vitrine bench volume --synthetic 25 --memory 4M --frames 2 --resolution 64x64 \
    --picture "$scratch/last.png" >"$scratch/text"
expect_match 'as text' 'a frame \(march\)' "$(cat "$scratch/text")"
expect_eq 'the last frame' '89504e470d0a1a0a0000000d494844520000004000000040' \
    "$(head -c 24 "$scratch/last.png" | od -An -v -tx1 | tr -d ' \n')"

for options in '--synthetic 101' '--synthetic 5 --size 100' '--synthetic 5 --resolution 8x8' \
    '--synthetic 5 --resolution 96' '--synthetic 5 --method rays' '--synthetic 5 --without light' \
    '--synthetic 5 --frames 0' '--synthetic 5 --hz 0' '--synthetic 5 a-vm' \
    '--size 128 a-vm'; do
    read -ra words <<<"$options"
    expect_status 2 vitrine bench volume "${words[@]}"
done
expect_status 3 vitrine bench volume --synthetic 5 --memory 1M --gpu 'no such device'
