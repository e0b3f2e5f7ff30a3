#!/usr/bin/env bash
# tests/system/matrix.sh [all] - what each verb says of a guest, held field by field against what the
# guest says of itself, read over its serial console: live, paused, and from saved RAM.
#
# Without a word: the default guest. `all`: every kernel that `tools/setup kernels` brought, both
# depths of page tables, one and two CPUs, RAM beyond the PCI hole; those that are not there are
# counted. MATRIX_ONLY=REGEX keeps the guests whose name it matches; MATRIX_REPORTS=DIR keeps the
# reports, of which tests/system/matrix/table.py makes a table.
. "$(dirname "$0")/lib.sh"

here=$(realpath "$(dirname "$0")")
reports=${MATRIX_REPORTS:-$scratch/reports}
cache=${VITRINE_CACHE_DIR:-/var/cache/vitrine}
[ -d "$cache" ] || cache=${XDG_CACHE_HOME:-$HOME/.cache}/vitrine
export PYTHONDONTWRITEBYTECODE=1
mkdir -p "$reports"

# name, kernel tree, what to run it with
guests=('6.1|guest-source|--memory 256M --cpus 2')
if [ "${1:-}" = all ]; then
    guests=(
        '5.10|kernels/5.10|--memory 256M --cpus 2'
        '5.10-amd64|kernels/5.10-amd64|--memory 256M --cpus 1'
        '6.1|kernels/6.1|--memory 256M --cpus 2'
        '6.1-4-levels|kernels/6.1|--memory 256M --cpus 1 --append no5lvl'
        '6.1-amd64|kernels/6.1-amd64|--memory 256M --cpus 2'
        '6.12|kernels/6.12|--memory 256M --cpus 2'
        '6.12-4-levels|kernels/6.12|--memory 256M --cpus 2 --append no5lvl'
        '6.12-4G|kernels/6.12|--memory 4G --cpus 2'
        '6.12-amd64|kernels/6.12-amd64|--memory 256M --cpus 1'
        '6.12-rt|kernels/6.12-rt|--memory 256M --cpus 2'
        '7.2|kernels/sid|--memory 256M --cpus 2'
        '7.2-4G-pc|kernels/sid|--memory 4G --cpus 1 --machine pc'
        '7.2-amd64|kernels/sid-amd64|--memory 256M --cpus 2'
    )
fi

# The modules of those named that the kernel has as files.
modules_of() { # TREE NAME...
    local tree=$1 name
    shift
    for name in "$@"; do
        [ -z "$(find "$tree/lib/modules/" -name "$name.ko*" -print -quit)" ] ||
            printf -- '--module %s ' "$name"
    done
}

view() { # FOLDER
    vitrine console "$vm" --timeout 300s --exec \
        'rm -rf /run/view; guest-view /run/view; cd /run/view; tar cf - . | gzip -1 | base64' |
        tr -d '\r' >"$scratch/view"
    mkdir "$1"
    base64 -d "$scratch/view" | tar xzf - -C "$1"
}

# The workload is up, and what comes and goes in the default guest is not.
quiet_guest() {
    wait_services
    vitrine console "$vm" --timeout 120s --exec 'dmesg -n 1
        for d in heartbeat crond; do killall $d; done 2>/dev/null
        setsid workload >/run/workload.log 2>&1 </dev/null &
        until grep -q READY /run/workload.log || ! pidof workload >/dev/null; do usleep 100000; done
        grep -v made /run/workload.log' >"$scratch/workload"
    grep -q READY "$scratch/workload" || fail "the workload is not up: $(cat "$scratch/workload")"
    note "$name: $(grep -c 'left out' "$scratch/workload" || true) left out by the workload"
    grep 'left out' "$scratch/workload" >&2 || true
}

look() { # MODE [option...]
    python3 "$here/matrix/check.py" look "$VITRINE" "$target" "$dir/before" "$dir/$1" "${@:2}"
}

compare() { # MODE
    if ! python3 "$here/matrix/check.py" compare "$dir/before" "$dir/after" "$dir/$1" \
        "$reports/$name.$1.json" >"$dir/$1.log"; then
        note "$name, $1:"
        grep -v ', 0 wrong$' "$dir/$1.log" >&2
        failed+=("$name:$1")
    fi
}

check_guest() { # NAME TREE OPTION...
    local name=$1 tree=$2 target dir=$scratch/$1
    shift 2
    mkdir "$dir"
    # shellcheck disable=SC2046
    start_vm "$name" --kernel-tree "$tree" --add "$VITRINE_BUILD/tests/system/workload" \
        --add "$here/guest_view.sh:/bin/guest-view" \
        $(modules_of "$tree" dummy crc32c_generic nf_tables) "$@"
    target=$vm
    quiet_guest
    view "$dir/before"
    look live
    vitrine pause "$vm"
    look paused
    cp --sparse=always "/dev/shm/qemu_ram_$vm" "$scratch/saved.ram"
    vitrine resume "$vm"
    view "$dir/after"
    vitrine uname "$vm" --json >"$reports/$name.uname"
    printf '%s\n' "$*" >"$reports/$name.options"
    vitrine kill "$vm"
    target=$scratch/saved.ram
    look saved
    rm "$scratch/saved.ram"
    compare live
    compare paused
    compare saved
    note "$name: $(python3 -c 'import json, sys
print(sum(n["compared"] for f in sys.argv[1:] for n in json.load(open(f)).values()))' \
        "$reports/$name".{live,paused,saved}.json) fields compared"
    rm -rf "$dir"
}

failed=() missing=()
: "${VITRINE_BUILD:=$(dirname "$VITRINE")}"
for line in "${guests[@]}"; do
    IFS='|' read -r name tree options <<<"$line"
    [[ $name =~ ${MATRIX_ONLY:-} ]] || continue
    if [ ! -d "$cache/$tree" ]; then
        missing+=("$name")
        continue
    fi
    # shellcheck disable=SC2086
    check_guest "$name" "$cache/$tree" $options
done
if [ ${#missing[@]} -gt 0 ]; then
    note "${#missing[@]} of ${#guests[@]} guests skipped, their kernels are not there" \
        "(tools/setup kernels): ${missing[*]}"
    [ ${#missing[@]} -lt ${#guests[@]} ] || skip 'no kernel'
fi
[ ${#failed[@]} = 0 ] || fail "${#failed[@]} looks at ${#guests[@]} guests: ${failed[*]}"
