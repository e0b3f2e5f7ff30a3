#!/usr/bin/env bash
# tests/system/volume_three_vms.sh [SECONDS [LEVEL]] - three guests that write all the time, streamed by
# one server, each to a client that keeps up: how often each is brought up to date, and what that costs.
# Asserts only that all three go on; the figures are printed.
. "$(dirname "$0")/lib.sh"
command -v python3 >/dev/null || skip 'no python3'
seconds=${1:-4}
level=${2:-2}
vms=()
for i in a b c; do
    start_vm "$i" --memory 128M
    wait_console 'shell ready'
    vms+=("$vm")
done
for name in "${vms[@]}"; do
    guest_exec 'vt-dirty 200 60 </dev/null >/dev/null 2>&1 &' "$name"
done
"$VITRINE" serve "${vms[@]}" --listen 127.0.0.1:0 --json >"$scratch/where" 2>"$scratch/serve.log" &
server=$!
wait_until 'the server says where it listens' test -s "$scratch/where"
url=$(json 'd["urls"][0]' <"$scratch/where")

cpu_ticks() { awk '{ print $14 + $15 }' "/proc/$server/stat"; }
before=$(cpu_ticks) began=$(date +%s%N)
python3 "$(dirname "$0")/stream_rate.py" "${url##*:}" "$level" 30 "$seconds" "${vms[@]}" >"$scratch/rates"
cat "$scratch/rates"
awk -v ticks="$(($(cpu_ticks) - before))" -v ns="$(($(date +%s%N) - began))" -v hz="$(getconf CLK_TCK)" \
    'BEGIN { printf "the server: %.1f %% of one core\n", 100 * ticks / hz / (ns / 1e9) }'
expect_eq 'VMs that were streamed' 3 "$(wc -l <"$scratch/rates")"
while read -r line; do
    [ "$(json 'd["updates_per_s"] > 0 and d["bytes_per_s"] > 0' <<<"$line")" = true ] || fail "$line"
done <"$scratch/rates"
kill -TERM "$server"
wait "$server"
