#!/usr/bin/env bash
# tests/system/trace_user.sh - a program in the Linux guest: what it and all other programs execute
# is what QEMU's own log names, with blocks of one instruction and with blocks as they are. The
# kernel's part and other CPUs' are held against QEMU's counters.
. "$(dirname "$0")/lib.sh"

here=$(dirname "$0")
programs=$VITRINE_BUILD/tests/system
chmod 711 "$scratch" # QEMU has a uid of its own, and opens the log

hmp() { # COMMAND-LINE
    "$here/qmp.py" "$VITRINE_RUNTIME_DIR/$vm/qmp.sock" human-monitor-command \
        "$(printf '{"command-line": "%s"}' "$1")" >/dev/null
}

# recorded NAME COMPARE-WORD… -- HMP-COMMAND…: the program runs meanwhile, ${rounds} of it, in a VM
# with ${options[@]}. "@" is this run's directory.
recorded() {
    local name=$1 dir=$scratch/$1 words=() comparer word number
    shift
    mkdir "$dir"
    mkfifo -m 666 "$dir/log" "$dir/monitor"
    while [ "$1" != -- ]; do
        words+=("${1//@/$dir}")
        shift
    done
    shift
    start_vm "$name" --accel tcg --memory 128M --add "$programs/exact-user" "${options[@]}"
    wait_services # which would run an instruction a block, too
    vitrine pause "$vm"
    "$programs/exact_compare" "/dev/shm/qemu_trace_$vm" "$dir/monitor" "${words[@]}" >"$dir/told" &
    comparer=$!
    read -r word <"$dir/monitor" # it is ready
    for word in "${@//@/$dir}"; do
        hmp "$word"
    done
    vitrine resume "$vm"
    said=$(patience=600 guest_exec "exact-user $rounds")
    vitrine pause "$vm"
    "$here/qmp.py" "$VITRINE_RUNTIME_DIR/$vm/qmp.sock" quit >/dev/null
    wait "$comparer" || fail "$name: the streams differ"
    while read -r word number; do
        told[$word]=$number
    done < <(xargs -n 2 <"$dir/told")
    expect_match "$name: what the program says" '^checksum [0-9a-f]{16}' "$said"
    # See trace_exact.sh.
    expect_eq "$name: instructions counted" \
        $((told[begun] + told[restarts] - (told[blocks] - told[counted_blocks]))) "${told[counted_instructions]}"
    note "$name: ${told[begun]} instructions, ${told[interrupts]} interrupts, ${told[exceptions]} exceptions, ${told[restarts]} restarts"
}

declare -A told
vitrine run --help | grep -e --no-trace >/dev/null || skip 'this vitrine has no trace'
rounds=5
# The kernel's part is not logged: there is too much of it.
options=(--qemu-arg -dfilter --qemu-arg 0x0+0x800000000000)
recorded single user exact log=@/log -- 'one-insn-per-tb on' 'logfile @/log' 'log exec,nochain'
checksum=$said
recorded blocks user exact log=@/log -- 'logfile @/log' 'log exec,nochain,in_asm,int'
expect_eq 'what the program computed' "$checksum" "$said"
# The kernel, too, on two CPUs: by the counters.
options=(--cpus 2)
recorded counted exact --
expect_eq 'what the program computed' "$checksum" "$said"
[ "${told[restarts]}" -gt 0 ] || fail 'no device was touched'
