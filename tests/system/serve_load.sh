#!/usr/bin/env bash
# tests/system/serve_load.sh - 64 connections ask a database for a minute, while its VM runs and is
# sampled: no error, and neither memory nor descriptors grow. Says how long answers took.
. "$(dirname "$0")/lib.sh"
command -v wrk >/dev/null || skip 'wrk is not installed'
seconds=${LOAD_SECONDS:-60}

start_vm a --memory 256M
wait_console 'shell ready'
"$VITRINE" serve "$vm" --listen 127.0.0.1:0 --json >"$scratch/where" 2>"$scratch/serve.log" &
server=$!
wait_until 'the server says where it listens' test -s "$scratch/where"
url=$(json 'd["urls"][0]' <"$scratch/where")
asked=$url/api/v1/vms/$vm/processes
sampled() { [ "$(curl -s "$asked?pid=1" | json 'd["processes"][0]["name"]')" = init ]; }
wait_until 'init is in the database' sampled

cat >"$scratch/report.lua" <<'LUA'
done = function(summary, latency)
    local e = summary.errors
    io.write(string.format('\n{"requests":%d,"errors":%d,"rps":%.0f,"p50_ms":%.3f,"p99_ms":%.3f,"max_ms":%.3f}\n',
        summary.requests, e.connect + e.read + e.write + e.status + e.timeout,
        summary.requests / (summary.duration / 1e6), latency:percentile(50) / 1e3,
        latency:percentile(99) / 1e3, latency.max / 1e3))
end
LUA
# load SECONDS: its line of JSON.
load() { wrk -t1 -c64 -d"$1s" -s "$scratch/report.lua" "$asked" | tail -n 1; }
# What is the server's own: the guest's RAM that it maps is not.
anonymous_kb() { awk '/^RssAnon/ { print $2 }' "/proc/$server/status"; }
fds() { find "/proc/$server/fd" -mindepth 1 | wc -l; }

load 5 >/dev/null # pools and caches fill
idle() { [ "$(curl -s "$url/metrics" | sed -n 's/^vitrine_http_connections //p')" = 1 ]; }
wait_until 'connections are closed' idle
before_kb=$(anonymous_kb) before_fds=$(fds)
result=$(load "$seconds")
wait_until 'connections are closed' idle
after_kb=$(anonymous_kb) after_fds=$(fds)

note "$result; anonymous memory $before_kb to $after_kb KiB, descriptors $before_fds to $after_fds"
printf '%s\n' "$result"
expect_eq 'errors' 0 "$(json 'd["errors"]' <<<"$result")"
[ "$(json 'd["requests"]' <<<"$result")" -gt 1000 ] || fail 'hardly any requests'
[ "$after_kb" -le $((before_kb + 8192)) ] || fail "memory grew from $before_kb to $after_kb KiB"
[ "$after_fds" -le $((before_fds + 2)) ] || fail "descriptors grew from $before_fds to $after_fds"
expect_eq 'samples that failed' 0 \
    "$(curl -s "$url/metrics" | sed -n "s/^vitrine_sample_failures_total{vm=\"$vm\"} //p")"
status=0
kill -TERM "$server"
wait "$server" || status=$?
expect_eq 'status of the server' 0 "$status"
