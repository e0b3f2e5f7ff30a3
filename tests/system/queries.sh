#!/usr/bin/env bash
# tests/system/queries.sh - every example of docs/queries.md, run against a real VM and a server.
#
#   ```sh example        a block that is run as it stands, for a VM called demo and a server on
#   ```text              port 8487; and what it prints: each line has to come, in this order.
#                        Numbers, sizes and addresses stand for any of their kind, … for anything.
#
#   queries.sh --show    prints what each example printed instead of comparing it
. "$(dirname "$0")/lib.sh"

doc=$tools/../docs/queries.md
[ "${1:-}" = --show ] && show=1 || show=

cat >"$scratch/examples.py" <<'PYTHON'
import re, subprocess, sys

doc, vm, port, show = sys.argv[1:5]
text = open(doc, encoding="utf-8").read()
blocks = [(m[1], m[2], text[:m.start()].count("\n") + 2)
          for m in re.finditer(r"^```([^\n]*)\n(.*?)^```$", text, re.M | re.S)]

def pattern(line):
    line = re.sub(r"\s+", " ", line.strip())
    out = ""
    for part in re.split(r"(…|0x[0-9a-f]+|\d+(?:\.\d+)? [KMG]?i?B\b|\d+(?:\.\d+)?| )", line):
        if part == "…":
            out += ".*"
        elif part.startswith("0x"):
            out += "0x[0-9a-f]+"
        elif re.fullmatch(r"\d+(?:\.\d+)? [KMG]?i?B", part):
            out += r"\d+(\.\d+)? [KMG]?i?B"
        elif re.fullmatch(r"\d+(?:\.\d+)?", part):
            out += r"\d+(\.\d+)?"
        elif part == " ":
            out += r"\s+"
        else:
            out += re.escape(part)
    return re.compile(out)

examples = failed = 0
for i, (kind, command, line) in enumerate(blocks):
    if kind != "sh example":
        continue
    examples += 1
    command = re.sub(r"\bdemo\b", vm, command).replace("8487", port)
    run = subprocess.run(["bash", "-euo", "pipefail", "-c", 'vitrine() { "$VITRINE" "$@"; }\n' + command],
                         stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=120)
    got = run.stdout.decode("utf-8", "replace").replace(vm, "demo").replace(port, "8487")
    if show:
        print(f"---- line {line}: {command.strip()}\n{got}")
        continue
    want = blocks[i + 1][1] if i + 1 < len(blocks) and blocks[i + 1][0] == "text" else ""
    lines, at, wrong = got.splitlines(), 0, []
    if run.returncode != 0:
        wrong.append(f"ended with {run.returncode}")
    if want.strip() == "":
        wrong.append("the document says nothing of what it prints")
    for expected in filter(str.strip, want.splitlines()):
        found = next((n for n in range(at, len(lines)) if pattern(expected).search(lines[n])), None)
        if found is None:
            wrong.append(f"no such line: {expected}")
            break
        at = found + 1
    if wrong:
        failed += 1
        print(f"{doc}:{line}: {wrong}\n{command}prints\n{got}", file=sys.stderr)
print(f"{examples} examples, {failed} failed")
sys.exit(failed > 0 or examples < 20)
PYTHON

start_vm demo --memory 192M
wait_services

# Something to be found in the history: a process that came and went, sampled while nothing else does.
sample() { vitrine sample "$vm" --count 1 --json >>"$scratch/events"; }
sample
guest_exec 'sleep 1000 </dev/null >/dev/null 2>&1 & echo $! >/run/sleep.pid
    until grep -q "(sleep) S" /proc/$!/stat; do usleep 10000; done'
sample
guest_exec 'pid=$(cat /run/sleep.pid); kill $pid; while [ -d /proc/$pid ]; do usleep 10000; done'
sample
grep -q '"exited".*"sleep"' "$scratch/events" || fail "no sleep ended: $(cat "$scratch/events")"

"$VITRINE" serve "$vm" --listen 127.0.0.1:0 --socket "$scratch/serve.sock" --json >"$scratch/serve.out" 2>"$scratch/serve.err" &
server=$!
wait_until 'the server listens' test -s "$scratch/serve.out"
port=$(json 'd["urls"][0].rsplit(":", 1)[1].strip("/")' <"$scratch/serve.out")

python3 "$scratch/examples.py" "$doc" "$vm" "$port" "$show"
kill -TERM $server
wait $server || fail "the server ended with $?: $(cat "$scratch/serve.err")"
