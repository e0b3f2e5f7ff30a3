#!/usr/bin/env bash
# tests/system/serve.sh - `vitrine serve` in front of a real VM: who may ask, what is refused, events,
# an orderly end and one that is not.
. "$(dirname "$0")/lib.sh"
peer=$(realpath "$(dirname "$0")/serve_peer.py")
server=

# serve [option...]: a server of its own; $url, $port, $socket, $token.
serve() {
    : >"$scratch/where"
    "$VITRINE" serve --listen 127.0.0.1:0 --json "$@" >"$scratch/where" 2>"$scratch/serve.log" &
    server=$!
    wait_until 'the server says where it listens' test -s "$scratch/where"
    url=$(json 'd["urls"][0]' <"$scratch/where")
    port=${url##*:}
    socket=$(json 'd["socket"]' <"$scratch/where")
    token=$(cat "$(json 'd["token_file"]' <"$scratch/where")")
}

# end_server STATUS [SIGNAL]
end_server() {
    local status=0
    kill -"${2:-TERM}" "$server"
    wait "$server" || status=$?
    expect_eq "status of the server: $(cat "$scratch/serve.log")" "$1" "$status"
}

# status_of [option of curl...]: of the answer; its body goes to $scratch/body.
status_of() { curl -s --max-time 60 -o "$scratch/body" -w '%{http_code}' "$@"; }

start_vm a --memory 128M
wait_services
serve "$vm" --drain "${patience}s" # a machine that is slow answers late
api=$url/api/v1/vms/$vm
expect_eq 'modes of socket and token' '600 600' \
    "$(stat -c %a "$socket") $(stat -c %a "$(json 'd["token_file"]' <"$scratch/where")")"

# ---- what is there

expect_eq 'health' ok "$(curl -s "$url/healthz" | json 'd["status"]')"
expect_eq 'VMs' "$vm" "$(curl -s "$url/api/v1/vms" | json 'd["vms"][0]["name"]')"
sampled() { [ "$(curl -s "$api/processes?pid=1" | json 'd["processes"][0]["name"]')" = init ]; }
wait_until 'init is in the database' sampled
guest=$(guest_exec 'cat /run/dropbear.pid')
expect_eq 'the pid of dropbear in the guest and here' "$guest" \
    "$(curl -s "$api/processes?name=dropbear" | json 'd["processes"][0]["pid"]')"
expect_eq 'openapi' 3.1.0 "$(curl -s "$url/api/openapi.json" | json 'd["openapi"]')"
curl -s "$url/metrics" | /usr/bin/python3 -c '
import sys
from prometheus_client.openmetrics.parser import text_string_to_metric_families
names = {f.name for f in text_string_to_metric_families(sys.stdin.read())}
wanted = {"vitrine_vm_state", "vitrine_samples", "vitrine_sample_seconds", "vitrine_http_requests",
          "vitrine_http_request_seconds", "vitrine_http_refused", "process_open_fds"}
sys.exit(f"not there: {wanted - names}" if wanted - names else 0)' || fail 'metrics'
for path in /healthz /metrics /api/openapi.json /api/v1/vms /nowhere; do
    headers=$(curl -sI "$url$path" | tr -d '\r')
    for header in 'X-Content-Type-Options: nosniff' 'Content-Security-Policy: default-src .none.' \
        'Cache-Control: no-store' 'Referrer-Policy: no-referrer' \
        'Cross-Origin-Resource-Policy: same-origin' 'Content-Length: [1-9]'; do
        expect_match "headers of $path" "$header" "$headers"
    done
done

# ---- the browser's files

web=$(realpath "$(dirname "$0")/../../web")
curl -s "$url/" | cmp - "$web/index.html" || fail 'the page'
while IFS= read -r file; do
    curl -s "$url/web/$file" | cmp - "$web/$file" || fail "web/$file"
done < <(cd "$web" && find . -type f -not -path '*/.*' -not -name '*~' -printf '%P\n')
expect_match 'the page has a policy' "Content-Security-Policy: default-src 'none'; script-src 'self';" \
    "$(curl -sI "$url/")"
tag=$(curl -sI "$url/web/index.html" | tr -d '\r' | sed -n 's/^ETag: //p')
expect_eq 'the page is there already' 304 "$(status_of -H "If-None-Match: $tag" "$url/")"
expect_eq 'another one is' 200 "$(status_of -H 'If-None-Match: "0"' "$url/")"
expect_eq 'nothing is written there' 405 "$(status_of -X PUT -d '' "$url/web/index.html")"
for path in /web /web/ /web/volume /web/volume/ /web/nothing.js /web//index.html /web/../meson.build /web/%2e%2e/meson.build \
    /web/..%2fmeson.build /web/.hidden.js /web//etc/passwd; do
    expect_eq "nothing at $path" 404 "$(status_of --path-as-is "$url$path")"
done

etag() { curl -sI "$api/modules" | tr -d '\r' | sed -n 's/^ETag: //p'; }
tag=$(etag)
expect_match 'an entity tag' '^"[0-9a-f]+-[0-9a-f]+"$' "$tag"
same_until_the_next_sample() { tag=$(etag) && [ "$(status_of -H "If-None-Match: $tag" "$api/modules")" = 304 ]; }
wait_until 'not modified' same_until_the_next_sample
another() { [ "$(etag)" != "$tag" ]; }
wait_until 'another tag after the next sample' another

# ---- who may ask

expect_eq 'reading on loopback' 200 "$(status_of "$api/processes")"
expect_eq 'changing without a token' 401 "$(status_of -X POST "$api/pause")"
expect_match 'what is missing' '"code":"token_needed"' "$(cat "$scratch/body")"
expect_eq 'with a wrong one' 401 "$(status_of -X POST -H 'Authorization: Bearer nonsense' "$api/pause")"
expect_eq 'a wrong one, to read' 401 "$(status_of -H 'Authorization: Bearer nonsense' "$api/processes")"
expect_eq 'state' running "$(vm_state)"
expect_eq 'with the token' 200 "$(status_of -X POST -H "Authorization: Bearer $token" "$api/pause")"
expect_eq 'state' paused "$(vm_state)"
expect_eq 'by the Unix socket' 200 \
    "$(status_of --unix-socket "$socket" -X POST "http://localhost/api/v1/vms/$vm/resume")"
expect_eq 'state' running "$(vm_state)"
expect_eq 'a foreign origin' 403 "$(status_of -H 'Origin: http://evil.example' "$api/processes")"
expect_eq 'a foreign origin with the token' 403 \
    "$(status_of -X POST -H 'Origin: http://evil.example' -H "Authorization: Bearer $token" "$api/pause")"
expect_eq 'a foreign host' 421 "$(status_of -H 'Host: evil.example' "$api/processes")"
expect_eq 'our own page' 200 "$(status_of -H "Origin: $url" "$api/processes")"
expect_eq 'no preflight passes' 403 "$(status_of -X OPTIONS -H 'Origin: http://evil.example' \
    -H 'Access-Control-Request-Method: POST' "$api/pause")"
expect_eq 'another type' 415 "$(status_of -X POST -H 'Content-Type: text/plain' -d '{"query":"SELECT 1"}' "$api/sql")"
expect_eq 'sql' 200 "$(status_of -H 'Content-Type: application/json' -d '{"query":"SELECT 1"}' "$api/sql")"
expect_eq 'sql that writes' 403 \
    "$(status_of -H 'Content-Type: application/json' -d '{"query":"DELETE FROM processes_history"}' "$api/sql")"
expect_eq 'mcp' 200 "$(status_of -H 'Content-Type: application/json' -H 'Accept: application/json, text/event-stream' \
    -d '{"jsonrpc":"2.0","id":1,"method":"ping"}' "$url/mcp")"

# ---- rude ones

fds() { curl -s "$url/metrics" | sed -n 's/^process_open_fds //p'; }
# Several at once, so that the server keeps as many opened VMs as it ever does.
crowd=()
for _ in {1..8}; do
    curl -s --max-time 60 -o /dev/null -H 'Content-Type: application/json' -d "$(
        printf '{"query":"WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 300000) '
        printf 'SELECT max(i) AS top FROM n"}'
    )" "$api/sql" &
    crowd+=($!)
