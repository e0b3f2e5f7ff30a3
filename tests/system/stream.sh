#!/usr/bin/env bash
# tests/system/stream.sh - a VM's RAM as a stream: what arrives is the RAM, byte by byte; clients that
# are slow, rude or too many; frames drawn by the server; the end of a VM and of the server.
. "$(dirname "$0")/lib.sh"
peer=$(realpath "$(dirname "$0")/stream_peer.py")
server=

# serve [option...]: a server of its own; $port, $token.
serve() {
    : >"$scratch/where"
    "$VITRINE" serve --listen 127.0.0.1:0 --json "$@" >"$scratch/where" 2>"$scratch/serve.log" &
    server=$!
    wait_until 'the server says where it listens' test -s "$scratch/where"
    port=$(json 'd["urls"][0]' <"$scratch/where")
    port=${port##*:}
    token=$(cat "$(json 'd["token_file"]' <"$scratch/where")")
}

end_server() {
    local status=0
    kill -TERM "$server"
    wait "$server" || status=$?
    expect_eq "status of the server: $(cat "$scratch/serve.log")" 0 "$status"
}

# peer VM COMMAND [argument...]
peer() { timeout 300 python3 "$peer" "$port" "$@" || fail "stream_peer.py $*"; }

# Pages that change all the time, without taking all of a CPU.
write_pages='(while true; do head -c 200000 /dev/urandom >/tmp/written; sleep 0.03; done) >/dev/null 2>&1 &'

start_vm a --memory 128M
first=$vm
ram=/dev/shm/qemu_ram_$vm
start_vm b --memory 128M
start_vm c --memory 128M
for each in a b c; do
    wait_console 'shell ready' "$prefix-$each"
done
serve

# ---- what arrives

vitrine pause "$first"
for level in 0 1 2 3 4; do
    peer "$first" equal "$ram" "$level"
done
peer "$first" equal "$ram" 0 30000 # pieces as small as the credit
# Videos are a module of their own, in a build that found libavcodec.
if [ -e "$(dirname "$VITRINE")/plugins/vitrine-video.so" ] && command -v ffmpeg >/dev/null; then
    export VITRINE_TEST_VIDEO=1
fi
peer "$first" frames
vitrine resume "$first"
guest_exec "$write_pages" "$first" >/dev/null
peer "$first" live "$ram"
for each in b c; do
    guest_exec "$write_pages" "$prefix-$each" >/dev/null
done
peer "$first" rates "$prefix-b" "$prefix-c"

# ---- clients

peer "$first" credit
peer "$first" stalled "$server"
peer "$first" nonsense
peer "$first" refused "$token"
curl -s "http://127.0.0.1:$port/metrics" | /usr/bin/python3 -c '
import sys
from prometheus_client.openmetrics.parser import text_string_to_metric_families
names = {f.name for f in text_string_to_metric_families(sys.stdin.read())}
wanted = {"vitrine_streams", "vitrine_stream_clients", "vitrine_stream_stalled", "vitrine_stream_stalls",
          "vitrine_stream_bytes", "vitrine_stream_frames", "vitrine_stream_updates"}
sys.exit(f"not there: {wanted - names}" if wanted - names else 0)' || fail 'metrics'
expect_match 'the log says who looked' '"operation":"volume","detail":"127.0.0.1"' \
    "$(cat "$VITRINE_STATE_DIR/audit.log")"

# ---- ends

# ending VM HOW COMMAND...: a client is there while something ends; $ram_bytes is what it was told.
ending() {
    local name=$1 how=$2 line
    shift 2
    coproc watching { timeout "$patience" python3 "$peer" "$port" "$name" end "$how"; }
    # shellcheck disable=SC2154 # coproc sets it
    local pid=$watching_PID
    read -r -t "$patience" -u "${watching[0]}" line || fail "no stream of $name"
    ram_bytes=${line#ready }
    "$@"
    wait "$pid" || fail "the end of a stream: $how"
}
ending "$prefix-b" 'ended 1000' vitrine kill "$prefix-b"
expect_eq 'bytes of RAM' $((128 << 20)) "$ram_bytes"
start_vm b --memory 160M
ending "$vm" 'ended 1000' vitrine kill "$vm"
expect_eq 'bytes of RAM of the next one of that name' $((160 << 20)) "$ram_bytes"
ending "$first" 1001 end_server

serve --token-always
peer "$first" needs_token "$token"
end_server
VK_ICD_FILENAMES=/nowhere VK_DRIVER_FILES=/nowhere serve
peer "$first" no_gpu
end_server
