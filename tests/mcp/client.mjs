// tests/mcp/client.mjs SDK ERA COMMAND|URL - a real client against our server.
//
// SDK is "client" (@modelcontextprotocol/client) or "sdk" (@modelcontextprotocol/sdk); ERA is
// "legacy" or "modern"; COMMAND is a command line, URL an http address, with the token in
// VITRINE_TOKEN when it wants one. On stdin: {"tools": {NAME: {arguments}}, "resources": [URI],
// "prompts": {NAME: {arguments}}}. Every tool, resource and prompt named there is asked for; each
// tool's schemas are compiled and each structure held against its schema with ajv. On stdout: one
// JSON document of all that came back, for the caller to compare.
import { createRequire } from 'node:module';
import { readFileSync } from 'node:fs';
import process from 'node:process';

const [sdk, era, where] = process.argv.slice(2);
const require = createRequire(`${process.env.VITRINE_NODE}/package.json`);
const Ajv = require('ajv/dist/2020').default;
const wanted = JSON.parse(readFileSync(0, 'utf8'));
const info = { name: 'vitrine-test', version: '1' };

function parts() {
    if (sdk === 'client') {
        const all = require('@modelcontextprotocol/client');
        const { StdioClientTransport } = require('@modelcontextprotocol/client/stdio');
        return { ...all, StdioClientTransport };
    }
    return {
        ...require('@modelcontextprotocol/sdk/client/index.js'),
        ...require('@modelcontextprotocol/sdk/client/stdio.js'),
        ...require('@modelcontextprotocol/sdk/client/streamableHttp.js'),
    };
}

const { Client, StdioClientTransport, StreamableHTTPClientTransport } = parts();
const token = process.env.VITRINE_TOKEN;
const [command, ...args] = where.split(' ');
const transport = where.startsWith('http')
    ? new StreamableHTTPClientTransport(new URL(where), {
          requestInit: { headers: token ? { Authorization: `Bearer ${token}` } : {} },
      })
    : new StdioClientTransport({ command, args, env: process.env, stderr: 'inherit' });
const options =
    sdk === 'client'
        ? { versionNegotiation: { mode: era === 'modern' ? { pin: '2026-07-28' } : 'legacy' } }
        : {};
const client = new Client(info, options);
const faults = [];
client.onerror = (error) => faults.push(String(error));
await client.connect(transport);

async function all(list, member) {
    const items = [];
    let cursor;
    do {
        const page = await list(cursor === undefined ? {} : { cursor });
        items.push(...page[member]);
        cursor = page.nextCursor;
    } while (cursor !== undefined);
    return items;
}

const out = {
    server: client.getServerVersion(),
    protocol: client.getNegotiatedProtocolVersion?.() ?? null,
    instructions: client.getInstructions(),
    tools: await all((p) => client.listTools(p), 'tools'),
    resources: await all((p) => client.listResources(p), 'resources'),
    templates: await all((p) => client.listResourceTemplates(p), 'resourceTemplates'),
    prompts: await all((p) => client.listPrompts(p), 'prompts'),
    results: {},
    contents: {},
    messages: {},
};
const ajv = new Ajv({ strict: true, allowUnionTypes: true, allErrors: true });
const checks = {};
for (const tool of out.tools) {
    ajv.compile(tool.inputSchema);
    checks[tool.name] = tool.outputSchema ? ajv.compile(tool.outputSchema) : undefined;
}
for (const [name, list] of Object.entries(wanted.tools ?? {})) {
    const result = await client.callTool({ name, arguments: list });
    out.results[name] = result;
    if (result.isError || !checks[name]) {
        continue;
    }
    const input = ajv.compile(out.tools.find((t) => t.name === name).inputSchema);
    if (!input(list)) {
        faults.push(`${name}: arguments against the schema: ${ajv.errorsText(input.errors)}`);
    }
    if (!checks[name](result.structuredContent)) {
        faults.push(`${name}: result against the schema: ${ajv.errorsText(checks[name].errors)}`);
    }
}
for (const uri of wanted.resources ?? []) {
    out.contents[uri] = (await client.readResource({ uri })).contents;
}
for (const [name, list] of Object.entries(wanted.prompts ?? {})) {
    out.messages[name] = (await client.getPrompt({ name, arguments: list })).messages;
}
out.faults = faults;
await client.close();
process.stdout.write(JSON.stringify(out) + '\n');
