#!/usr/bin/env bash
# tests/system/trace_many.sh [long] - two VMs recorded at once, one of them with four CPUs: every
# block of every vCPU begins where the one before it leads, what was read is what was counted, and the
# files say the same. long: a thousand million instructions of one VM, too.
. "$(dirname "$0")/lib.sh"

check=$VITRINE_BUILD/tests/system/check_stream

# get KEY: of the file that check_stream's output is in.
get() { awk -v key="$1" '$1 == key { print $2 }' "$2"; }

# agrees VM CHECKED: nothing was lost, and counters are those of what was read.
agrees() {
    local key
    for key in lost dropped unexplained unknown disorder; do
        expect_eq "$1: $key" 0 "$(get "$key" "$2")"
    done
    expect_eq "$1: instructions" "$(get counted_instructions "$2")" "$(get whole "$2")"
    expect_eq "$1: blocks" "$(get counted_blocks "$2")" "$(get blocks "$2")"
    expect_eq "$1: accesses" "$(get counted_accesses "$2")" "$(get accesses "$2")"
    note "$1: $(tr '\n' ' ' <"$2")"
}

# recorded SUFFIX DETAIL INSTRUCTIONS: in the background; what was found, to $scratch/SUFFIX.
recorded() {
    "$check" live "/dev/shm/qemu_trace_$prefix-$1" "$2" "$3" "$scratch/$1.vtrace" >"$scratch/$1" 2>"$scratch/$1.err" &
}

# Programs that start and end, faults, signals and the timer; in each VM one a CPU.
busy='while :; do sh -c "ls -l /bin | md5sum"; done >/dev/null 2>&1 &'
start_vm a --accel tcg --memory 128M
start_vm b --accel tcg --memory 128M --cpus 4
for suffix in a b; do
    wait_console 'shell ready' "$prefix-$suffix" 120s
    guest_exec "$busy" "$prefix-$suffix"
done
guest_exec "for i in 2 3 4; do $busy done" "$prefix-b"

recorded a 4 10000000
first=$!
recorded b 2 20000000
wait $! || fail "$(cat "$scratch/b.err")"
wait $first || fail "$(cat "$scratch/a.err")"
agrees 'one CPU, addresses' "$scratch/a"
agrees 'four CPUs' "$scratch/b"
expect_eq 'vCPUs' '1 4' "$(get vcpus "$scratch/a") $(get vcpus "$scratch/b")"
[ "$(get accesses "$scratch/a")" -gt 1000000 ] || fail 'few accesses'
[ "$(get completed "$scratch/b")" -ge 20000000 ] || fail 'few instructions'
[ "$(get exceptions "$scratch/b")" -gt 0 ] || fail 'no exception'

# The files have it all.
for suffix in a b; do
    "$check" file "$scratch/$suffix.vtrace" >"$scratch/again" || fail "$suffix.vtrace"
    expect_eq "$suffix.vtrace" "$(grep -v ended "$scratch/$suffix")" "$(grep -v ended "$scratch/again")"
done
vitrine kill "$prefix-b"

if [ "${1-}" = long ]; then
    before=$(get counted_instructions "$scratch/a")
    "$check" live "/dev/shm/qemu_trace_$prefix-a" 2 1000000000 "$scratch/long.vtrace" >"$scratch/long" ||
        fail 'a thousand million instructions'
    for key in lost dropped unexplained unknown disorder; do
        expect_eq "long: $key" 0 "$(get "$key" "$scratch/long")"
    done
    expect_eq 'long: instructions' $(($(get counted_instructions "$scratch/long") - before)) \
        "$(get whole "$scratch/long")"
    [ "$(get completed "$scratch/long")" -ge 1000000000 ] || fail 'fewer than asked for'
    "$check" file "$scratch/long.vtrace" >"$scratch/again" || fail 'the long file'
    expect_eq 'the long file' "$(grep -v ended "$scratch/long")" "$(grep -v ended "$scratch/again")"
    note "long: $(tr '\n' ' ' <"$scratch/long"), $(stat -c %s "$scratch/long.vtrace") bytes"
fi
