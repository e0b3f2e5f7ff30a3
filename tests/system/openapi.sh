#!/usr/bin/env bash
# tests/system/openapi.sh RUN_OP - the OpenAPI document satisfies somebody else's linter, strictly.
#
# The linter is Redocly's, which tools/setup node brings; without it the test is skipped.
set -euo pipefail
run_op=$(realpath "$1")
cache=${VITRINE_CACHE_DIR:-$([ "$(id -u)" = 0 ] && echo /var/cache/vitrine ||
    echo "${XDG_CACHE_HOME:-$HOME/.cache}/vitrine")}
modules=$cache/node/node_modules
node=$modules/.bin/node
[ -x "$node" ] || node=$(command -v node || true)
if [ -z "$node" ] || [ ! -e "$modules/@redocly/cli/bin/cli.js" ]; then
    echo 'no Redocly in the cache (tools/setup node brings it)'
    exit 77
fi
temp=$(mktemp -d)
trap 'rm -rf "$temp"' EXIT
cd "$temp"

lint() {
    HOME=$temp REDOCLY_TELEMETRY=off REDOCLY_SUPPRESS_UPDATE_NOTICE=true \
        "$node" "$modules/@redocly/cli/bin/cli.js" lint --extends=recommended-strict "$1" 2>&1
}

"$run_op" openapi >openapi.json
lint openapi.json || exit 1

# It would have found something.
python3 - <<'PYTHON'
import json
document = json.load(open("openapi.json"))
del document["paths"]["/vms"]["get"]["responses"]["200"]
document["paths"]["/vms"]["get"]["operationId"] = "ps"
json.dump(document, open("broken.json", "w"))
PYTHON
if lint broken.json >broken.log; then
    echo 'the linter takes a broken document'
    exit 1
fi
grep -q 'operation-operationId-unique' broken.log
