#!/bin/sh
# guest_view.sh DIR - runs in a guest: its own view of itself, copied out of /proc into DIR/, a folder
# a process. tests/system/matrix holds what vitrine says against it.
out=$1
self=$$
tracing=/sys/kernel/tracing
mkdir -p "$out"
our_net=$(readlink /proc/1/ns/net)
for pid in /proc/[0-9]*; do
    pid=${pid#/proc/}
    if [ "$pid" = $self ] || ! cd "/proc/$pid" 2>/dev/null; then
        continue
    fi
    to=$out/$pid
    mkdir -p "$to/fdinfo"
    cp status stat cmdline environ maps mountinfo cgroup comm timers smaps uid_map gid_map "$to/" 2>/dev/null
    ls -ln fd >"$to/fd" 2>/dev/null
    ls -ln ns >"$to/ns" 2>/dev/null
    ls -ldn exe cwd root >"$to/links" 2>/dev/null
    cp fdinfo/* "$to/fdinfo/" 2>/dev/null
    for tid in task/*; do
        mkdir -p "$to/$tid"
        cp "$tid/status" "$tid/comm" "$tid/stat" "$to/$tid/" 2>/dev/null
    done
    if [ "$(readlink ns/net)" != "$our_net" ]; then
        mkdir "$to/net"
        cp net/tcp net/tcp6 net/udp net/udp6 net/unix net/dev net/if_inet6 net/fib_trie "$to/net/" 2>/dev/null
    fi
done
cd /proc || exit 1
mkdir "$out/net" "$out/tty" "$out/trace"
cp modules timer_list uptime version cpuinfo stat loadavg "$out/" 2>/dev/null
cp net/* "$out/net/" 2>/dev/null
cp tty/drivers tty/ldiscs "$out/tty/" 2>/dev/null
cp $tracing/current_tracer $tracing/kprobe_events $tracing/enabled_functions "$out/trace/" 2>/dev/null
cp /sys/kernel/debug/kprobes/list "$out/trace/kprobes" 2>/dev/null
grep "\[" kallsyms >"$out/kallsyms"
grep -E " (sys_call_table|_text|_etext|_stext|_end|idt_table)$" kallsyms >>"$out/kallsyms"
find /sys/fs/cgroup -type d | while read -r group; do
    echo "$(stat -c %i "$group") $(wc -l <"$group/cgroup.procs") $(wc -l <"$group/cgroup.threads")" \
        "$(tr ' ' , <"$group/cgroup.controllers") ${group#/sys/fs/cgroup}/"
done >"$out/cgroup_tree"
dmesg -r >"$out/dmesg"
ifconfig -a >"$out/ifconfig"
ip addr >"$out/ip_addr"
uname -a >"$out/uname"
hostname >"$out/hostname"
date +%s >"$out/date"
find / /run -xdev -type f ! -path "$out*" ! -name 'odd*' -exec stat -c '%d %i %s %n' {} + >"$out/files_there"
cp /run/workload.log "$out/workload" 2>/dev/null
# Last: the copies themselves are in memory.
cp meminfo zoneinfo vmstat vmallocinfo slabinfo "$out/" 2>/dev/null
true