done
wait "${crowd[@]}" || fail 'not everybody was served'
before=$(fds)
python3 "$peer" "$port" "$vm" || fail 'a peer'
as_before() { [ "$(fds)" -le "$((before + 4))" ]; }
wait_until 'descriptors are given back' as_before

# ---- events

# A pipe that stays open keeps the listener until we close it.
coproc listener { python3 "$peer" --events "$port" "$vm"; }
exec 3<&"${listener[0]}"
# shellcheck disable=SC2154 # coproc sets it
pid_of_listener=$listener_PID
heard() { # REGEX: a line of the listener's; what came before is skipped
    local line deadline=$((SECONDS + patience))
    while [ $SECONDS -lt $deadline ] && IFS= read -r -t "$patience" -u 3 line; do
        [[ "$line" =~ $1 ]] && return 0
    done
    fail "no message like $1"
}
heard '"type":"(hello|state)".*"state":"running"'
guest_exec 'sleep 1000 & echo $! >/run/sleep.pid'
# A sample may find it as the shell that is about to be sleep.
heard '"kind":"(started|renamed)".*"name":"sleep"'
heard '"type":"sample"'
guest_exec 'kill $(cat /run/sleep.pid)'
heard '"kind":"exited".*"name":"sleep"'
vitrine pause "$vm"
heard '"type":"state".*"state":"paused"'
vitrine resume "$vm"
heard '"type":"state".*"state":"running"'

