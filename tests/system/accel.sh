#!/usr/bin/env bash
# tests/system/accel.sh - `vitrine accel` on a program that nobody prepared: its loops get kernels while
# it runs, what it computes stays what it computes elsewhere, and everything is out again at the end.
. "$(dirname "$0")/lib.sh"

program=$VITRINE_BUILD/guests/linux/vt-loops
start_vm a --memory 256M --accel tcg
[ "$(vitrine info "$vm" --json | json 'bool(d.get("hybrid_path"))')" = true ] ||
    skip "$(vitrine info "$vm" --json | json 'd.get("hybrid_why")')"
wait_services

# Nothing was looked at yet.
expect_eq 'loops before' 0 "$(vitrine accel status "$vm" --json | json 'len(d["loops"])')"
expect_error 2 'backend' vitrine accel "$vm" --backend magic

# checks FILE: each loop and what it computed.
checks() { tr -d '\r' <"$1" | sed -nE 's/^([a-z0-9]+) bytes=.*check=([0-9a-f]{16})$/\1 \2/p' | sort -u; }
"$program" all --bytes 262144 --times 1 >"$scratch/native"
checks "$scratch/native" >"$scratch/want"

# The function tells which loop it is; the process's name may still be of the program that started it, and
# its share is of the recording that found it, which may be one of the program's own preparations.
has_kernel_in() { # LOOP: one that is kept, or used and not measured yet
    vitrine accel "$vm" --once --backend host --cache "$scratch/cache" --json >"$scratch/told"
    vitrine accel status "$vm" --json >"$scratch/status"
    [ "$(json "any(l['place'].startswith('vt-loops:$1+') and l['fate'] in ('kept', 'waiting')
                   and l['counts']['iterations'] > 100000 for l in d['loops'])" <"$scratch/status")" = true ] || {
        cat "$scratch/status"
        return 1
    }
}
mkdir "$scratch/cache"
case $(guest_exec 'cat /proc/cpuinfo') in
*avx2*) wide=mix32 ;; # registers of 256 bits, whose upper halves QEMU's interface does not show
*) wide= ;;
esac
for loop in xor8 fill1 sum8 $wide; do
    guest_exec "setsid vt-loops $loop --bytes 262144 --for-ever </dev/null >/dev/null 2>&1 &"
    wait_until "$loop has a kernel" has_kernel_in "$loop"
    guest_exec 'killall vt-loops'
done

# With kernels in, everything computes what it computes on the host.
guest_exec 'vt-loops all --bytes 262144 --times 3' >"$scratch/guest"
checks "$scratch/guest" >"$scratch/got"
expect_eq 'what the loops computed' "$(cat "$scratch/want")" "$(cat "$scratch/got")"

# Each kernel that is in was proven, is a file, and its checks at run time held.
vitrine accel status "$vm" --json >"$scratch/status"
python3 - "$scratch/status" "$scratch/cache" <<'PYTHON'
import json, os, sys

status = json.load(open(sys.argv[1]))
used = [l for l in status["loops"] if l["fate"] in ("kept", "waiting")]
assert status["enabled"] and status["kernels"] >= len(used) >= 3, status
for l in used:
    assert l["proof_ms"] > 0 and l["x86_instructions"] > 0 and l["pixel_ops"] > 0, l
    assert l["counts"]["hash"] == l["loop"] and l["counts"]["canaries_failed"] == 0, l
    assert l["why"] is None, l
for l in status["loops"]:
    assert l["fate"] != "disabled" and (l["why"] is not None or l in used), l
assert len(os.listdir(sys.argv[2])) >= 3, os.listdir(sys.argv[2])
PYTHON
[ "$(vitrine accel status "$vm" | grep -cE '^(kept|waiting) ')" -ge 3 ] || fail 'the table has not all rows'

# One at a time, ended at any moment: also while it proves. Then its kernels stay, or are removed.
guest_exec 'setsid vt-loops all --bytes 65536 --seconds 0.1 --for-ever </dev/null >/dev/null 2>&1 &'
setsid "$VITRINE" accel "$vm" --backend host --cache "$scratch/cache2" >"$scratch/long" 2>&1 &
pid=$!
wait_until 'it found something' test -s "$scratch/long"
expect_error 1 'another' vitrine accel off "$vm"
kill -TERM $pid
wait $pid || fail "an end that was asked for failed: $(cat "$scratch/long")"
[ "$(vitrine accel status "$vm" --json | json 'd["kernels"]')" -ge 3 ] || fail 'kernels did not stay'
expect_match 'what accel off says' '"removed": ?[1-9]' "$(vitrine accel off "$vm" --json)"
expect_eq 'kernels after' 0 "$(vitrine accel status "$vm" --json | json 'd["kernels"]')"
expect_match 'the guest' '[0-9]' "$(guest_exec 'pidof vt-loops')"

# Kernels that nobody uses while the guest does something else are taken out, and come back with who does.
guest_exec 'killall vt-loops
    setsid vt-loops xor8 --bytes 65536 --for-ever </dev/null >/dev/null 2>&1 &'
setsid "$VITRINE" accel "$vm" --backend host --cache "$scratch/cache2" >"$scratch/rest" 2>&1 &
pid=$!
said_since() { tail -n "+$(($1 + 1))" "$scratch/rest" | grep -E "^($2) +vt-loops:xor8\\+"; }
wait_until 'its kernel is kept' said_since 0 kept
guest_exec 'killall vt-loops
    (setsid sh -c "while [ ! -e /tmp/enough ]; do :; done" </dev/null >/dev/null 2>&1 &)'
wait_until 'it rests while nobody uses it' said_since 0 resting
# What else is in is the busy shell's own.
only_used() {
    vitrine accel status "$vm" --json >"$scratch/status"
    [ "$(json '(lambda used: d["kernels"] == len(used) and not any(place.startswith("vt-loops:") for place in used))(
        [l["place"] for l in d["loops"] if l["fate"] in ("kept", "waiting")])' \
        <"$scratch/status")" = true ]
}
wait_until 'nothing is in that nobody uses' only_used
guest_exec 'touch /tmp/enough'
lines=$(wc -l <"$scratch/rest")
guest_exec 'setsid vt-loops xor8 --bytes 65536 --for-ever </dev/null >/dev/null 2>&1 &'
wait_until 'it is in again' said_since "$lines" 'kept|waiting'
kill -TERM $pid
wait $pid || fail "after a rest: $(cat "$scratch/rest")"
