#!/usr/bin/env bash
# tests/system/gpu_log.sh - the driver's log in a guest's RAM: followed while the guest runs, read
# after it crashed and from saved RAM; it says what the guest itself said on its serial port.
. "$(dirname "$0")/lib.sh"

# commands of a jsonl file, a line each: sequence, request, response
commands() {
    python3 -c '
import json, sys
for line in sys.stdin:
    e = json.loads(line)
    if e["kind"] == "command":
        print(e["sequence"], e["request"]["name"], e.get("response", {}).get("name", "none"))'
}

# the same of what the guest said on its serial port
said() {
    python3 -c '
import json, sys
asked = {}
for line in open(sys.argv[1], errors="replace"):
    if line.startswith("{\"event\": \"log\""):
        word = json.loads(line)["text"].split()
        if word[1] == ">":
            asked[word[2]] = word[3]
        if word[1] == "<":
            print(word[2], asked[word[2]], word[3])' "$1"
}

kinds() { python3 -c 'import json, sys; [print(json.loads(l)["kind"]) for l in sys.stdin]' | sort | uniq -c | xargs; }

# Alive: followed from before there is a log to the end of the VM.
start_vm live --guest gpu-card --machine microvm --gpu virtio --memory 64M --append \
    'set log serial; wait 300; card 640x480 first; animate 30 60; raw SET_SCANOUT scanout_id=9; say finished; stay'
vitrine gpu log "$vm" --follow --json --record "$scratch/live.vgpu" --show >"$scratch/followed" &
follower=$!
wait_console finished
vitrine gpu log "$vm" --json >"$scratch/read"
vitrine dump "$vm" "$scratch/raw" --format lime >/dev/null
vitrine gpu log "$scratch/raw" --json >"$scratch/saved"
said "$VITRINE_RUNTIME_DIR/$vm/console.log" >"$scratch/said"
vitrine kill "$vm"
wait "$follower" || fail "following ended with status $?"
n=$(wc -l <"$scratch/said")
[ "$n" -gt 90 ] || fail "the guest said only $n commands"
for where in followed read saved; do
    commands <"$scratch/$where" | diff -u "$scratch/said" - >&2 || fail "$where: not what the guest said"
done
cmp "$scratch/read" "$scratch/saved"
expect_match 'the last command' 'SET_SCANOUT ERR_INVALID_SCANOUT_ID$' "$(tail -n 1 "$scratch/said")"
vitrine gpu export "$scratch/live.vgpu" --json | cmp "$scratch/followed" - || fail 'the recording is another'
note "$n commands, followed, read and saved"

# Crashed: with a command on its way.
start_vm crashed --guest gpu-card --gpu virtio --memory 64M --append \
    'card 320x200 last; set wait no; create 7 64x64; crash undefined'
wait_console '"event": "trap"'
vitrine gpu log "$vm" >"$scratch/crashed"
expect_match 'the flush before' 'RESOURCE_FLUSH .* -> OK_NODATA' "$(cat "$scratch/crashed")"
expect_match 'the command on its way' 'RESOURCE_CREATE_2D resource 7 .* -> no response' "$(tail -n 1 "$scratch/crashed")"
vitrine kill "$vm"

# Reset: the log begins anew, and so does the machine.
start_vm again --guest gpu-card --machine microvm --gpu virtio --memory 64M --append 'card 320x200; say finished; stay'
wait_console finished
vitrine gpu log "$vm" --follow --json >"$scratch/again" &
follower=$!
once=$(vitrine gpu log "$vm" --json | commands | wc -l)
once_read() { [ "$(commands <"$scratch/again" | wc -l)" = "$once" ]; }
wait_until 'the first life is read' once_read
vitrine reset "$vm"
twice() { [ "$(commands <"$scratch/again" | wc -l)" = $((2 * once)) ]; }
wait_until 'the second life is read' twice
vitrine kill "$vm"
wait "$follower" || fail "following ended with status $?"
expect_match 'one reset' '1 reset$' "$(kinds <"$scratch/again")"

truncate -s 1M "$scratch/empty"
expect_error 3 'no log of a virtio-gpu driver' vitrine gpu log "$scratch/empty"
expect_error 3 'no log at 0x1000' vitrine gpu log "$scratch/raw" --at 0x1000
