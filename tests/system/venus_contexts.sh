#!/usr/bin/env bash
# tests/system/venus_contexts.sh N - N instances and devices one after another, each with a little
# work: nothing of them stays in the server, no descriptor, no thread, no object, no memory.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/venus/lib.sh"

contexts=$VITRINE_BUILD/tests/system/vulkan/vk-contexts
# Of the program itself: the launcher and the shell have become it.
files() { find "/proc/$server/fd" -mindepth 1 | wc -l; }
threads() { awk '/^Threads/ { print $2 }' "/proc/$server/status"; }
resident_kib() { awk '/^VmRSS/ { print $2 }' "/proc/$server/status"; }
none() { [ "$(vitrine gpu stat "$socket" --json | json 'len(d)')" = 0 ]; }
all_gone() { none && [ "$(files)" -le "$files" ] && [ "$(threads)" -le "$threads" ]; }

serve
# What the driver makes once and keeps.
venus "$contexts" 20 >/dev/null || fail 'the first contexts'
wait_until 'they are gone' none
files=$(files) threads=$(threads) resident=$(resident_kib)
venus "$contexts" "$1" >"$scratch/out" || fail "contexts: $(cat "$scratch/out")"
wait_until "$files descriptors and $threads threads again" all_gone
grown=$(($(resident_kib) - resident))
[ $grown -lt 16384 ] || fail "$grown KiB more after $1 contexts"
expect_eq 'objects left in those that ended' 0 \
    "$(vitrine gpu stat "$socket" --ended --json | json 'sum(c["objects"] for c in d)')"
expect_eq 'contexts that broke' 0 "$(events '[.[] | select(.event == "ended" and .broken)] | length')"
note "$grown KiB more after $1 contexts"
served_end
