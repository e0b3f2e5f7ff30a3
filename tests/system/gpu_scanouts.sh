#!/usr/bin/env bash
# tests/system/gpu_scanouts.sh - vitrine's virtio-gpu driver on QEMU's own device, over MMIO and PCI,
# split and packed rings: each command of gpu/scanouts.txt is answered as the table says.
. "$(dirname "$0")/lib.sh"

here=$(realpath "$(dirname "$0")")
cache=${VITRINE_CACHE_DIR:-/var/cache/vitrine}
[ -d "$cache" ] || cache=${XDG_CACHE_HOME:-$HOME/.cache}/vitrine
qemu=${VITRINE_QEMU:-$cache/qemu/qemu-system-x86_64}
[ -x "$qemu" ] || qemu=$(command -v qemu-system-x86_64) || skip 'no QEMU for x86_64'
driver=$VITRINE_BUILD/tests/system/qtest-gpu

sed -e 's/ *#.*//' -e '/^$/d' "$here/gpu/scanouts.txt" >"$scratch/table"
sed 's/ *->.*//' "$scratch/table" >"$scratch/commands"
rectangles=$(grep -c '^scanout' "$scratch/commands")
[ "$rectangles" -ge 40 ] || fail "only $rectangles rectangles"
truncate -s 128M "$scratch/ram"

run() { # TRANSPORT MACHINE DEVICE
    "$qemu" -nodefaults -no-user-config -display none -m 128M \
        -object "memory-backend-file,id=ram,size=128M,mem-path=$scratch/ram,share=on" \
        -machine "$2,memory-backend=ram,accel=qtest" -global virtio-mmio.force-legacy=false \
        -device "$3,max_outputs=2" -qtest "unix:$scratch/qtest,server=on,wait=off" -qtest-log none \
        2>"$scratch/qemu.log" &
    local pid=$! status=0
    wait_until 'QEMU listens' listens "$scratch/qtest"
    "$driver" "$scratch/qtest" "$scratch/ram" "$1" <"$scratch/commands" >"$scratch/got" 2>"$scratch/err" ||
        status=$?
    kill "$pid"
    wait "$pid" || true
    rm -f "$scratch/qtest"
    [ "$status" = 0 ] || fail "$3: $(cat "$scratch/err" "$scratch/qemu.log")"
    paste -d '|' "$scratch/commands" "$scratch/got" | sed 's/|/ -> /' >"$scratch/answers"
    diff -u "$scratch/table" "$scratch/answers" >&2 || fail "$3 answers otherwise than the table says"
    note "$3: $rectangles rectangles, $(cat "$scratch/err")"
}

run mmio microvm virtio-gpu-device
run mmio microvm virtio-gpu-device,packed=on
run pci q35 virtio-gpu-pci
run pci q35 virtio-gpu-pci,packed=on
run pci q35 virtio-gpu-pci,indirect_desc=off,event_idx=off
