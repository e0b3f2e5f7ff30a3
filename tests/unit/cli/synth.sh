#!/usr/bin/env bash
# tests/unit/cli/synth.sh VITRINE - a kernel is made, proven again, and not once it was changed.
set -euo pipefail
vitrine=$1
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT

fail() {
    printf '%s\n' "$*" >&2
    exit 1
}

xor='48 31 14 c7 48 ff c0 48 39 c1 75 f4' # xor [rdi + rax*8], rdx; inc rax; cmp rcx, rax; jne
"$vitrine" synth make --bytes "$xor" --out "$dir/kernels" --json >"$dir/made" || {
    grep -q 'no solver' "$dir/made" && exit 77
    cat "$dir/made" >&2
    fail 'no kernel'
}
kernel=$(jq -r '.[0].file' "$dir/made")
[ "$(jq -r '.[0].result' "$dir/made")" = proven ] || fail 'it is not proven'
"$vitrine" synth verify "$kernel" --smt2 "$dir/smt" --json |
    jq -e '.[0] | .result == "proven" and .solved >= 1 and .why == null' >/dev/null ||
    fail 'it is not proven again'
grep -q '(check-sat)' "$dir/smt/back.smt2" || fail 'there is no obligation as a file'
"$vitrine" synth show "$kernel" | grep -q '^store s0\[0\]' || fail 'its program is not shown'
"$vitrine" synth show "$kernel" --json | jq -e '.pixel_ops | length > 3' >/dev/null ||
    fail 'its operations are not shown'

jq '.pixel_streams[0].stride = 9' "$kernel" >"$dir/changed.json"
if "$vitrine" synth verify "$kernel" "$dir/changed.json" --json >"$dir/verified"; then
    fail 'a changed kernel passes'
fi
[ "$(jq -r 'map(.result) | join(" ")' "$dir/verified")" = 'proven corrupt' ] || fail 'which one was changed?'

# As 'vitrine hot --json' writes loops; the second one has bytes that are not known, the third a call.
jq -n --arg bytes "${xor// /}" '{loops: [
    {address: "0x401000", code: [{address: "0x401000", bytes: $bytes}]},
    {address: "0x402000", code: [{address: "0x402000", bytes: null}]},
    {address: "0x403000", code: [{address: "0x403000", bytes: "e800000000ebf9"}]}]}' >"$dir/hot.json"
if "$vitrine" synth make --hot "$dir/hot.json" --json >"$dir/made" 2>"$dir/said"; then
    fail 'a loop without a kernel passes'
fi
jq -e 'map([.address, .result]) == [["0x401000", "proven"], ["0x403000", "unsupported"]]' "$dir/made" >/dev/null ||
    fail "loops: $(cat "$dir/made")"
grep -q '^vitrine synth make: 1 loops' "$dir/said" || fail 'what was left out is not said'
"$vitrine" synth make --hot "$dir/hot.json" --loop 1 >/dev/null || fail 'the first loop alone'

status=0
"$vitrine" synth make --bytes 'xyz' 2>/dev/null || status=$?
[ "$status" = 2 ] || fail 'what is not hexadecimal is taken'
status=0
"$vitrine" synth make 2>/dev/null || status=$?
[ "$status" = 2 ] || fail 'nothing to make is taken'
