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
# its VMs outlives it. Why it failed is what it says last.
set -euo pipefail

: "${VITRINE:=$(dirname "${BASH_SOURCE[0]}")/../../build/vitrine}"
VITRINE=$(realpath "$VITRINE")
tools=$(realpath "$(dirname "${BASH_SOURCE[0]}")/../../tools")
scratch=$(mktemp -d "${TMPDIR:-/tmp}/vitrine-test-XXXXXX")
export VITRINE_RUNTIME_DIR=$scratch/run VITRINE_STATE_DIR=$scratch/state VITRINE_DATA_DIR=$scratch/data VITRINE tools
prefix=t$$
vm=
# Seconds that something awaited may take. It says that nothing comes any more, not how fast things are: a
# guest that boots beside others on a busy machine of two cores may take most of a minute.
patience=120

# Each command as it begins, and when: where a test stood when it ended. Where Meson keeps its logs it
# outlives a test that was killed (tools/run-tests).
steps=${VITRINE_TEST_LOGS-$scratch}/$(basename "$0" .sh).steps
exec {BASH_XTRACEFD}>"$steps"
PS4='+ $EPOCHREALTIME ${BASH_SOURCE[0]##*/}:$LINENO: '
set -x

vitrine() { "$VITRINE" "$@"; }
note() { printf '%s: %s\n' "${0##*/}" "$*" >&2; }
fail() {
    note "FAILED: $*"
    printf '%s\n' "$*" >"$scratch/reason"
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
    vitrine console "${2:-$vm}" --wait "$1" --timeout "${3:-${patience}s}" >/dev/null
}

# listens PATH: somebody does, at that Unix socket; its file is there before.
listens() { grep -q " 00010000 .* $1\$" /proc/net/unix; }

# wait_services [VM]: until the default guest has started all that it starts beside its shell; the
# last of it is the heartbeat.
wait_services() {
    wait_console 'shell ready' "${1:-$vm}"
    guest_exec 'until pidof heartbeat; do usleep 100000; done' "${1:-$vm}" >/dev/null
}

# wait_recording [VM]: until its plugin records what executes: it follows a control page that says so.
wait_recording() {
    wait_until "${1:-$vm} is recorded" python3 -c 'import struct, sys
generation, seen, detail = struct.unpack("3I", open(sys.argv[1], "rb").read(4108)[4096:])
sys.exit(generation != seen or detail < 2)' "/dev/shm/qemu_trace_${1:-$vm}"
}

# guest_exec COMMAND [VM]: what it prints in the guest; its exit status.
guest_exec() {
    vitrine console "${2:-$vm}" --exec "$1" --timeout "${patience}s"
}

# vm_state [VM]: as soon as its QEMU answers.
vm_state() {
    local state deadline=$((SECONDS + patience))
    until state=$(vitrine info "${1:-$vm}" --json | json 'd["state"]') && [ "$state" != unknown ]; do
        [ $SECONDS -lt $deadline ] || break
    done
    printf '%s\n' "$state"
}

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

# wait_until WHAT COMMAND...: until it succeeds. A failure shows what it said last.
wait_until() {
    local what=$1 deadline=$((SECONDS + patience))
    shift
    until "$@" >"$scratch/awaited" 2>&1; do
        [ $SECONDS -lt $deadline ] ||
            fail "still not so after $patience s: $what$(printf '\n' && tail -n 8 "$scratch/awaited")"
        sleep 0.05
    done
}

# ---- the end ---------------------------------------------------------------------------------

# Processes that carry this test's VM directory in their environment, but for the shell itself.
own_processes() {
    local pids pid parent
    mapfile -t pids < <(grep -lszxF "VITRINE_RUNTIME_DIR=$VITRINE_RUNTIME_DIR" /proc/[0-9]*/environ | cut -d/ -f3)
    for pid in "${pids[@]}"; do
        parent=$(awk '/^PPid/ { print $2 }' "/proc/$pid/status" 2>/dev/null) || continue # it looked, and is gone
        case $pid:$parent in
        $$:* | *:$$) ;;
        *) printf '%s\n' "$pid" ;;
        esac
    done
}

qemus() {
    # The brackets keep grep from finding itself.
    grep -la "qemu_[r]am_$prefix-" /proc/[0-9]*/cmdline 2>/dev/null | cut -d/ -f3
}

# With bars before them: tools/run-tests tells them from the test's own words.
show_logs() {
    local log
    for log in "$VITRINE_RUNTIME_DIR"/*/{console,qemu}.log; do
        if [ -s "$log" ]; then
            printf '| the end of %s:\n' "${log#"$VITRINE_RUNTIME_DIR"/}" >&2
            tail -n 20 "$log" | tr -cd '\n\t -~' | sed 's/^/| /' >&2
        fi
    done
}

# The last commands that began before the end did, and how long ago.
show_steps() {
    note 'it stood at:'
    sed -E '/: (on_signal|finish)$/,$d' "$steps" | grep -a '^+' | tail -n 4 |
        awk -v now="$EPOCHREALTIME" '{ printf "%6.1f s ago: ", now - $2; $1 = $2 = ""; print substr($0, 3, 300) }' >&2
}

why_it_failed() {
    show_logs
    if [ -s "$scratch/reason" ]; then
        note "FAILED: $(cat "$scratch/reason")"
    else
        show_steps
        note "FAILED: $1"
    fi
}

# Whoever ends a test for its time (Meson) kills its process group soon after: what finish has not done
# by then another process does.
on_signal() {
    trap '' INT TERM
    export -f vitrine note own_processes qemus finish
    env -u VITRINE_RUNTIME_DIR where="$VITRINE_RUNTIME_DIR" prefix="$prefix" scratch="$scratch" setsid -f bash -c '
        while [ -e "/proc/$1" ]; do sleep 0.1; done
        export VITRINE_RUNTIME_DIR=$where
        [ ! -d "$scratch" ] || finish' "$0" $$ >/dev/null 2>&1 </dev/null
    exit 130
}

finish() {
    local status=$? name left=()
    trap - EXIT
    trap '' INT TERM
    set +ex
    if [ $status -ne 0 ] && [ $status -ne 77 ]; then
        why_it_failed "status $status"
    fi
    for name in $(vitrine ls --names 2>/dev/null); do
        vitrine kill "$name" >&2
    done
    # A keeper removes everything first and exits a moment later, on a busy machine much later.
    for _ in {1..1200}; do
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
        rm -f /dev/shm/qemu_{ram,trace,hybrid}_"$prefix"-*
        status=1
    fi
    # Who still waits for us waits for somebody who has our output open.
    printf '+ %s the end, status %d\n' "$EPOCHREALTIME" $status >&"$BASH_XTRACEFD"
    rm -rf "$scratch"
    exit $status
}
trap finish EXIT
trap on_signal INT TERM