# ---- a second one, and an orderly end with a request on its way

expect_error 1 'serve.sock: a server listens there already' "$VITRINE" serve "$vm" --listen none
expect_error 1 "$vm" "$VITRINE" serve "$vm" --listen none --socket "$scratch/other.sock"
# a_request_runs ROWS: a statement that counts to $rows, seen running; $request is its curl. One that was over
# before anybody looked is asked again with more rows.
a_request_runs() {
    rows=$1
    running() { curl -s "$url/metrics" | grep -xF 'vitrine_jobs{state="running"} 1'; }
    ended() { ! kill -0 "$request" 2>/dev/null; }
    running_or_ended() { running || ended; }
    while :; do
        curl -s --max-time 60 -o "$scratch/slow" -w '%{http_code}\n' -H 'Content-Type: application/json' -d "$(
            printf '{"query":"WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < %s) ' "$rows"
            printf 'SELECT max(i) AS top FROM n"}'
        )" "$url/api/v1/vms/$vm/sql" >"$scratch/slow.status" &
        request=$!
        wait_until 'the request runs' running_or_ended
        ended || return 0
        rows=$((rows * 2))
    done
}
a_request_runs 1500000
end_server 0
wait "$request" || fail "curl ended with $?"
expect_eq 'the request was answered' 200 "$(cat "$scratch/slow.status")"
expect_eq 'whole' "$rows" "$(json 'd["rows"][0]["top"]' <"$scratch/slow")"
heard '^close 1001$'
wait "$pid_of_listener" || true
exec 3<&-
[ ! -e "$socket" ] || fail 'the socket is still there'
[ -z "$(find "$VITRINE_RUNTIME_DIR" -name '*.token')" ] || fail 'the token is still there'

# ---- time is up

serve "$vm" --drain 100ms
a_request_runs 100000000000
end_server 0
wait "$request" || true # it is answered 503 or cut off: the server did not wait for it

# ---- killed

