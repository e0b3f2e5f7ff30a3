/* What every file of the page keeps to: nothing that a guest or a server says is parsed as HTML or
 * run, and nothing is loaded from elsewhere. */
import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { test } from 'node:test';

const ROOT = new URL('../../../web/', import.meta.url);
const files = readdirSync(ROOT, { recursive: true }).filter((f) => /\.(js|css|html|svg)$/.test(f));

const FORBIDDEN = [
    [/\b(inner|outer)HTML\b/, 'parses HTML'],
    [/\binsertAdjacentHTML\b|\bdocument\.write\b|\bDOMParser\b|\bsetHTMLUnsafe\b/, 'parses HTML'],
    [/\beval\s*\(|\bnew Function\b|\bset(Timeout|Interval)\(\s*['"`]/, 'runs a text'],
    [/\b(https?|wss?):\/\/(?!www\.w3\.org\/2000\/svg)[a-z0-9]/i, 'names another place'],
    [/\son[a-z]+\s*=\s*["']|javascript:/i, 'is a script in an attribute'],
];

test('there are files to look at', () => {
    assert.ok(files.length > 20, String(files.length));
});

for (const file of files) {
    test(`${file} loads nothing from elsewhere and parses no HTML`, () => {
        const text = readFileSync(new URL(file, ROOT), 'utf8');
        for (const [pattern, why] of FORBIDDEN) {
            const found = pattern.exec(text);
            assert.equal(found, null, `it ${why}: ${found?.[0]}`);
        }
    });
}

test('the page names only files that there are', () => {
    const page = readFileSync(new URL('index.html', ROOT), 'utf8');
    const named = [...page.matchAll(/(?:src|href)="\/web\/([^"]+)"/g)].map((m) => m[1]);
    assert.ok(named.includes('app.js'));
    for (const name of named) {
        assert.ok(files.includes(name), name);
    }
});
