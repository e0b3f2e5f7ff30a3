#!/usr/bin/env bash
# tests/system/house.sh - all of it on one VM: boot, picture, a question answered and highlighted, a
# trace, hot loops, a proof, a kernel in use, the ledger. Boot times are told, not judged.
. "$(dirname "$0")/lib.sh"

# Plain, with KVM where that works, and with acceleration from the first moment on.
vitrine bench boot --rounds 1 2>/dev/null | sed -n '3,$p' >&2

start_vm a --memory 256M --accel tcg
[ "$(vitrine info "$vm" --json | json 'bool(d.get("hybrid_path"))')" = true ] ||
    skip "$(vitrine info "$vm" --json | json 'd.get("hybrid_why")')"
mkdir "$scratch/cache"
setsid "$VITRINE" accel "$vm" --backend host --cache "$scratch/cache" --json >"$scratch/told" 2>"$scratch/err" &
accel=$!
wait_console 'shell ready'
wait_services

# Picture; a question, answered, highlighted in the next picture.
vitrine shot "$vm" "$scratch/before.png" >/dev/null
vitrine ask "$vm" 'where is the heap of heartbeat?' --highlight --json >"$scratch/answer"
expect_match 'the answer' 'heartbeat' "$(cat "$scratch/answer")"
vitrine shot "$vm" "$scratch/after.png" >/dev/null
for picture in before after; do
    expect_eq 'a picture begins as a PNG' 89504e470d0a1a0a \
        "$(od -An -tx1 -N8 "$scratch/$picture.png" | tr -d ' ')"
done

# A load; it is recorded, and its loop is hot.
kill -TERM $accel
wait $accel || fail "$(cat "$scratch/err")"
guest_exec 'setsid vt-loops xor4 --for-ever </dev/null >/run/loops 2>&1 &'
is_recorded() { # the vCPU may have had to wait for a CPU
    vitrine trace "$vm" --for 50ms --replace --out "$scratch/run.vtrace" &&
        vitrine trace stat "$scratch/run.vtrace" --json >"$scratch/stat" &&
        [ "$(json 'd["instructions"] > 10000' <"$scratch/stat")" = true ]
}
wait_until 'instructions are recorded' is_recorded
the_loop='l["place"].startswith("vt-loops:xor4+")'
is_hot() {
    vitrine hot "$vm" --for 200ms --only loops --json >"$scratch/hot"
    [ "$(json "any($the_loop and l['percent'] > 50 for l in d['loops'])" <"$scratch/hot")" = true ]
}
wait_until 'its loop is hot' is_hot

# A kernel of it, proven and in use; its file is proven once more.
in_use() {
    vitrine accel "$vm" --once --backend host --cache "$scratch/cache" >/dev/null
    vitrine accel status "$vm" --json >"$scratch/status"
    [ "$(json "any($the_loop and l['fate'] == 'kept' for l in d['loops'])" <"$scratch/status")" = true ]
}
wait_until 'its kernel is kept' in_use
file=$(json "[l['kernel'] for l in d['loops'] if $the_loop and l['fate'] == 'kept'][0]" <"$scratch/status")
vitrine synth verify "$file" >/dev/null
iterations() { vitrine accel status "$vm" --json | json "sum(l['counts']['iterations'] for l in d['loops'] if $the_loop and l['counts'])"; }
before=$(iterations)
more() { [ "$(iterations)" -gt "$before" ]; }
wait_until 'its kernel runs' more
expect_eq 'what the loop computes' 1 \
    "$(guest_exec 'vt-loops xor4 --times 5; tail -n 1 /run/loops' | tr -d '\r' | sed 's/.*check=//' | sort -u | wc -l)"

# The ledger.
vitrine accel status "$vm" | tee "$scratch/ledger" >&2
grep -qE '^kept .*vt-loops:xor4' "$scratch/ledger" || fail 'the ledger does not have it'
vitrine accel off "$vm"
