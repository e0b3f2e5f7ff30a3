#!/bin/bash
# tests/system/database.sh - the database of a VM: what it holds against the guest's own /proc, what
# happens in the guest as events, its end and what can be asked then, and a second guest under the same
# name.
. "$(dirname "$0")/lib.sh"

command -v sqlite3 >/dev/null || skip 'sqlite3 is not there'

start_vm a --memory 128M
wait_console 'shell ready'
db=$VITRINE_DATA_DIR/$vm.db

sql() { sqlite3 -readonly -batch -cmd '.timeout 60000' "$db" "$1"; }
sample_once() { vitrine sample "$vm" --count 1 --json; }
sound() {
    expect_eq 'PRAGMA integrity_check' ok "$(sql 'PRAGMA integrity_check')"
    expect_eq 'rows are as many as the sample says' 1 "$(sql 'SELECT
        processes = (SELECT count(*) FROM processes) AND threads = (SELECT count(*) FROM threads) AND
        memory_regions = (SELECT count(*) FROM memory_regions) AND modules = (SELECT count(*) FROM modules) AND
        mounts = (SELECT count(*) FROM mounts) AND files = (SELECT count(*) FROM files) AND
        sockets = (SELECT count(*) FROM sockets) FROM sample')"
}
# Events of the last sample, as "KIND NAME" lines.
events() { sql 'SELECT kind, name FROM events WHERE time = (SELECT time FROM sample)' | tr '|' ' '; }
expect_event() { grep -qxF -- "$1" <<<"$2" || fail "no event '$1' in: $2"; }

# ---- the first sample ------------------------------------------------------------------------

# The guest has started what it starts.
wait_until 'its services run' guest_exec 'pidof dropbear && ! grep -qx services /proc/[0-9]*/comm'
# Something that sleeps, so that it has the same memory however often it is looked at.
guest_exec 'sleep 86400 </dev/null >/dev/null 2>&1 & echo $! >/run/sleeper
    until grep -q "(sleep) S" /proc/$!/stat; do usleep 10000; done' >/dev/null
sleeper=$(guest_exec 'cat /run/sleeper')
# Somebody who opens and closes a file when told.
# shellcheck disable=SC2016
guest_exec 'mkfifo /run/fifo; sh -c '\''echo $$ >/run/opener; exec 3<>/run/fifo
    while read -r what <&3; do [ $what = open ] && exec 7</etc/passwd || exec 7<&-; done'\'' >/dev/null 2>&1 &' >/dev/null
wait_until 'somebody listens to us' guest_exec 'ls /proc/$(cat /run/opener)/fd/3'
# uptime: of the guest, whole seconds.
uptime() { guest_exec 'cut -d. -f1 /proc/uptime' | tr -dc 0-9; }
earliest=$(uptime)
expect_eq 'the only event of a first sample' '["booted"]' "$(sample_once | json '[d["kind"]]')"
latest=$(uptime)
expect_eq 'mode of the file' 600 "$(stat -c %a "$db")"
expect_eq 'mode of its directory' 700 "$(stat -c %a "$VITRINE_DATA_DIR")"
sound

# ---- each table against the guest's own /proc ----------------------------------------------

guest_processes() { # but for those that look
    # shellcheck disable=SC2016
    guest_exec 'for p in /proc/[0-9]*; do read -r name <$p/comm && echo "${p#/proc/} $name"; done 2>/dev/null' |
        grep -v -E ' (sh|cat|ash)$' | sort -n
}
# Kernel threads that work are renamed by /proc (kworker/0:1-events); comm has the first part.
short() { sed -E 's/^([0-9]+) (.{1,15}).*$/\1 \2/; s/[-+].*//' | grep -v kworker; }
expect_eq 'processes' "$(guest_processes | short)" \
    "$(sql "SELECT pid || ' ' || name FROM processes WHERE name NOT IN ('sh', 'cat', 'ash') ORDER BY pid" | short)"
