#!/usr/bin/env bash
# tests/system/venus_record.sh - what a Vulkan program does through Venus is recorded, listed with every argument,
# exported, and carried out again with the same results.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/venus/lib.sh"

serve --record "$scratch/run.vgpu"
for program in triangle compute; do
    venus "$VITRINE_BUILD/tests/system/vulkan/vk-$program" >"$scratch/$program" 2>"$scratch/$program.err" ||
        fail "vk-$program: $(tail -n 5 "$scratch/$program.err")"
done
await_events '[.[] | select(.event == "ended")] | length == 2'
served_end
expect_error 1 'exists' "$VITRINE" gpu serve --vtest "$socket" --record "$scratch/run.vgpu"
expect_error 2 'sandbox' "$VITRINE" gpu serve --vtest "$socket" --sandbox --record "$scratch/other.vgpu"

# Each command that the source has is in the list, with its arguments as the source has them.
dump() { vitrine gpu dump "$scratch/run.vgpu" --context 1 --json "$@"; }
dump >"$scratch/one.jsonl"
expect_eq 'the picture is drawn once' 3 \
    "$(dump --command vkCmdDraw | jq '.arguments.vertexCount')"
expect_eq 'stages of the pipeline' 'VK_SHADER_STAGE_VERTEX_BIT VK_SHADER_STAGE_FRAGMENT_BIT' \
    "$(dump --command vkCreateGraphicsPipelines | jq -r '[.arguments.pCreateInfos[0].pStages[].stage] | join(" ")')"
expect_eq 'shaders are whole SPIR-V' 'true true' "$(dump --command vkCreateShaderModule |
    jq -r '.arguments.pCreateInfo | (.pCode.hex // .pCode[0] | tostring) | startswith("03022307") or . == "119734787"' |
    tr '\n' ' ' | sed 's/ $//')"
expect_eq 'nothing that does not decode' 0 "$(jq -s '[.[] | select(.fault)] | length' "$scratch/one.jsonl")"
expect_eq 'what ended with an error' '' "$(vitrine gpu dump "$scratch/run.vgpu" --context 1 --failed)"
expect_match 'a line' 'vkCmdDraw\(commandBuffer #[0-9]+, vertexCount 3, instanceCount 1' \
    "$(vitrine gpu dump "$scratch/run.vgpu" --command vkCmdDraw)"
expect_eq 'so many' 5 "$(vitrine gpu dump "$scratch/run.vgpu" --count 5 | wc -l)"

# A track a ring, a slice a command.
vitrine gpu export "$scratch/run.vgpu" --format perfetto --out "$scratch/run.json"
expect_eq 'slices' "$(vitrine gpu dump "$scratch/run.vgpu" --command '*' | wc -l)" \
    "$(jq '[.traceEvents[] | select(.ph == "X")] | length' "$scratch/run.json")"
expect_eq 'tracks without a name' '[]' "$(jq -c '([.traceEvents[] | select(.ph == "X") | .tid] | unique) -
    [.traceEvents[] | select(.ph == "M") | .tid]' "$scratch/run.json")"

# Again, without the program: the same results, and the device computes the same bytes.
native "$VITRINE" gpu replay "$scratch/run.vgpu" --json >"$scratch/replay" 2>"$scratch/replay.err" ||
    [ -s "$scratch/replay" ] || fail "replay: $(tail -n 5 "$scratch/replay.err")"
expect_eq 'contexts' 2 "$(json 'd["contexts"]' <"$scratch/replay")"
expect_eq 'results that differ' 0 "$(json 'd["results_differ"]' <"$scratch/replay")"
expect_eq 'results and pages' true "$(json 'd["results"] > 10 and d["pages_alike"] > 64' <"$scratch/replay")"
# compute uses addresses of buffers: where the driver gives others, that is said and not tried.
if [ "$(json 'd["contexts_ended"]' <"$scratch/replay")" != 0 ]; then
    expect_match 'why' 'addresses of buffers' "$(json 'd["reason"]' <"$scratch/replay")"
fi

# A recording that ends early is good up to there; what is none is none.
head -c 100000 "$scratch/run.vgpu" >"$scratch/cut.vgpu"
vitrine gpu dump "$scratch/cut.vgpu" >"$scratch/cut" 2>"$scratch/cut.err"
expect_match 'cut' 'ends within an event' "$(cat "$scratch/cut.err")"
head -c 5000 /dev/zero >"$scratch/zero.vgpu"
expect_error 1 'not a recording' "$VITRINE" gpu replay "$scratch/zero.vgpu"
