#!/usr/bin/env bash
# tests/system/sql.sh - SQL over a guest: every noun's table holds what its verb shows, stored and
# live tables join, a sample is taken only when one is needed, and nothing a statement says or a
# guest writes does harm.
. "$(dirname "$0")/lib.sh"

mutate_nouns=$VITRINE_BUILD/tests/system/mutate-nouns
start_vm a --memory 256M --cpus 2
wait_console 'shell ready'
db=$VITRINE_DATA_DIR/$vm.db

sql() { vitrine sql "$vm" "$@"; }
# one VALUE: of the only row's only column.
one() { sql "$1" --json "${@:2}" | json 'list(d[0].values())[0]'; }

# ---- samples -----------------------------------------------------------------------------------

[ "$(one 'SELECT count(*) FROM live.ps')" -gt 10 ] || fail 'few processes'
[ ! -e "$db" ] || fail 'a statement over live tables took a sample'
expect_error 1 'no such table: processes' vitrine sql "$vm" 'SELECT * FROM processes' --no-sample
[ ! -e "$db" ] || fail '--no-sample took one'
[ "$(one 'SELECT count(*) FROM processes')" -gt 10 ] || fail 'few stored processes'
expect_eq 'the first sample' 1 "$(one 'SELECT number FROM sample' --no-sample)"
expect_eq 'the second sample' 2 "$(one 'SELECT number FROM sample')"
expect_eq 'a sample although only live tables are read' 2 \
    "$(one 'SELECT count(*) FROM ps' >/dev/null; one 'SELECT number FROM sample' --no-sample)"
expect_eq 'a sample although somebody samples' 2 \
    "$(flock "$db.lock" "$VITRINE" sql "$vm" 'SELECT number FROM sample' --json | json 'd[0]["number"]')"
expect_eq 'joined with the right one of USING alone' 3 \
    "$(one 'SELECT max(number) FROM (SELECT 0 AS id), (SELECT count(*) FROM ps JOIN processes USING (pid)), sample')"

# Not our own reader says the same.
sqlite3 -readonly -csv -header "$db" 'SELECT pid, name, kernel FROM processes ORDER BY id' >"$scratch/theirs"
sql 'SELECT pid, name, kernel FROM processes ORDER BY id' --csv --no-sample >"$scratch/ours"
python3 -c 'import csv, sys
a, b = (list(csv.reader(open(f, newline=""))) for f in sys.argv[1:])
sys.exit(a != b or len(a) < 10)' "$scratch/theirs" "$scratch/ours" || fail 'sqlite3 reads something else'

# ---- what happens in the guest -------------------------------------------------------------------

# Its arguments hold what terminals, CSV and JSON take apart.
guest_exec "sh -c 'sleep 7777; true' \"\$(printf 'odd\\033[2J\\377\",\\n;')\" >/dev/null 2>&1 & true"
odd="SELECT p.pid, s.pid AS child, p.args FROM processes p JOIN live.ps s ON s.ppid = p.pid
     WHERE s.args = 'sleep 7777'"
wait_until 'the new process is there' sh -c "'$VITRINE' sql '$vm' \"$odd\" --json | grep -q child"
expect_eq 'args as JSON' $'sh -c sleep 7777; true odd\x1b[2J\xef\xbf\xbd",\n;' \
    "$(sql "$odd" --json | json 'd[0]["args"]')"
expect_eq 'args as CSV' 'sh -c sleep 7777; true odd\x1b[2J\xff",\x0a;' \
    "$(sql "$odd" --csv | python3 -c 'import csv, sys; print(list(csv.DictReader(sys.stdin))[0]["args"])')"
expect_match 'args in a table' 'odd\\x1b\[2J\\xff",\\x0a;$' "$(sql "$odd")"
! sql "$odd" | LC_ALL=C grep -q $'[\x01-\x09\x0b-\x1f\x7f]' || fail 'a control character reached the terminal'
pid=$(sql "$odd" --json | json 'd[0]["pid"]')
expect_eq 'an address that compares' "$pid" \
    "$(one "SELECT pid FROM processes WHERE task = $(one "SELECT address(at) FROM live.ps WHERE pid = $pid")")"
expect_eq 'it started' 1 "$(one "SELECT count(*) FROM events WHERE kind = 'started' AND pid = $pid")"
guest_exec "kill $(sql "$odd" --json | json 'd[0]["child"]')"
wait_until 'it exited' sh -c "'$VITRINE' sql '$vm' \"SELECT 'so' FROM events WHERE kind = 'exited' AND pid = $pid\" | grep -q so"
expect_eq 'its history' 1 "$(one "SELECT count(*) FROM processes_history WHERE pid = $pid AND last_seen > first_seen")"

# ---- every noun ----------------------------------------------------------------------------------

vitrine pause "$vm"
cp --sparse=always "/dev/shm/qemu_ram_$vm" "$scratch/saved.ram"
vitrine resume "$vm"
cat >"$scratch/compare" <<'PYTHON'
import json, math, sys

