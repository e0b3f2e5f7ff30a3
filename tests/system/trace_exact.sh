#!/usr/bin/env bash
# tests/system/trace_exact.sh [long] - the instructions that are decoded from a trace are those that
# QEMU's own log names, one by one, on a bare-metal program of hard cases (trace/exact): with QEMU's
# log of single instructions, with its log of blocks, and against each other in runs that are
# deterministic; and the accesses of a program that knows what it accesses. Counters are QEMU's
# inline operations, exactly.
. "$(dirname "$0")/lib.sh"

cache=${VITRINE_CACHE_DIR:-/var/cache/vitrine}
programs=$VITRINE_BUILD/tests/system
work=40 tick=7000 accesses=100000
[ "${1-}" != long ] || work=300 tick=1500 accesses=2000000
declare -A told
deterministic=(-icount 'shift=0,sleep=off')

# boot NAME COMMAND-LINE PROGRAM WORD… -- QEMU-OPTION…: has PROGRAM look at the trace, as WORDs say.
# "@" is this run's directory. What it says goes to ${told[…]}, what the kernel says to $said.
boot() {
    local name=$1 dir=$scratch/$1 append=$2 program=$3 words=() options=() qemu_pid word number
    shift 3
    mkdir "$dir"
    mkfifo "$dir/monitor" "$dir/log"
    while [ "$1" != -- ]; do
        words+=("${1//@/$dir}")
        shift
    done
    shift
    options=("${@//@/$dir}")
    "$programs/raw_ring" make "$dir/segment" 2
    exec 8<>"$dir/monitor"
    "$qemu" -S "${machine[@]}" -m 128M -nodefaults -no-user-config -display none -no-reboot \
        -serial "file:$dir/serial" -monitor stdio -append "$append" \
        -plugin "$VITRINE_BUILD/plugins/./vitrine-trace-$api.so,stays=on" \
        -plugin "$VITRINE_BUILD/plugins/vitrine-trace-$api.so,fd=9" "${options[@]}" \
        9<>"$dir/segment" <&8 >"$dir/qemu" 2>&1 &
    qemu_pid=$!
    if ! "$programs/$program" "$dir/segment" "$dir/monitor" "${words[@]}" >"$dir/told"; then
        kill "$qemu_pid" 2>/dev/null || true
        wait "$qemu_pid" || true
        fail "$name: $(cat "$dir/qemu")"
    fi
    wait "$qemu_pid" || true # the program's way to end it leaves 1
    exec 8>&-
    while read -r word number; do
        told[$word]=$number
    done < <(xargs -n 2 <"$dir/told")
    said=$(cat "$dir/serial")
    expect_match "$name: the program's end" "$end" "$said"
    rm -r "$dir"
}

# exact NAME TICK WORD… -- QEMU-OPTION…
exact() {
    local name=$1 tick=$2
    shift 2
    boot "$name" "work=$work tick=$tick" exact_compare "$@"
    note "$name: ${told[begun]} instructions, ${told[interrupts]} interrupts, ${told[exceptions]} exceptions, ${told[restarts]} restarts"
}

# QEMU's inline operations count an instruction each time it begins: once more for one that is begun
# anew because it stored into its own block, once for one that is because it touched a device: that
# block is not counted.
expect_counted() { # NAME
    expect_eq "$1: instructions counted" \
        $((told[begun] + told[restarts] - (told[blocks] - told[counted_blocks]))) "${told[counted_instructions]}"
}

expect_restarts() { # NAME
    expect_eq "$1: instructions begun anew" $((told[log_rewound] + told[log_changed])) "${told[restarts]}"
    expect_eq "$1: of these, because of a device" "${told[log_rewound]}" $((told[blocks] - told[counted_blocks]))
}

version_of() { # QEMU
    version=$("$1" -version 2>/dev/null | sed -n 's/.*version \([0-9]*\.[0-9]*\).*/\1/p')
    case $version in
        11.1) api=7 ;;
        9.2 | 10.* | 11.0) api=4 ;;
        *) skip "QEMU ${version:-(none)} loads no plugin of ours" ;;
    esac
}

