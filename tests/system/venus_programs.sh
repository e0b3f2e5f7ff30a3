#!/usr/bin/env bash
# tests/system/venus_programs.sh NAME - tests/system/vulkan/NAME.c, the same binary natively and
# through Venus: what it prints must be equal. What Venus does not offer is left out natively, too,
# and said.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/venus/lib.sh"

program=$VITRINE_BUILD/tests/system/vulkan/vk-$1
serve
status=0
venus "$program" >"$scratch/venus" 2>"$scratch/venus.err" || status=$?
[ $status = 0 ] || fail "vk-$1 through Venus ended with $status: $(tail -n 5 "$scratch/venus.err")"
without=$(sed -n 's/^skip: //p' "$scratch/venus" | tr '\n' ' ')
status=0
VULKAN_WITHOUT=$without native "$program" >"$scratch/native" 2>"$scratch/native.err" || status=$?
[ $status = 0 ] || fail "vk-$1 natively ended with $status: $(tail -n 5 "$scratch/native.err")"
diff "$scratch/native" "$scratch/venus" >"$scratch/diff" ||
    fail "vk-$1 prints something else through Venus: $(head -n 20 "$scratch/diff")"
[ -z "$without" ] || note "without $without"
await_events '[.[] | select(.event == "ended")] | length > 0'
expect_eq 'contexts that broke' 0 "$(events '[.[] | select(.event == "ended" and .broken)] | length')"
served_end
