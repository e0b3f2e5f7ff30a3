#!/usr/bin/env bash
# tests/unit/cli/look.sh VITRINE WRITE-GUEST - the verbs that look into a guest, on saved RAM.
set -uo pipefail
vitrine=$1 write_guest=$2
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
export VITRINE_STATE_DIR=$dir/state VITRINE_CACHE_DIR=$dir/cache
unset VITRINE_AUDIT
bad=0
for kind in plain torn rude blind empty; do
    "$write_guest" $kind "$dir/$kind" || exit 1
done

# says STATUS STDOUT-PATTERN STDERR-PATTERN WORD...: a pattern must match a line; empty means none.
says() {
    # shellcheck disable=SC2034 # out and err are used as ${!file}
    local want=$1 out=$2 err=$3 got=0 pattern file
    shift 3
    "$vitrine" "$@" >"$dir/out" 2>"$dir/err" || got=$?
    for file in out err; do
        pattern=${!file}
        if [ -z "$pattern" ] && [ -s "$dir/$file" ] || ! grep -qE -- "$pattern" "$dir/$file" && [ -n "$pattern" ]; then
            got="$got, $file without '$pattern'"
        fi
    done
    if [ "$got" != "$want" ]; then
        printf 'vitrine %s: want %s, got %s\n' "$*" "$want" "$got" >&2
        head "$dir/out" "$dir/err" >&2
        bad=1
    fi
}

# ---- processes ---------------------------------------------------------------------------------
says 0 '^110 +109 +1010 +S +0 +2 +0.01 +400 KiB +task-10 +ok +/sbin/daemon -x$' '' ps "$dir/plain"
says 0 '^111 +110 +1011 +I +1 +3 +0.01 +0 B +task-11 +ok +-$' '' ps "$dir/plain"
says 0 '"pid":100,"tgid":100,"ppid":0,"uid":1000,"euid":3000,"gid":2000,"state":"S".*"torn":false,"why":null}$' '' ps "$dir/plain" --json
says 0 '^104 ' 'may be incomplete: processes: the link of 0x' ps "$dir/torn"
says 0 '"torn":true,"why":"processes: the link of 0x' 'may be incomplete' ps "$dir/torn" --json
says 0 '\\x1b\[31m\\x0a\\xff"end' '' ps "$dir/rude"
says 0 '"comm":"\\u001b\[31m\\n.*\\"end"' '' ps "$dir/rude" --json
says 3 '' 'no types' ps "$dir/blind"
says 3 '' 'no Linux kernel in RAM' ps "$dir/empty"
says 3 '' 'No such file' ps "$dir/nothing"
says 1 '' 'not a regular file|directory' ps "$dir/"
says 0 '^100 ' '' ps "$dir/plain" --pause
says 0 '^105 ' '' ps "$dir/plain" --pid 105
says 3 '' 'no process 7$' ps "$dir/plain" --pid 7
says 2 '' 'number from 1' ps "$dir/plain" --pid 0
says 0 '^105 +1005 +I +3 +ok +               └─ task-5$' '' pstree "$dir/plain"
says 0 '^105 +1005 +I +3 +ok +task-5$' '' pstree "$dir/plain" --pid 105
says 0 '"pid":105,"ppid":104,"depth":5,.*"comm":"task-5"' '' pstree "$dir/plain" --json
says 0 '^111 ' 'may be incomplete' pstree "$dir/torn"
says 3 '' 'no process 7$' pstree "$dir/plain" --pid 7

# ---- SQL ---------------------------------------------------------------------------------------
says 0 '^110 +task-10 +0x[0-9a-f]+ +/sbin/daemon -x$' '' sql "$dir/plain" 'SELECT pid, comm, at, args FROM live.ps'
says 0 '^\[{"n":12,"n_2":null}\]$' '' sql "$dir/plain" 'SELECT count(*) AS n, NULL AS n FROM ps' --json
says 0 '^105,"a,""b","",.$' '' sql "$dir/plain" "SELECT pid, 'a,\"b', '', NULL FROM ps WHERE pid = 105" --csv
says 0 '\\x1b\[31m\\x0a\\xff"end' '' sql "$dir/rude" 'SELECT comm FROM live.ps'
says 0 '"comm":"\\u001b\[31m\\n.*\\"end"' '' sql "$dir/rude" 'SELECT comm FROM live.ps' --json
says 0 '^ +12$' 'live.ps may be incomplete: processes: the link' sql "$dir/torn" 'SELECT count(*) FROM live.ps'
says 0 '^1$' '' sql "$dir/blind" 'SELECT 1'
says 3 '' 'no types' sql "$dir/blind" 'SELECT * FROM live.ps'
says 3 '' 'no Linux kernel in RAM' sql "$dir/empty" 'SELECT * FROM live.ps'
says 1 '' 'no such column: comn; there is comm' sql "$dir/plain" 'SELECT comn FROM live.ps'
says 1 '' 'may only read' sql "$dir/plain" 'DELETE FROM live.ps'
says 3 '' "the kernel's struct task_struct has no member" sql "$dir/plain" 'SELECT * FROM live.threads'
says 2 '' 'a statement is needed' sql "$dir/plain"
says 3 '' 'No such file' sql "$dir/plain" --file "$dir/nothing"
says 0 '^live\.ps +task +ADDRESS +its task_struct$' '' sql "$dir/plain" --schema live.ps --no-sample

