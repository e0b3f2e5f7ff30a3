# shellcheck shell=bash
# shellcheck disable=SC2154 # lib.sh comes first
# tests/system/venus/lib.sh - sourced after lib.sh by tests of Venus with Mesa's driver: a server of
# the lavapipe that tools/setup unpacked, and programs run on it natively or through the server.
#
#   serve [option of gpu serve...]    its events go to $scratch/serve.jsonl
#   native PROGRAM...                 venus PROGRAM...
#   served_end                        ends it and expects that to be in order

if [ -n "${VITRINE_CACHE_DIR:-}" ]; then
    mesa=$VITRINE_CACHE_DIR/mesa/run
elif [ "$(id -u)" = 0 ]; then
    mesa=/var/cache/vitrine/mesa/run
else
    mesa=${XDG_CACHE_HOME:-$HOME/.cache}/vitrine/mesa/run
fi
[ -x "$mesa" ] || skip 'no Mesa of our own: tools/setup mesa'
# Nothing of this machine's user may change what is drawn, and no cache is shared between the two.
export MESA_SHADER_CACHE_DISABLE=true HOME=$scratch
unset DISPLAY WAYLAND_DISPLAY VK_DRIVER_FILES VK_ICD_FILENAMES VN_DEBUG VN_PERF VK_INSTANCE_LAYERS

server=
socket=$scratch/gpu.sock

native() { "$mesa" native "$@"; }
venus() { VTEST_SOCKET_NAME=$socket "$mesa" venus "$@"; }

# serve [option...]: returns when clients may come.
serve() {
    : >"$scratch/serve.jsonl"
    "$mesa" native "$VITRINE" gpu serve --vtest "$socket" --json "$@" >"$scratch/serve.jsonl" 2>"$scratch/serve.err" &
    server=$!
    wait_until 'a server of Venus' grep -q '"event":"listening"' "$scratch/serve.jsonl"
}

# events FILTER: what jq makes of all the server said.
events() { jq -rs "$1" "$scratch/serve.jsonl"; }

# await_events CONDITION: until it is true of the array of all events.
await_events() {
    wait_until "server: $1" jq -es "$1" "$scratch/serve.jsonl"
}

served_end() {
    local status=0
    kill "$server"
    wait "$server" || status=$?
    server=
    expect_eq "the server's status" 0 "$status"
    expect_eq 'what the server complained about' '' "$(cat "$scratch/serve.err")"
    [ ! -e "$socket" ] || fail "$socket outlived its server"
}

venus_finish() {
    local status=$?
    set +e
    if [ -n "$server" ]; then
        kill -9 "$server" 2>/dev/null
        wait "$server" 2>/dev/null
        rm -f "$VITRINE_RUNTIME_DIR/gpu-$server.sock"
    fi
    if [ $status -ne 0 ] && [ $status -ne 77 ]; then
        tail -n 20 "$scratch/serve.err" "$scratch/serve.jsonl" 2>/dev/null | cut -c 1-2000 >&2
    fi
    (exit $status)
    finish
}
trap venus_finish EXIT
