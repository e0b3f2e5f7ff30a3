#!/usr/bin/env bash
# tests/system/machine_crash.sh - QEMU or its keeper killed, a starter interrupted at any moment:
# nothing is left, the others do not notice.
. "$(dirname "$0")/lib.sh"

qemu_pid() { vitrine info "$1" --json | json 'd["qemu_pid"]'; }
arguments() { tr '\0' ' ' <"/proc/$1/cmdline"; }
keeper_pid() { vitrine info "$1" --json | json 'd["keeper_pid"]'; }
no_trace() { # VM
    [ ! -e "/dev/shm/qemu_ram_$1" ] && [ ! -e "/dev/shm/qemu_trace_$1" ] &&
        [ ! -e "$VITRINE_RUNTIME_DIR/$1" ]
}
nothing_left() { # VM
    no_trace "$1" && [ -z "$(own_processes)" ] && [ -z "$(qemus)" ]
}
gone() { [ ! -d "/proc/$1" ]; }

# kill -9 of one QEMU: its keeper cleans up at once; the others and the tools are well.
start_vm a --memory 64M --paused
start_vm b --memory 64M --paused
start_vm c --memory 64M --paused
kill -9 "$(qemu_pid "$prefix-b")"
wait_until 'the keeper cleaned up' no_trace "$prefix-b"
expect_eq 'the others' "$prefix-a
$prefix-c" "$(vitrine ls --names)"
expect_eq 'state of another' paused "$(vm_state "$prefix-a")"
expect_error 3 "no VM named '$prefix-b' .QEMU ended [0-9]+ s ago: killed by signal 9" \
    vitrine pause "$prefix-b"
start_vm b --memory 64M --paused
vitrine kill "$vm"
expect_error 3 "no VM named '$prefix-b'\$" vitrine info "$prefix-b" # what was asked for is no news

# kill -9 of a keeper: QEMU dies with it; the next ls cleans up.
pid=$(qemu_pid "$prefix-a")
kill -9 "$(keeper_pid "$prefix-a")"
wait_until 'QEMU died with its keeper' gone "$pid"
expect_error 3 "no VM named '$prefix-a'" vitrine info "$prefix-a"
[ -e "/dev/shm/qemu_ram_$prefix-a" ] || fail 'the RAM file went by itself: this test tests nothing'
expect_eq 'names after cleaning' "$prefix-c" "$(vitrine ls --names)"
no_trace "$prefix-a" || fail 'ls left a stale VM behind'

# A keeper can be told from the verbs.
expect_match 'arguments of the keeper' "^(vitrine: )?keeper $prefix-c *\$" \
    "$(arguments "$(keeper_pid "$prefix-c")")"
expect_eq 'name of the keeper' vitrine-keeper "$(cat "/proc/$(keeper_pid "$prefix-c")/comm")"

# ... and so does run, which may take the name again.
keeper=$(keeper_pid "$prefix-c")
kill -9 "$keeper"
wait_until 'the keeper is dead' sh -c "! kill -0 $keeper 2>/dev/null"
start_vm c --memory 64M --paused
expect_eq 'state of the new one' paused "$(vm_state)"

# SIGTERM to the keeper stops the VM.
kill "$(keeper_pid "$vm")"
wait_until 'the keeper stopped the VM' no_trace "$vm"

# A QEMU that does not answer: bounded, and kill works all the same.
start_vm s --memory 64M --paused
pid=$(qemu_pid "$vm")
kill -STOP "$pid"
expect_eq 'state of a QEMU that hangs' unknown "$(vitrine info "$vm" --json | json 'd["state"]')"
expect_status 124 vitrine pause "$vm"
vitrine kill "$vm"
no_trace "$vm" || fail 'kill of a hanging QEMU left something'

# An interrupt at any moment of run: either all of the VM is there, or nothing. (SIGTERM, because a
# shell makes its background jobs ignore SIGINT.)
for delay in 0 0.005 0.01 0.02 0.03 0.04 0.05 0.06 0.08 0.1 0.15; do
    vm=$prefix-i
    "$VITRINE" run "$vm" --memory 64M --paused 2>"$scratch/err" &
    starter=$!
    sleep "$delay"
    kill -TERM $starter 2>/dev/null || true
    if wait $starter; then
        expect_eq 'state of a VM that came to be' paused "$(vm_state)"
        vitrine kill "$vm"
    elif [ -s "$scratch/err" ]; then
        expect_eq 'lines about the interrupt' 1 "$(wc -l <"$scratch/err")"
        no_trace "$vm" || fail "an interrupt after $delay s left: $(ls "$VITRINE_RUNTIME_DIR")"
    fi
    wait_until 'nothing is left of an interrupted start' no_trace "$vm"
done

# kill -9 of the starter: the keeper takes everything back, or has handed over. A kill meanwhile
# waits for that.
for delay in 0.01 0.03 0.05 0.08; do
    vm=$prefix-k
    "$VITRINE" run "$vm" --memory 64M --paused 2>/dev/null &
    starter=$!
    sleep "$delay"
    kill -9 $starter 2>/dev/null || true
    wait $starter 2>/dev/null || true
    status=0
    vitrine kill "$vm" 2>"$scratch/err" || status=$?
    expect_match "status of kill, $delay s after the start" '^[03]$' $status
    wait_until 'nothing is left' nothing_left "$vm"
done

# kill and stop of a VM that is just starting end it; both at once do, too.
for verbs in kill stop 'kill stop' 'kill kill'; do
    vm=$prefix-e
    "$VITRINE" run "$vm" --memory 64M --paused 2>"$scratch/starter" &
    starter=$!
    wait_until 'it is starting' [ -e "$VITRINE_RUNTIME_DIR/$vm/lock" ]
    enders=()
    for verb in $verbs; do
        "$VITRINE" "$verb" "$vm" 2>"$scratch/$verb" &
        enders+=($!)
    done
    for pid in "${enders[@]}"; do
        status=0
        wait "$pid" || status=$?
        # The second may come when all is over.
        expect_match "status of one of '$verbs'" '^[03]$' "$status"
    done
    no_trace "$vm" || fail "'$verbs' of a VM that was starting left something"
    wait $starter || fail "run: $(cat "$scratch/starter")"
done
