#!/usr/bin/env bash
# tests/system/follow.sh - a follower of a guest that boots, writes, is highlighted, paused and ends.
. "$(dirname "$0")/lib.sh"

follow=$VITRINE_BUILD/tests/system/follow_vm
start_vm a --memory 128M
coproc looks { "$follow" "$vm"; }
# shellcheck disable=SC2154 # coproc sets it, and unsets it when the follower has ended
at=${looks[1]} from=${looks[0]} follower=$looks_PID

look() { # what one look saw, in $seen
    printf 'x' >&"$at"
    read -r -t "$patience" seen <&"$from" || fail 'no look'
}
sees() { # EXPRESSION of a look
    look
    [ "$(json "$1" <<<"$seen")" = true ]
}

# From the first instruction on: a kernel is understood when it is there.
look
expect_eq 'the first look is everything' 'true true' "$(json '"{all} {classes}".format(**d).lower()' <<<"$seen")"
wait_console 'shell ready'
wait_until 'the guest is understood' sees 'd["understood"] and d["kernel_text"] > 1000'
expect_eq 'the system' "Linux $(guest_exec 'uname -r')" "$(json 'd["system"]' <<<"$seen")"
expect_eq 'live' live "$(json 'd["consistency"]' <<<"$seen")"

# What the guest writes is told, and none of it is a hole.
look
guest_exec 'dd if=/dev/urandom of=/tmp/noise bs=1M count=4 2>/dev/null'
look
[ "$(json 'd["pages"] >= 1024 and d["holes"] == 0' <<<"$seen")" = true ] || fail "4 MiB were written: $seen"
[ "$(json 'd["all"]' <<<"$seen")" = false ] || fail 'everything again'

# Highlights, while they are there.
vitrine highlight "$vm" low --gpa 0x100000 >/dev/null
look
expect_eq 'a highlight' '["low"]' "$(json 'd["highlights"]' <<<"$seen")"
vitrine highlight "$vm" low --remove
look
expect_eq 'no highlight' '[]' "$(json 'd["highlights"]' <<<"$seen")"

# Standing still, nothing changes but for what we were about to be told.
vitrine pause "$vm"
wait_until 'it is said' sees 'd["consistency"] == "paused"'
wait_until 'nothing changes' sees 'd["pages"] == 0 and not d["classes"]'
vitrine resume "$vm"
wait_until 'it is said' sees 'd["consistency"] == "live"'

# Looked at many times, logged once.
lines=$(grep -c "\"vm\":\"$vm\".*\"follow\"" "$VITRINE_STATE_DIR/audit.log")
expect_eq 'lines in the log' 1 "$lines"
vitrine kill "$vm"
look
expect_eq 'the end' '{"error": "gone"}' "$seen"
wait "$follower" && fail 'it ended well'
exit 0
