#!/usr/bin/env bash
# tests/unit/cli/help.sh VITRINE - each verb has help, a man page scdoc takes, and completion that
# each shell found here parses.
set -euo pipefail
vitrine=$1
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
bad=0

complain() {
    printf '%s\n' "$*" >&2
    bad=1
}

mapfile -t verbs < <("$vitrine" help --names)
[ ${#verbs[@]} -gt 0 ] || complain 'help --names is empty'
"$vitrine" help >"$dir/overview"
for verb in "${verbs[@]}"; do
    # A verb of two words stands in the help of its first one.
    case $verb in
    *' '*) "$vitrine" "${verb% *}" --help >"$dir/list" ;;
    *) cp "$dir/overview" "$dir/list" ;;
    esac
    grep -qE "^  ${verb##* } +[A-Z].*[^.]$" "$dir/list" ||
        complain "$verb: no summary (capital first, no full stop) in the overview"
    read -ra words <<<"$verb"
    "$vitrine" "${words[@]}" --help >"$dir/a"
    "$vitrine" help "${words[@]}" >"$dir/b"
    cmp -s "$dir/a" "$dir/b" || complain "$verb: --help and 'help $verb' differ"
    head -n 1 "$dir/a" | grep -qE "^usage: vitrine $verb( |$)" || complain "$verb: no usage line"
    ! awk 'length > 100' "$dir/a" | grep . >&2 || complain "$verb: help wider than 100 columns"
    grep -E '^  --' "$dir/a" | grep -E '\.$' >&2 && complain "$verb: an option's help ends in a full stop"
done
if [ "$(sort "$dir/overview" | uniq -d | grep -cE '^  [a-z]')" -ne 0 ] ||
    [ "$(printf '%s\n' "${verbs[@]}" | sort | uniq -d | wc -l)" -ne 0 ]; then
    complain 'a verb stands twice in the table'
fi

for page in '' "${verbs[@]}"; do
    # shellcheck disable=SC2086 # an empty page is no operand
    "$vitrine" help --scdoc $page | scdoc >"$dir/page" || complain "scdoc refuses vitrine${page:+-$page}"
    grep -q '^\.SH NAME' "$dir/page" || complain "vitrine${page:+-$page}(1) has no NAME"
done

for shell in bash zsh fish; do
    "$vitrine" help --completion "$shell" >"$dir/completion"
    for verb in "${verbs[@]}"; do
        grep -qw -- "${verb##* }" "$dir/completion" || complain "$shell: $verb is not completed"
    done
    if command -v "$shell" >/dev/null; then
        "$shell" -n "$dir/completion" || complain "$shell does not parse its completion"
    fi
done

# As bash would call it: verbs first, then the options of the verb.
"$vitrine" help --completion bash >"$dir/completion"
# shellcheck source=/dev/null
. "$dir/completion"
COMP_WORDS=(vitrine he) COMP_CWORD=1 COMPREPLY=()
_vitrine
[ "${COMPREPLY[*]}" = help ] || complain "bash completes 'he' to '${COMPREPLY[*]}'"
COMP_WORDS=(vitrine gpu wat) COMP_CWORD=2 COMPREPLY=()
_vitrine
[ "${COMPREPLY[*]}" = watch ] || complain "bash completes 'gpu wat' to '${COMPREPLY[*]}'"
COMP_WORDS=(vitrine gpu state --jso) COMP_CWORD=3 COMPREPLY=()
_vitrine
[ "${COMPREPLY[*]}" = --json ] || complain "bash completes 'gpu state --jso' to '${COMPREPLY[*]}'"
COMP_WORDS=(vitrine help --sc) COMP_CWORD=2 COMPREPLY=()
_vitrine
[ "${COMPREPLY[*]}" = --scdoc ] || complain "bash completes '--sc' to '${COMPREPLY[*]}'"
exit $bad