serve "$vm" --token-always
expect_eq 'reading without the token' 401 "$(status_of "$url/api/v1/vms")"
expect_eq 'reading with it' 200 "$(status_of -H "Authorization: Bearer $token" "$url/api/v1/vms")"
expect_eq 'health without it' 200 "$(status_of "$url/healthz")"
expect_eq 'the page without it' 200 "$(status_of "$url/")"
expect_eq 'the page of another host' 421 "$(status_of -H 'Host: evil.example' "$url/")"
writes() { curl -s --unix-socket "$socket" http://localhost/metrics | grep -E "^vitrine_samples_total{vm=\"$vm\"} ([2-9]|[1-9][0-9])"; }
wait_until 'it has taken samples' writes
end_server 137 KILL
expect_eq 'the database' ok "$(sqlite3 "$VITRINE_DATA_DIR/$vm.db" 'PRAGMA integrity_check')"
[ -S "$socket" ] || fail 'no stale socket is left to be replaced'
serve "$vm"
expect_eq 'after the restart' 200 "$(status_of "$url/api/v1/vms/$vm/processes")"
end_server 0

# ---- handed over sockets, and a supervisor that listens

python3 - "$VITRINE" "$vm" "$scratch/notify" <<'PY' || fail 'socket activation'
import json, os, signal, socket, subprocess, sys, urllib.request
program, vm, where = sys.argv[1:]
notify = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
notify.bind(where)
notify.settimeout(120)
listener = socket.create_server(("127.0.0.1", 0))
def child():
    os.dup2(listener.fileno(), 3)
    os.environ.update(LISTEN_FDS="1", NOTIFY_SOCKET=where, WATCHDOG_USEC="200000")
with open(where + ".token", "w", opener=lambda p, f: os.open(p, f, 0o600)) as token:
    token.write("0123456789abcdef0123456789abcdef\n")
# LISTEN_PID is the program's own: a shell that execs it knows that.
run = subprocess.Popen(["sh", "-c", 'LISTEN_PID=$$ exec "$@"', "sh", program, "serve", vm, "--json",
                        "--token-file", where + ".token"],
                       stdout=subprocess.PIPE, preexec_fn=child, close_fds=False)
said = json.loads(run.stdout.readline())
port = listener.getsockname()[1]
assert said["urls"] == [f"http://127.0.0.1:{port}"], said
got = {notify.recv(100).decode() for _ in range(3)}
assert got == {"READY=1", "WATCHDOG=1"}, got
assert urllib.request.urlopen(f"http://127.0.0.1:{port}/healthz").status == 200
run.send_signal(signal.SIGINT)
while (state := notify.recv(100).decode()) != "STOPPING=1":
    assert state == "WATCHDOG=1", state
assert run.wait(120) == 0, run.returncode
PY
rm -f "$scratch"/notify*

# ---- from a folder, and for those at a terminal

mkdir "$scratch/web"
echo one >"$scratch/web/index.html"
serve "$vm" --web "$scratch/web"
expect_eq 'a file of the folder' one "$(curl -s "$url/")"
echo two >"$scratch/web/index.html"
expect_eq 'as it is now' two "$(curl -s "$url/")"
ln -s /etc/hostname "$scratch/web/hostname.js"
expect_eq 'nothing outside of it' 404 "$(status_of "$url/web/hostname.js")"
grep -q "$token" "$scratch/where" "$scratch/serve.log" && fail 'the token is in the log'
end_server 0
expect_error 3 'nowhere: No such file' "$VITRINE" serve "$vm" --listen none --web "$scratch/nowhere"
SHELL=/bin/sh script -qfec "exec '$VITRINE' serve '$vm' --listen 127.0.0.1:0" "$scratch/terminal" >"$scratch/out" &
server=$!
wait_until 'the link is printed' grep -q '^open ' "$scratch/terminal"
link=$(tr -d '\r' <"$scratch/terminal" | sed -n 's/^open //p')
expect_match 'the link' '^http://127.0.0.1:[0-9]+/#token=[0-9a-f]{64}$' "$link"
expect_eq 'what is at the link may change a VM' 200 \
    "$(status_of -X POST -H "Authorization: Bearer ${link##*=}" "${link%/#*}/api/v1/vms/$vm/pause")"
vitrine resume "$vm"
kill "$(pgrep -P "$server")"
wait "$server" || fail "status of the server at a terminal: $?"

expect_error 1 'the address is a number' "$VITRINE" serve "$vm" --listen localhost:80
expect_error 1 'token-file is needed' "$VITRINE" serve "$vm" --listen 127.0.0.1:0 --socket none