# ---- the kernel --------------------------------------------------------------------------------
says 0 '^release +6\.1\.0-test$' '' uname "$dir/plain"
says 0 '"kaslr_virtual":"0x2c00000".*"paging_levels":5' '' uname "$dir/blind" --json
says 0 '^0xffffffff83c10000 +D +init_task +-$' '' symbols "$dir/plain" init_task
says 0 '^0xffffffff83c10008 +D +init_task\+0x8 +-$' '' sym "$dir/plain" 0xffffffff83c10008
says 0 '^0xffffffff83c00000 +T +_text +-$' '' symbols "$dir/plain" _text --all
says 0 '"name":"symbol_01499"' '' symbols "$dir/plain" --json
says 0 't +alpha_open +net_alpha$' '' symbols "$dir/plain" net_alpha:alpha_open
says 0 't +shared_name +beta$' '' symbols "$dir/plain" shared_name --all
says 0 '"name":"beta_only","module":"beta"' '' symbols "$dir/plain" --json
says 0 't +alpha_open\+0x1 +net_alpha$' '' symbols "$dir/plain" \
    "$(printf '0x%x' $((0xff11000000000000 + 0xf05011)))"
says 0 '^ +16 +8 +- +task +struct task_struct \*$' '' symbols "$dir/plain" --type net_alpha:alpha_state
says 0 '^40 bytes$' '' symbols "$dir/plain" --type alpha_state
says 0 '"name":"count","type":"alpha_count"}\],"size_bytes":40}$' '' \
    symbols "$dir/plain" --type alpha_state --json
says 3 '' 'no struct nope' symbols "$dir/plain" --type nope
says 2 '' 'goes without a symbol' symbols "$dir/plain" x --type y
says 3 '' 'no symbol' symbols "$dir/plain" beta:alpha_open
says 3 '' "no symbol 'nope'" symbols "$dir/plain" nope
says 3 '' 'no symbol at 0x10' symbols "$dir/plain" 0x10
says 2 '' 'not a number' symbols "$dir/plain" 0xzz

# ---- memory ------------------------------------------------------------------------------------
says 0 '^ffffffff83c01000  4c 69 6e 75 .*\|Linux version 6\.\|$' '' read "$dir/plain" linux_banner 0x20
says 0 '"address":"0xffffffff83c01006","space":"virtual","length":7,"verdict":"consistent","hex":"76657273696f6e"' '' \
    read "$dir/plain" linux_banner+6 7 --json
says 0 '^Linux version$' '' read "$dir/plain" 0x401000 13 --raw
says 0 '^Linux$' '' read "$dir/plain" 0xffffffff83c01000 5 --virtual --raw
says 0 '^/sbin/daemon' '' read "$dir/plain" 0x7ffc0fff8 12 --pid 100 --raw
says 1 '' 'not mapped' read "$dir/plain" 0x1000 8 --pid 100
says 3 '' 'process 101 has no memory' read "$dir/plain" 0x1000 8 --pid 101
says 3 '' 'no process 7$' read "$dir/plain" 0x1000 8 --pid 7
says 1 '' '0xfffff8 \(length 0x10, valid below 0x1000000\)' read "$dir/plain" 0xfffff8 16
says 1 '' 'invalid .*0xffffffffffffffff' read "$dir/plain" 0xffffffffffffffff 16
says 2 '' 'LEN' read "$dir/plain" 0 0
says 2 '' 'LEN' read "$dir/plain" 0 2G
says 2 '' 'LEN' read "$dir/plain" 0 x
says 2 '' 'excludes' read "$dir/plain" 0 8 --physical --virtual
says 0 '^0000000000401000 ' '' read "$dir/empty" 0x401000 16
says 3 '' 'no Linux kernel' read "$dir/empty" init_task 16