on() { # QEMU
    qemu=$1
    end='^checksum [0-9a-f]{16}, '
    version_of "$qemu"

    # Each instruction a block: QEMU's log has all of them.
    exact "$version-single" "$tick" exact log=@/log "keep=$scratch/stream" -- \
        "${deterministic[@]}" -accel tcg,one-insn-per-tb=on -d exec,nochain -D @/log
    expect_eq "$version-single: instructions counted" "${told[begun]}" "${told[counted_instructions]}"
    local checksum=${said%%,*} instructions=${told[begun]}

    # What the program accessed, and which values, it knows by itself.
    boot "$version-memory" "memory=$accesses tick=100000" exact_accesses $accesses --
    expect_eq "$version-memory: accesses" "${told[counted_accesses]}" "${told[accesses]}"
    [ "${told[loads_16]}" -gt 1000 ] && [ "${told[stores_1]}" -gt 1000 ] || fail "$version-memory: hardly any"
    note "$version-memory: ${told[accesses]} accesses"
    boot "$version-parallel" 'memory=20000 tick=100000' exact_accesses 20000 parallel -- -smp 2
    [ "${told[untold]}" -gt 1000 ] || fail "$version-parallel: no locked instructions"

    if [ "$api" -lt 7 ]; then
        # Where faults cut blocks is not told: blocks alone can be compared.
        exact "$version-blocks" "$tick" starts exact log=@/log -- \
            -d exec,nochain,in_asm,int -D @/log
        expect_eq "$version-blocks: what the program computed" "$checksum" "${said%%,*}"
        expect_restarts "$version-blocks"
        return
    fi
    # Blocks as they are: the log says how far each came.
    exact "$version-blocks" 200000 exact detail=4 log=@/log -- \
        -d exec,nochain,in_asm,int -D @/log
    expect_eq "$version-blocks: what the program computed" "$checksum" "${said%%,*}"
    expect_counted "$version-blocks"
    expect_eq "$version-blocks: accesses" "${told[counted_accesses]}" "${told[accesses]}"
    expect_eq "$version-blocks: interrupts" "${told[log_interrupts]}" "${told[interrupts]}"
    expect_restarts "$version-blocks"
    [ "${told[log_changed]}" -gt "$work" ] && [ "${told[log_rewound]}" -gt "$work" ] && [ "${told[log_faults]}" -gt $((20 * work)) ] ||
        fail "$version-blocks: the program did not do its work"

    # The same run without a log, and blocks as they are: interrupts come at the same instructions.
    exact "$version-again" "$tick" exact detail=5 "against=$scratch/stream" -- "${deterministic[@]}"
    expect_eq "$version-again: what the program computed" "$checksum" "${said%%,*}"
    [ "${told[begun]}" -ge $((instructions - 4)) ] || fail "$version-again: ${told[begun]} instructions of $instructions"
    expect_eq "$version-again: accesses" "${told[counted_accesses]}" "${told[accesses]}"
    expect_counted "$version-again"
    [ "${told[interrupts]}" -gt "$work" ] || fail "$version-again: only ${told[interrupts]} interrupts"
}

# Other architectures: a card of memory, devices and calls, without interrupts.
elsewhere() { # ARCHITECTURE QEMU-OPTION…
    local arch=$1 instructions
    qemu=$cache/qemu/qemu-system-$arch
    if [ ! -e "$qemu" ]; then
        note "no QEMU for $arch (tools/setup qemu)"
        return
    fi
    version_of "$qemu"
    machine=(-M virt -global virtio-mmio.force-legacy=false
        -kernel "$VITRINE_BUILD/guests/card/gpu-card-$arch" "${@:2}")
    end='"event": "end", "ok": true'
    boot "$arch-single" 'say hello; card 64x48 trace; compute 1' exact_compare exact log=@/log -- -device virtio-gpu-device \
        "${deterministic[@]}" -accel tcg,one-insn-per-tb=on -d exec,nochain -D @/log
    expect_eq "$arch-single: instructions counted" "${told[begun]}" "${told[counted_instructions]}"

    # Two runs are compared where nothing depends on when the host replies: without the GPU.
    boot "$arch-kept" 'say hello; compute 2' exact_compare exact log=@/log "keep=$scratch/stream" -- \
        "${deterministic[@]}" -accel tcg,one-insn-per-tb=on -d exec,nochain -D @/log
    instructions=${told[begun]}
    boot "$arch-again" 'say hello; compute 2' exact_compare exact detail=5 "against=$scratch/stream" -- "${deterministic[@]}"
    expect_counted "$arch-again"
    expect_eq "$arch-again: accesses" "${told[counted_accesses]}" "${told[accesses]}"
    [ "${told[restarts]}" -gt 100 ] || fail "$arch-again: no device was touched"
    note "$arch: $instructions instructions, ${told[restarts]} restarts, ${told[accesses]} accesses"
}

kernel=(-device 'isa-debug-exit,iobase=0x501,iosize=4' -kernel "$programs/trace/exact/trace-exact")
machine=(-M 'microvm,pit=off,pic=on,rtc=off' -bios qboot.rom "${kernel[@]}")
on "${VITRINE_QEMU:-$cache/qemu/qemu-system-x86_64}"
older=$cache/old-qemus/trixie/qemu-system-x86_64
[ ! -e "$older" ] || on "$older"
if [ "${1-}" = long ]; then
    machine=(-M q35 "${kernel[@]}")
    on "${VITRINE_QEMU:-$cache/qemu/qemu-system-x86_64}"
    elsewhere riscv64 -bios none
fi
elsewhere aarch64 -cpu cortex-a72
