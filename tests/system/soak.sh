#!/usr/bin/env bash
# tests/system/soak.sh - one VM looked at in every way for SOAK_SECONDS (600): the guest goes on, the
# looks keep working, and the keeper has no more descriptors and hardly more memory at the end.
. "$(dirname "$0")/lib.sh"

descriptors() { find "/proc/$1/fd" -mindepth 1 | wc -l; }
rss_kib() { awk '/^VmRSS/ { print $2 }' "/proc/$1/status"; }

# One round of everything that looks and everything that disturbs.
look() {
    local before after
    before=$(guest_exec 'cut -d. -f1 /proc/uptime')
    vitrine ps "$vm" --json | json 'd["processes"][0]["comm"]' | grep -x init >/dev/null || fail 'no init'
    vitrine uname "$vm" >/dev/null
    vitrine read "$vm" linux_banner 16 --raw | grep '^Linux version' >/dev/null || fail 'no banner'
    vitrine translate "$vm" init_task >/dev/null
    vitrine shot "$vm" "$scratch/shot.png" >/dev/null
    vitrine info "$vm" --json >/dev/null
    vitrine pause "$vm"
    vitrine ps "$vm" --json >/dev/null
    vitrine resume "$vm"
    after=$(guest_exec 'cut -d. -f1 /proc/uptime')
    [ "$after" -ge "$before" ] || fail "the guest's uptime went from $before to $after"
}

start_vm a --memory 128M
wait_console 'shell ready'
keeper=$(vitrine info "$vm" --json | json 'd["keeper_pid"]')
look
fds=$(descriptors "$keeper") rss=$(rss_kib "$keeper")
rounds=0 end=$((SECONDS + ${SOAK_SECONDS:-600}))
while [ $SECONDS -lt $end ]; do
    look
    rounds=$((rounds + 1))
done
note "$rounds rounds; the keeper: $fds then $(descriptors "$keeper") descriptors, $rss then $(rss_kib "$keeper") KiB"
no_more_descriptors() { [ "$(descriptors "$keeper")" -le "$fds" ]; }
wait_until "the keeper is back at $fds descriptors" no_more_descriptors
[ "$(rss_kib "$keeper")" -le $((rss + 1024)) ] || fail 'the keeper grew by more than 1 MiB'
vitrine stop "$vm"