# ---- addresses ---------------------------------------------------------------------------------
says 0 '^0xffffffff83c10000 +0x410000 +2 MiB +write exec user +0x410000$' '' translate "$dir/plain" init_task
says 0 '^0x7ffc0fff8 +0x808ff8 +4 KiB ' '' translate "$dir/plain" 0x7ffc0fff8 --pid 100
says 1 '' 'not mapped' translate "$dir/plain" 0x1000
says 1 '' 'invalid virtual address' translate "$dir/plain" 0x0100000000000000

# ---- dumps, and looking into them ---------------------------------------------------------------
says 0 ' elf +unchecked +16 MiB .* 6\.1\.0-test$' \
    "^open it: drgn -c $dir/core -s /usr/lib/debug/boot/vmlinux-6.1.0-test$" dump "$dir/plain" "$dir/core"
says 0 '"format":"lime","verdict":"unchecked".*"vmcoreinfo":false,"drgn":null' '' \
    dump "$dir/plain" "$dir/lime" --format lime --json
says 0 ' raw ' '' dump "$dir/core" "$dir/raw" --format raw
cmp "$dir/plain" "$dir/raw" || bad=1
for kind in core lime raw; do
    says 0 '^110 +109 +1010 +S +0 +2 +0.01 +400 KiB +task-10 +ok +/sbin/daemon -x$' '' ps "$dir/$kind"
done
says 0 '"vmcoreinfo":false' 'no VMCOREINFO: no Linux kernel' dump "$dir/empty" "$dir/core" --json
says 2 '' "'zip' is no format" dump "$dir/plain" "$dir/zip" --format zip
says 1 '' 'not a regular file|device' dump "$dir/plain" /dev/null
truncate -s -4096 "$dir/lime"
says 1 '' 'cut short' ps "$dir/lime"

# ---- finding -----------------------------------------------------------------------------------
says 0 '^0x401000 +0x401000 +13 +Linux version +- +ok +Linux version$' '' find "$dir/plain" 'Linux version'
says 0 '^0xffffffff83c01000 +0x401000 +13 .* linux_banner +ok +\.\.\.\.Linux version 6\.1$' '' \
    find "$dir/plain" 'LINUX version' --ignore-case --kernel --context 4
says 0 '^0x7ffc0fff8 +0x808ff8 +12 +/sbin/daemon ' '' find "$dir/plain" /sbin/daemon --pid 100
says 0 '"address":"0x401000".*"hex":"4c696e75782076","text":"Linux v"}\],"searched_bytes":.*"complete":true}$' '' \
    find "$dir/plain" --hex '4c 69 6? 75 ?? 20 76' --json
says 0 '^nobody@nowhere +1$' '' find "$dir/plain" nobody@nowhere sbin/daemon --count
says 3 '^sbin/daemon +0$' '' find "$dir/plain" sbin/daemon --count # its two pages lie scattered
says 0 ' task-3 ' 'stopped at 1 matches' find "$dir/plain" task-3 --limit 1
says 3 '^ADDRESS' '' find "$dir/plain" 'no such text'
echo 'rule banner { strings: $a = "Linux version" condition: $a }' >"$dir/rules"
says 0 '"address":"0x401000".*"pattern":"banner","string":"\$a"' '' find "$dir/plain" --yara "$dir/rules" --json
printf 'rule one { condition: true }\nrule two { nonsense: true }\n' >"$dir/rules"
says 2 '' 'line 2: ' find "$dir/plain" --yara "$dir/rules"
says 2 '' 'needs TEXT' find "$dir/plain"
says 2 '' 'is no pattern' find "$dir/plain" --hex 4
says 2 '' 'excludes' find "$dir/plain" x --kernel --pid 1
says 3 '' 'no process 7$' find "$dir/plain" x --pid 7

# ---- every look is in the log ------------------------------------------------------------------
log=$dir/state/audit.log
for line in '"operation":"ps","detail":""' '"operation":"read","detail":"0x7ffc0fff8 12 pid 100"' \
    '"operation":"translate","detail":"init_task"' '"operation":"symbols","detail":"nope"'; do
    grep -qF "\"vm\":\"$dir/plain\",$line" "$log" || { echo "not in the log: $line" >&2; bad=1; }
done
rm "$log"
mkdir "$log"
says 1 '' 'audit log' ps "$dir/plain"

exit $bad