expect_eq 'memory of a process' \
    "$(guest_exec "cat /proc/$sleeper/maps" | awk '{ print $1, $2, $6 }')" \
    "$(sql "SELECT printf('%08x-%08x %s %s', start, \"end\", permissions, ifnull(name, '')) FROM memory_regions
        WHERE pid = $sleeper AND kind <> 'kernel_stacks' ORDER BY start" | sed -E 's/^0+([0-9a-f]{8,}-)0+/\1/')"
expect_eq 'resident memory' \
    "$(guest_exec "cat /proc/$sleeper/smaps" | awk '/^Rss:/ { n += $2 } END { print n * 1024 }')" \
    "$(sql "SELECT sum(resident_bytes) FROM memory_regions WHERE pid = $sleeper AND kind NOT IN ('kernel_stacks')")"
expect_eq 'its pages are those of its runs' \
    "$(sql "SELECT sum(resident_bytes) FROM memory_regions WHERE pid = $sleeper")" \
    "$(sql "SELECT sum(bytes) FROM memory_pages WHERE pid = $sleeper")"
namespace=$(guest_exec 'readlink /proc/1/ns/mnt' | tr -dc 0-9)
expect_eq 'mounts' "$(guest_exec 'cat /proc/1/mountinfo' | awk '{ print $1, $3, $5 }' | sort -n)" \
    "$(sql "SELECT mount_id, device, target FROM mounts WHERE namespace = $namespace ORDER BY mount_id" | tr '|' ' ')"
expect_eq 'modules' "$(guest_exec 'cat /proc/modules' | awk '{ print $1, $5 }' | sort)" \
    "$(sql 'SELECT name, state FROM modules ORDER BY name' | tr '|' ' ' | sort)"
expect_eq 'descriptors' "$(guest_exec "ls /proc/$sleeper/fd" | tr -s ' \n' ' ')" \
    "$(sql "SELECT fd FROM files WHERE pid = $sleeper AND typeof(fd) = 'integer' ORDER BY fd" | tr '\n' ' ')"
ports=$(guest_exec 'cat /proc/net/tcp /proc/net/tcp6' | awk '$4 == "0A" { n = split($2, part, ":"); print part[n] }' |
    while read -r port; do echo $((16#$port)); done | sort -un)
expect_eq 'listening ports' "$ports" \
    "$(sql "SELECT DISTINCT local_port FROM sockets WHERE protocol = 'tcp' AND state = 'LISTEN' ORDER BY 1")"
address=$(sql "SELECT printf('%016x', address) FROM symbols WHERE name = 'init_task' AND module IS NULL")
expect_match 'a symbol' "^$address " "$(guest_exec "grep ' init_task$' /proc/kallsyms")"
[ "$(sql "SELECT uptime_s BETWEEN $earliest - 1 AND $latest + 1 FROM sample")" = 1 ] ||
    fail "the uptime is $(sql 'SELECT uptime_s FROM sample'), not from $earliest to $latest"

# ---- what happens is an event ----------------------------------------------------------------

module=$(guest_exec 'find /lib/modules -name "loop.ko*" -o -name "dummy.ko*" | head -n 1')
guest_exec 'sleep 86401 </dev/null >/dev/null 2>&1 & echo $! >/run/other
    until grep -q "(sleep) S" /proc/$!/stat; do usleep 10000; done; mkdir -p /run/here && mount -t tmpfs none /run/here' >/dev/null
guest_exec 'echo open >/run/fifo' >/dev/null
wait_until 'a file is open' guest_exec 'ls /proc/$(cat /run/opener)/fd/7'
guest_exec 'nc -l -p 4321 </dev/null >/dev/null 2>&1 & echo $! >/run/nc' >/dev/null
wait_until 'nc listens' guest_exec 'grep :10E1 /proc/net/tcp /proc/net/tcp6'
[ -z "$module" ] || guest_exec "insmod $module || modprobe $(basename "${module%%.ko*}")" >/dev/null
sample_once >/dev/null
happened=$(events)
expect_event 'started sleep' "$happened"
expect_event 'mounted /run/here' "$happened"
expect_event 'started nc' "$happened"
expect_event 'listening nc' "$happened"
expect_event 'opened sh' "$happened"
if [ -n "$module" ]; then
    name=$(basename "${module%%.ko*}")
    expect_event "loaded $name" "$happened"
    [ "$(sql "SELECT count(*) > 0 FROM symbols WHERE module = '$name'")" = 1 ] || fail "$name has no symbols"
fi
guest_exec 'kill $(cat /run/other) $(cat /run/nc); umount /run/here; echo close >/run/fifo' >/dev/null
wait_until 'the file is closed' guest_exec '! ls /proc/$(cat /run/opener)/fd/7'
[ -z "$module" ] || guest_exec "rmmod $name" >/dev/null
# A process that was killed may still wait for its parent.
wait_until 'the processes are gone' guest_exec '! kill -0 $(cat /run/other) 2>/dev/null && ! kill -0 $(cat /run/nc) 2>/dev/null'
sample_once >/dev/null
happened=$(events)
expect_event 'exited sleep' "$happened"
expect_event 'unmounted /run/here' "$happened"
expect_event 'not_listening nc' "$happened"
expect_event 'closed sh' "$happened"
if [ -n "$module" ]; then
    expect_event "unloaded $name" "$happened"
    expect_eq 'symbols of a module that is gone' 0 "$(sql "SELECT count(*) FROM symbols WHERE module = '$name'")"
fi
expect_eq 'history has it' '1|1' "$(sql "SELECT last_seen IS NOT NULL, last_seen >= first_seen FROM processes_history
    WHERE name = 'nc'")"
expect_eq 'rows that stay keep their first time' 1 \
    "$(sql "SELECT first_seen = (SELECT first_seen FROM boots) FROM processes WHERE pid = $sleeper")"
sound

# ---- one sampler at a time -------------------------------------------------------------------

"$VITRINE" sample "$vm" --interval 100ms --json >"$scratch/events" &
sampler=$!
before=$(sql 'SELECT number FROM sample')
sampled_more() { [ "$(sql 'SELECT number FROM sample')" -gt "$before" ]; }
wait_until 'it samples' sampled_more
expect_error 1 "process $sampler samples it" vitrine sample "$vm" --count 1
guest_exec 'sleep 86402 </dev/null >/dev/null 2>&1 &' >/dev/null
wait_until 'it tells of a process' grep -qE '"kind":"(started|renamed)".*"name":"sleep"' "$scratch/events"
kill -KILL $sampler
wait $sampler 2>/dev/null || true
sound
sample_once >/dev/null

# ---- a reset, and another VM by that name ----------------------------------------------------

"$VITRINE" sample "$vm" --interval 200ms --json >"$scratch/events" 2>/dev/null &
sampler=$!
vitrine reset "$vm" >/dev/null
wait_until 'another boot' grep -q '"kind":"booted"' "$scratch/events"
expect_eq 'boots' 2 "$(sql 'SELECT count(*) FROM boots')"
expect_eq 'what was there is of the new boot' 0 "$(sql 'SELECT count(*) FROM processes WHERE boot = 1')"
expect_eq 'nothing of the old boot is there' 0 "$(sql 'SELECT count(*) FROM processes_history WHERE boot = 1 AND last_seen IS NULL')"
has_services() { [ "$(sql "SELECT count(*) FROM processes WHERE name = 'dropbear'")" -gt 0 ]; }
wait_until 'its services run again' has_services
# When the VM ends, so does its sampler, and nothing is left there.
vitrine kill "$vm" >/dev/null
wait $sampler || fail 'the sampler failed when the VM ended'
expect_eq 'the last event' 'ended|the VM ended' "$(sql 'SELECT kind, detail FROM events ORDER BY id DESC LIMIT 1')"
expect_eq 'rows of a VM that ended' '0|0|0' "$(sql 'SELECT (SELECT count(*) FROM processes), (SELECT count(*) FROM files), processes FROM sample')"
[ "$(sql 'SELECT count(*) > 20 FROM processes_history')" = 1 ] || fail 'its history is gone'

# ---- a VM whose end was sampled is asked by its last sample ------------------------------------

value() { vitrine sql "$vm" "$1" --json | json 'list(d[0].values())[0]'; }
counted() { sql "SELECT count(*) FROM $1_history WHERE last_seen = (SELECT max(last_seen) FROM boots)"; }
one_of_ended() { vitrine ls --ours --all --json | json "[v[\"$1\"] for v in d if v[\"name\"] == \"$vm\"][0]"; }
for table in processes threads memory_regions modules mounts files sockets; do
    expect_eq "$table of the last sample" "$(counted $table)" "$(value "SELECT count(*) FROM $table")"
done
[ "$(value 'SELECT count(*) FROM processes')" -gt 20 ] || fail 'the last sample had no processes'
expect_eq 'pages of the last sample' 1 "$(value "SELECT count(*) > 0 FROM memory_pages WHERE pid = 1")"
expect_eq 'a column that is an address' 1 "$(value 'SELECT page_table FROM processes WHERE pid = 1' | grep -c '^0x')"
expect_error 1 "$vm has ended; only its database is left" vitrine sql "$vm" 'SELECT * FROM live.ps'
expect_error 1 "$vm has ended; only its database is left" vitrine sql "$vm" 'SELECT * FROM ps'
expect_error 1 'may only read' vitrine sql "$vm" 'DELETE FROM events'
expect_match 'what ran' "^$vm ended at .*processes ran .*was gone after" \
    "$(vitrine ask "$vm" 'what ran?' --json | json 'd["text"]')"
expect_match 'what is running' "^$vm ended at .*processes run" "$(vitrine ask "$vm" 'what is running?' --json | json 'd["text"]')"
expect_match 'what changed' "^$vm ended at .*boots ended: the VM ended" \
    "$(vitrine ask "$vm" 'what changed in the last minute?' --json | json 'd["text"]')"
expect_error 1 "$vm ended at .*; that would be in its memory" vitrine ask "$vm" 'show me the page tables of pid 1'
expect_eq 'in the list' ended "$(one_of_ended state)"
expect_match 'when' '^ended 20' "$(one_of_ended note)"
expect_eq 'not in the list of those that live' '[]' "$(vitrine ls --ours --json)"
expect_error 3 'no VM named' vitrine ps "$vm"
expect_error 3 "no VM named '$prefix-never'" vitrine sql "$prefix-never" 'SELECT 1'
expect_error 3 "no VM named '$prefix-never'" vitrine ask "$prefix-never" 'what ran?'
expect_error 1 'is not a VM.s name' vitrine ask 'a%2f..' 'what ran?'

start_vm a --memory 128M
wait_console 'shell ready'
sample_once >/dev/null
expect_eq 'boots after a restart' 3 "$(sql 'SELECT count(*) FROM boots')"
sound

# ---- files that are not as they should be ------------------------------------------------------

sqlite3 "$db" 'PRAGMA user_version = 9999'
expect_error 1 'newer vitrine' vitrine sample "$vm" --count 1
rm -f "$db"-wal "$db"-shm
printf 'this is no database, however long it may be; it is not' >"$db"
expect_error 1 'remove it to begin anew' vitrine sample "$vm" --count 1
rm "$db"
expect_eq 'a database that begins anew' '["booted"]' "$(sample_once | json '[d["kind"]]')"

# ---- a VM whose end nobody saw, and a server -------------------------------------------------------

was=$(sql 'SELECT count(*) FROM processes')
kill -KILL "$(vitrine info "$vm" --json | json 'd["qemu_pid"]')"
is_gone() { [ "$(vitrine ls --names)" = '' ]; }
wait_until 'it is gone' is_gone
expect_eq 'processes it had' "$was" "$(value 'SELECT count(*) FROM processes')"
expect_match 'what ran' "^$vm has ended; .*init \(pid 1\) " "$(vitrine ask "$vm" 'is init running?' --json | json 'd["text"]')"
expect_match 'in the list' '^last sample 20' "$(one_of_ended note)"

"$VITRINE" serve --listen 127.0.0.1:0 --json >"$scratch/where" 2>"$scratch/serve.log" &
server=$!
wait_until 'the server says where it listens' test -s "$scratch/where"
api=$(json 'd["urls"][0]' <"$scratch/where")/api/v1/vms
get() { curl -s --max-time 60 "$@"; }
status_of() { get -o "$scratch/body" -w '%{http_code}' "$@"; }
expect_eq 'VMs' '[]' "$(get "$api" | json 'd["vms"]')"
expect_eq 'VMs that ended' "[\"$vm\", \"ended\"]" "$(get "$api?ended=true" | json '[d["vms"][0][k] for k in ("name", "state")]')"
expect_eq 'its processes' "$was" "$(get "$api/$vm/processes" | json 'len(d["processes"])')"
expect_eq 'its init' init "$(get "$api/$vm/processes?pid=1" | json 'd["processes"][0]["name"]')"
expect_eq 'its events' booted "$(get "$api/$vm/events" | json 'd["events"][0]["kind"]')"
expect_eq 'its boots' 1 "$(get "$api/$vm/boots" | json 'len(d["boots"])')"
expect_eq 'its last sample' 1 "$(get "$api/$vm/sample" | json 'd["sample"]["number"]')"
expect_eq 'SQL' "$was" "$(get -G "$api/$vm/sql" --data-urlencode 'query=SELECT count(*) AS n FROM processes' | json 'd["rows"][0]["n"]')"
expect_match 'a question' "^$vm has ended" "$(get -G "$api/$vm/ask" --data-urlencode 'question=what is running?' | json 'd["text"]')"
expect_eq 'a look into it' 410 "$(status_of "$api/$vm/live/ps")"
expect_match 'why' 'only its database is left' "$(cat "$scratch/body")"
expect_eq 'one that never was' 404 "$(status_of "$api/$prefix-never/processes")"
kill -TERM $server
wait $server || fail "the server: $(cat "$scratch/serve.log")"
