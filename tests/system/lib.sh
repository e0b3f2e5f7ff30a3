# shellcheck shell=bash
# tests/system/lib.sh - sourced first by every system test: a VM directory of its own, VMs with
# names of its own, assertions that print both sides, and an end that leaves nothing behind.
#
#   . "$(dirname "$0")/lib.sh"
#   start_vm a --memory 128M        # the VM's name is in $vm: $prefix-a
#   wait_console 'shell ready'
#   expect_eq 'hostname' vitrine "$(guest_exec hostname)"
#
# Exit 77 by skip REASON. A test fails by itself when a RAM file, a process or a directory of one of
# its VMs outlives it.
set -euo pipefail

: "${VITRINE:=$(dirname "${BASH_SOURCE[0]}")/../../build/vitrine}"
VITRINE=$(realpath "$VITRINE")
tools=$(realpath "$(dirname "${BASH_SOURCE[0]}")/../../tools")
scratch=$(mktemp -d "${TMPDIR:-/tmp}/vitrine-test-XXXXXX")
export VITRINE_RUNTIME_DIR=$scratch/run VITRINE_STATE_DIR=$scratch/state VITRINE_DATA_DIR=$scratch/data VITRINE tools
prefix=t$$
vm=

vitrine() { "$VITRINE" "$@"; }
note() { printf '%s: %s\n' "${0##*/}" "$*" >&2; }
fail() {
    note "FAILED: $*"
    exit 1
}
skip() {
    note "skipped: $*"
    exit 77
}

# ---- VMs -------------------------------------------------------------------------------------

# start_vm SUFFIX [option of run...]: returns when QEMU answers.
start_vm() {
    vm=$prefix-$1
    shift
    vitrine run "$vm" "$@"
}

# wait_console REGEX [VM [TIME]]: until the guest has printed it.
wait_console() {
    vitrine console "${2:-$vm}" --wait "$1" --timeout "${3:-60s}" >/dev/null
}

# guest_exec COMMAND [VM]: what it prints in the guest; its exit status.
guest_exec() {
    vitrine console "${2:-$vm}" --exec "$1" --timeout 60s
}

vm_state() { vitrine info "${1:-$vm}" --json | json 'd["state"]'; }

# ---- looking and comparing -------------------------------------------------------------------

# json EXPRESSION: of the document on stdin, as Python's `d`.
json() {
    python3 -c 'import json, sys
d = json.load(sys.stdin)
v = eval(sys.argv[1])
print(v if isinstance(v, str) else json.dumps(v))' "$1"
}

expect_eq() { # WHAT WANT GOT
    [ "$2" = "$3" ] || fail "$(printf '%s\n  want: %s\n  got:  %s' "$1" "$2" "$3")"
}

expect_match() { # WHAT REGEX TEXT
    [[ "$3" =~ $2 ]] || fail "$(printf '%s\n  want: %s\n  got:  %s' "$1" "$2" "$3")"
}

# expect_status STATUS COMMAND...: its output goes to $scratch/out and $scratch/err.
expect_status() {
    local want=$1 got=0
    shift
    "$@" >"$scratch/out" 2>"$scratch/err" || got=$?
    [ "$got" = "$want" ] ||
        fail "$(printf '%s\n  want status: %s\n  got status:  %s\n' "$*" "$want" "$got" && cat "$scratch/err")"
}

# expect_error STATUS REGEX COMMAND...: the status, nothing on stdout, one line on stderr.
expect_error() {
    local want=$1 regex=$2
    shift 2
    expect_status "$want" "$@"
    expect_eq "lines of '$*' on stdout" '' "$(cat "$scratch/out")"
    expect_eq "lines of '$*' on stderr" 1 "$(wc -l <"$scratch/err")"
    expect_match "message of '$*'" "$regex" "$(cat "$scratch/err")"
}

# wait_until WHAT COMMAND...: until it succeeds, for half a minute.
wait_until() {
    local what=$1 deadline=$((SECONDS + 30))
    shift
    until "$@" >/dev/null 2>&1; do
        [ $SECONDS -lt $deadline ] || fail "still not so: $what"
        sleep 0.05
    done
}

# ---- the end ---------------------------------------------------------------------------------

# Processes that carry this test's VM directory in their environment, but for the shell itself.
own_processes() {
    local environ pid
    for environ in /proc/[0-9]*/environ; do
        pid=${environ#/proc/}
        pid=${pid%/environ}
        if [ "$pid" != $$ ] && grep -qzxF "VITRINE_RUNTIME_DIR=$VITRINE_RUNTIME_DIR" "$environ" 2>/dev/null &&
            [ "$(awk '/^PPid/ { print $2 }' "/proc/$pid/status" 2>/dev/null)" != $$ ]; then
            printf '%s\n' "$pid"
        fi
    done
}

qemus() {
    # The brackets keep grep from finding itself.
    grep -la "qemu_[r]am_$prefix-" /proc/[0-9]*/cmdline 2>/dev/null | cut -d/ -f3
}

show_logs() {
    local log
    for log in "$VITRINE_RUNTIME_DIR"/*/{console,qemu}.log; do
        if [ -s "$log" ]; then
            note "the end of ${log#"$VITRINE_RUNTIME_DIR"/}:"
            tail -n 20 "$log" | tr -cd '\n\t -~' >&2
        fi
    done
}

finish() {
    local status=$? name left=()
    trap - EXIT
    trap '' INT TERM
    set +e
    if [ $status -ne 0 ] && [ $status -ne 77 ]; then
        show_logs
    fi
    for name in $(vitrine ls --names 2>/dev/null); do
        vitrine kill "$name" >&2
    done
    # A keeper removes everything first and exits a moment later.
    for _ in {1..40}; do
        mapfile -t left < <(own_processes; qemus)
        [ ${#left[@]} -gt 0 ] || break
        sleep 0.05
    done
    if [ ${#left[@]} -gt 0 ]; then
        note "left running: $(ps -o pid=,args= -p "$(IFS=,; echo "${left[*]}")")"
        kill -9 "${left[@]}" 2>/dev/null
        status=1
    fi
    mapfile -t left < <(find /dev/shm -name "qemu_*_$prefix-*" 2>/dev/null
        find "$VITRINE_RUNTIME_DIR" -mindepth 1 -not -name .lock 2>/dev/null)
    if [ ${#left[@]} -gt 0 ]; then
        note "left behind: ${left[*]}"
        rm -f /dev/shm/qemu_{ram,trace}_"$prefix"-*
        status=1
    fi
    rm -rf "$scratch"
    exit $status
}
trap finish EXIT
trap 'exit 130' INT TERM
