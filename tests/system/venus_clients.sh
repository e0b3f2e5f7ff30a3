#!/usr/bin/env bash
# tests/system/venus_clients.sh - clients of all kinds at one server, of threads and of processes in
# sandboxes: hostile ones, one that is killed while it draws, several at once; nobody harms another.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/venus/lib.sh"

peer=$(dirname "$0")/venus/peer.py
compute=$VITRINE_BUILD/tests/system/vulkan/vk-compute
draw=$VITRINE_BUILD/tests/system/venus-gl-draw
ended='[.[] | select(.event == "ended")]'

# One that holds a context all the time: its shell keeps the other end of its standard input.
hold() {
    mkfifo "$scratch/hold.$1"
    python3 "$peer" "$socket" hold <"$scratch/hold.$1" >"$scratch/held.$1" &
    holder=$!
    exec {hold_fd}>"$scratch/hold.$1"
    wait_until 'a client that stays' grep -q holding "$scratch/held.$1"
}

# In the background its pid is the program's.
exec_venus() { exec "$mesa" venus "$@"; }

exercise() { # HOW [option of gpu serve...]
    local how=$1 i pid status=0 pids=()
    shift
    serve "$@"
    expect_error 1 'served already' vitrine gpu serve --vtest "$socket"
    expect_match 'capset' '^wire 1 protocol [23] extensions [1-9][0-9]' "$(python3 "$peer" "$socket" greet)"
    hold "$how"

    expect_eq 'hostile clients' 117 "$(python3 "$peer" "$socket" hostile)"

    # Several at once, each right; one more is killed in the middle of it.
    for i in 1 2 3; do
        venus "$compute" >"$scratch/$how.$i" 2>"$scratch/$how.$i.err" &
        pids+=($!)
    done
    if [ -x "$draw" ]; then
        VTEST_SOCKET_NAME=$socket exec_venus "$draw" 1000000 >"$scratch/$how.killed" 2>/dev/null &
        pid=$!
        wait_until 'a client draws' grep -q 'frame 15' "$scratch/$how.killed"
        kill -9 "$pid"
        wait "$pid" 2>/dev/null || true
    fi
    for pid in "${pids[@]}"; do
        wait "$pid" || status=$?
        expect_eq "a client among others ($how)" 0 "$status"
    done
    cmp "$scratch/$how.1" "$scratch/$how.2" || fail 'clients at the same time got different results'
    cmp "$scratch/$how.1" "$scratch/$how.3" || fail 'clients at the same time got different results'

    # The one that stayed is still there, and the only one.
    await_events '[.[] | select(.event == "begun").id] - [.[] | select(.event == "ended").id] | length == 1'
    expect_eq 'clients left' peer "$(vitrine gpu stat "$socket" --json | json '" ".join(c["name"] for c in d)')"
    exec {hold_fd}>&-
    wait "$holder"
    await_events "$ended | map(select(.name == \"peer\" and .broken == false)) | length >= 2"
}

exercise threads
served_end

exercise processes --sandbox
# A driver that crashes takes its own client along, and nobody else.
hold crash
worker=$(pgrep -P "$server" | tail -n 1)
python3 "$peer" "$socket" greet >/dev/null
kill -SEGV "$worker"
await_events "$ended | map(select(.broken and (.reason | test(\"Segmentation fault\")))) | length == 1"
exec {hold_fd}>&-
wait "$holder" || true
venus "$compute" >"$scratch/after" 2>/dev/null || fail 'nobody is served after a crash'
cmp "$scratch/processes.1" "$scratch/after"

# A socket that nobody serves any more is replaced; anything else is left alone.
kill -9 "$server"
wait "$server" 2>/dev/null || true
rm -f "$VITRINE_RUNTIME_DIR/gpu-$server.sock"
[ -S "$socket" ] || fail 'there is nothing stale to be replaced'
serve
served_end
echo mine >"$socket"
expect_error 1 'no socket' vitrine gpu serve --vtest "$socket"
expect_eq 'a file in the way' mine "$(cat "$socket")"
