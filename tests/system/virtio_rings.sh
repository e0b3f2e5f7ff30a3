#!/usr/bin/env bash
# tests/system/virtio_rings.sh - vitrine's virtqueues and transports on QEMU's own disk, which is not a
# GPU: every kind of ring, tables or chains, event index or flags, over MMIO and PCI.
. "$(dirname "$0")/lib.sh"

cache=${VITRINE_CACHE_DIR:-/var/cache/vitrine}
[ -d "$cache" ] || cache=${XDG_CACHE_HOME:-$HOME/.cache}/vitrine
qemu=${VITRINE_QEMU:-$cache/qemu/qemu-system-x86_64}
[ -x "$qemu" ] || qemu=$(command -v qemu-system-x86_64) || skip 'no QEMU for x86_64'
driver=$VITRINE_BUILD/tests/system/qtest-block

truncate -s 128M "$scratch/ram"

# Numbers that say where they are, as qtest_block.c's made() has them.
make_disk() {
    python3 - "$1" <<'END'
import struct, sys
mask = (1 << 64) - 1
with open(sys.argv[1], "wb") as disk:
    for at in range(1 << 17):
        disk.write(struct.pack("<Q", at * 0x9e3779b97f4a7c15 & mask))
END
}

run() { # TRANSPORT SIZE [FEATURE...]
    local transport=$1 size=$2 properties='' word machine=q35 device=virtio-blk-pci pid status=0
    shift 2
    [ "$transport" = mmio ] && machine=microvm device=virtio-blk-device
    for word in packed:packed indirect:indirect_desc event:event_idx; do
        case " $* " in
        *" ${word%:*} "*) properties+=",${word#*:}=on" ;;
        *) properties+=",${word#*:}=off" ;;
        esac
    done
    cp "$scratch/disk.made" "$scratch/disk"
    "$qemu" -nodefaults -no-user-config -display none -m 128M \
        -object "memory-backend-file,id=ram,size=128M,mem-path=$scratch/ram,share=on" \
        -machine "$machine,memory-backend=ram,accel=qtest" -global virtio-mmio.force-legacy=false \
        -drive "if=none,id=disk,file=$scratch/disk,format=raw" \
        -device "$device,drive=disk$properties" \
        -qtest "unix:$scratch/qtest,server=on,wait=off" -qtest-log none 2>"$scratch/qemu.log" &
    pid=$!
    wait_until 'QEMU listens' listens "$scratch/qtest"
    "$driver" "$scratch/qtest" "$scratch/ram" "$scratch/disk" "$transport" "$size" "$@" \
        >"$scratch/said" 2>"$scratch/err" || status=$?
    kill "$pid"
    wait "$pid" || true
    rm -f "$scratch/qtest"
    [ "$status" = 0 ] || fail "$transport $size $*: $(cat "$scratch/err" "$scratch/qemu.log")"
    note "$transport $size $*: $(cat "$scratch/said")"
}

make_disk "$scratch/disk.made"
for transport in mmio pci; do
    run $transport 64
    run $transport 16 event
    run $transport 128 indirect
    run $transport 32 indirect event
    run $transport 64 packed
    run $transport 50 packed event
    run $transport 128 packed indirect
    run $transport 13 packed indirect event
done
