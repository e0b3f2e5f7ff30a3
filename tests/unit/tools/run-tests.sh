#!/usr/bin/env bash
# tests/unit/tools/run-tests.sh RUN-TESTS - counts over several builds, with a stand-in for meson.
set -uo pipefail
run_tests=$1
top=$(mktemp -d)
trap 'rm -rf "$top"' EXIT
bad=0
mkdir "$top/bin" "$top/a" "$top/b" "$top/c"
cat >"$top/bin/meson" <<'SHIM'
#!/bin/sh
echo "$*" >>"$3/words"
cat "$3/says"
exit "$(cat "$3/status")"
SHIM
chmod +x "$top/bin/meson"

# build NAME STATUS OK FAIL SKIPPED TIMEOUT
build() {
    echo "$2" >"$top/$1/status"
    rm -f "$top/$1/words"
    printf '1/1 x OK\n\nOk:                 %s\nExpected Fail:      0\nFail:               %s
Unexpected Pass:    0\nSkipped:            %s\nTimeout:            %s\n' "$3" "$4" "$5" "$6" \
        >"$top/$1/says"
}

# counts STATUS LINE STEP...
counts() {
    local want=$1 line=$2 got=0 last
    shift 2
    last=$(cd "$top" && PATH="$top/bin:$PATH" "$run_tests" "$@" 2>/dev/null | tail -n 1) || got=$?
    if [ "$got" != "$want" ] || [ "$last" != "$line" ]; then
        printf '%s: want %s "%s", got %s "%s"\n' "$*" "$want" "$line" "$got" "$last" >&2
        bad=1
    fi
}

build a 0 5 0 0 0
build b 0 3 0 2 0
counts 0 '5 passed, 0 failed' a:unit
counts 0 '8 passed, 0 failed, 2 skipped' a:lint,unit b:system:2
if [ "$(tail -n 1 "$top/b/words")" != 'test -C b --no-rebuild --print-errorlogs --suite system --num-processes 2' ]; then
    cat "$top/b/words" >&2
    bad=1
fi
build c 2 1 1 0 1
counts 1 '6 passed, 2 failed' a:unit c:unit
build c 1 4 0 0 0
counts 1 '4 passed, 1 failed' c:unit
build c 0 0 0 0 0
counts 1 '5 passed, 1 failed' a:unit c:unit
build c 0 0 0 3 0
counts 1 '0 passed, 0 failed, 3 skipped' c:unit
printf 'ninja: error\n' >"$top/c/says"
counts 1 '0 passed, 1 failed' c:unit
exit $bad