def same(a, b):
    if isinstance(a, float) or isinstance(b, float):
        return a is not None and b is not None and math.isclose(a, b, rel_tol=1e-5)
    return a == b

noun, verb, table = sys.argv[1], json.load(open(sys.argv[2])), json.load(open(sys.argv[3]))
rows = next(v for v in verb.values() if isinstance(v, list))
if len(rows) != len(table):
    sys.exit(f"{noun}: {len(rows)} rows of the verb, {len(table)} of the table")
for a, b in zip(rows, table):
    for key in a.keys() | b.keys():
        if key not in a or key not in b or not same(a[key], b[key]):
            sys.exit(f"{noun}: {key}: {a.get(key, 'none')!r} of the verb, {b.get(key, 'none')!r} of the table")
PYTHON
nouns=$("$mutate_nouns" --names)
for noun in $nouns; do
    vitrine "$noun" "$scratch/saved.ram" --json >"$scratch/verb"
    vitrine sql "$scratch/saved.ram" "SELECT * FROM live.$noun" --json >"$scratch/table"
    python3 "$scratch/compare" "$noun" "$scratch/verb" "$scratch/table" || fail "$noun"
    lines=$(vitrine sql "$scratch/saved.ram" "SELECT * FROM live.$noun" | wc -l)
    expect_eq "$noun: lines" "$(json 'len(d) + 1' <"$scratch/table")" "$lines"
done
note "$(wc -w <<<"$nouns") nouns agree"

# A noun of processes, asked for one of them: by its verb, by the filter, and without it.
for noun in maps files threads env creds sockets; do
    vitrine "$noun" "$scratch/saved.ram" --pid 1 --json >"$scratch/verb"
    vitrine sql "$scratch/saved.ram" "SELECT * FROM live.$noun(1)" --json >"$scratch/table"
    python3 "$scratch/compare" "$noun --pid 1" "$scratch/verb" "$scratch/table" || fail "$noun --pid 1"
    expect_eq "$noun: filtered" \
        "$(vitrine sql "$scratch/saved.ram" "SELECT * FROM live.$noun WHERE +pid = 1" --json)" \
        "$(vitrine sql "$scratch/saved.ram" "SELECT * FROM live.$noun WHERE pid = 1" --json)"
done

# Saved RAM has a database, too, which leaves nothing behind.
expect_eq 'stored processes of saved RAM' \
    "$(vitrine sql "$scratch/saved.ram" 'SELECT pid, comm AS name, at AS task FROM live.ps ORDER BY pid' --json)" \
    "$(vitrine sql "$scratch/saved.ram" 'SELECT pid, name, task FROM processes ORDER BY pid' --json)"
expect_eq 'files of it' '' "$(find "$VITRINE_DATA_DIR" -name '*saved*')"

# ---- refusals ------------------------------------------------------------------------------------

before=$(sqlite3 -readonly "$db" 'SELECT count(*) FROM processes_history')
expect_error 1 'may only read' vitrine sql "$vm" 'DELETE FROM processes_history'
expect_error 1 'may only read' vitrine sql "$vm" "ATTACH '$scratch/x.db' AS x"
expect_error 1 'one statement' vitrine sql "$vm" 'SELECT 1; DROP TABLE processes_history'
expect_error 1 'no such table: procesess; there is processes' vitrine sql "$vm" 'SELECT * FROM procesess'
expect_error 124 'too long' vitrine sql "$vm" --timeout 200ms \
    'WITH RECURSIVE c(x) AS (VALUES(1) UNION ALL SELECT x + 1 FROM c) SELECT count(*) FROM c'
expect_error 2 'a statement is needed' vitrine sql "$vm"
expect_error 2 'one of them' vitrine sql "$vm" 'SELECT 1' --json --csv
expect_error 3 "no table 'nowhere'" vitrine sql "$vm" --schema nowhere
expect_error 3 'no VM' vitrine sql "$vm-not" 'SELECT 1'
[ ! -e "$scratch/x.db" ] || fail 'ATTACH made a file'
[ "$(sqlite3 -readonly "$db" 'SELECT count(*) FROM processes_history')" -ge "$before" ] || fail 'rows are gone'

# ---- ways in, and what can be asked ------------------------------------------------------------------

echo "SELECT 'from a file'" >"$scratch/statement.sql"
expect_eq 'from a file' 'from a file' "$(sql --file "$scratch/statement.sql" | tail -n 1)"
expect_eq 'from standard input' 'from a pipe' "$(echo "SELECT 'from a pipe';" | sql - | tail -n 1)"
for noun in $nouns; do
    grep -q "^live\.$noun " <<<"$(sql --tables)" || fail "--tables does not have live.$noun"
done
expect_eq 'columns without an explanation' '[]' "$(sql --schema --json |
    json '[(c["table"], c["column"]) for c in d if not c["doc"] and c["table"].startswith("live.")]')"
