#!/usr/bin/env bash
# tests/system/serve_volume_soak.sh [SECONDS] - a server whose clients draw a guest that writes all
# the time: rounds of clients that keep up, come, stall, vanish and talk nonsense, for SECONDS (3600).
# After each round everybody has left; then the server has as many descriptors and hardly more
# memory than after the first ones. Updates go on in every round. What it measured goes to stderr.
. "$(dirname "$0")/lib.sh"
command -v python3 >/dev/null || skip 'no python3'
seconds=${1:-3600}
round=$((seconds < 300 ? 8 : 60))

start_vm a --memory 128M
guest_exec 'vt-dirty 200 60 </dev/null >/dev/null 2>&1 &'
"$VITRINE" serve "$vm" --listen 127.0.0.1:0 --json >"$scratch/where" 2>"$scratch/serve.log" &
server=$!
wait_until 'the server says where it listens' test -s "$scratch/where"
url=$(json 'd["urls"][0]' <"$scratch/where")

# What is the server's own: the guest's RAM that it maps is not.
anonymous_kb() { awk '/^RssAnon/ { print $2 }' "/proc/$server/status"; }
fds() { find "/proc/$server/fd" -mindepth 1 | wc -l; }
threads() { awk '/^Threads/ { print $2 }' "/proc/$server/status"; }
metric() { curl -s "$url/metrics" | sed -n "s/^$1 //p"; }
quiet() {
    [ "$(metric vitrine_streams)" = 0 ] && [ "$(metric vitrine_stream_clients)" = 0 ] &&
        [ "$(metric vitrine_http_connections)" = 1 ]
}

# One round; afterwards $kb and $n say what the server has.
play() {
    counts=$(python3 "$(dirname "$0")/volume_soak.py" "${url##*:}" "$vm" "$round") || fail "$counts"
    wait_until 'everybody has left' quiet
    kb=$(anonymous_kb) n=$(fds)
    note "$1: $counts; $kb KiB, $n descriptors, $(threads) threads"
    [ "$(json 'd["updates"]' <<<"$counts")" -gt 0 ] || fail 'no updates'
}

play 'round 0' # pools, caches and drivers fill
play 'round 1'
first_kb=$kb first_fds=$n most_kb=$kb rounds=1
while [ $SECONDS -lt "$seconds" ] || [ $rounds -lt 3 ]; do
    rounds=$((rounds + 1))
    play "round $rounds"
    most_kb=$((kb > most_kb ? kb : most_kb))
    [ "$n" -le $((first_fds + 2)) ] || fail "descriptors grew from $first_fds to $n"
done
note "$rounds rounds: $first_kb KiB after the first, $kb after the last, $most_kb at most"
# glibc gives threads new arenas now and then, up to eight a CPU, and a graphics driver fills 2 MiB of one.
# What is lost in each round goes on being lost: then three more rounds show it.
if [ "$kb" -gt $((first_kb + 16384)) ]; then
    settled_kb=$kb
    for more in 1 2 3; do
        play "round $((rounds + more))"
    done
    [ "$kb" -le $((settled_kb + 8192)) ] || fail "memory grew from $first_kb to $settled_kb, then to $kb KiB"
fi
status=0
kill -TERM "$server"
wait "$server" || status=$?
expect_eq 'status of the server' 0 "$status"
