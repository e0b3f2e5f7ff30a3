#!/usr/bin/env bash
# tests/unit/cli/main.sh VITRINE - exit codes and streams before and after any verb.
set -uo pipefail
vitrine=$1
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
bad=0

# stream FILE PATTERN: the file matches; without a pattern it is empty.
stream() {
    if [ -z "$2" ]; then [ ! -s "$1" ]; else grep -qE "$2" "$1"; fi
}

# says STATUS STDOUT-PATTERN STDERR-PATTERN WORD...
says() {
    local want=$1 out=$2 err=$3 got=0
    shift 3
    "$vitrine" "$@" >"$dir/out" 2>"$dir/err" || got=$?
    if [ "$got" != "$want" ] || ! stream "$dir/out" "$out" || ! stream "$dir/err" "$err"; then
        printf 'vitrine %s: want %s, got %s\n' "$*" "$want" "$got" >&2
        head "$dir/out" "$dir/err" >&2
        bad=1
    fi
}

says 0 '^vitrine [0-9]+\.[0-9]+\.[0-9]+' '' --version
says 0 'usage: vitrine VERB' '' --help
says 0 'usage: vitrine VERB' '' -h
says 0 'usage: vitrine help' '' help help
says 2 '' "^vitrine: no verb 'nope' \(see 'vitrine help'\)" nope
says 2 '' "^vitrine help: no verb 'nope'" help nope
says 2 '' "^vitrine help: unknown option '--nope'" help --nope
says 2 '' "is not bash, zsh or fish" help --completion csh
says 2 '' 'usage: vitrine VERB'

if [ -w /dev/full ]; then
    for words in --version help 'help --json' 'help help --scdoc'; do
        # shellcheck disable=SC2086 # several words
        "$vitrine" $words >/dev/full 2>"$dir/err"
        status=$?
        if [ $status -ne 1 ] || ! grep -qE 'No space left|an earlier write failed' "$dir/err"; then
            echo "vitrine $words on a full disk: status $status" >&2
            bad=1
        fi
    done
fi

exit $bad
