/* theme.js - dark, light, or as the system has it. */
import { memory } from './dom.js';

/** Behind a volume: --bg of the style. */
export const BACKGROUNDS = { dark: '#0b0d11', light: '#eef0f3' };

const DARK = matchMedia('(prefers-color-scheme: dark)');
const CHOICES = ['auto', 'dark', 'light'];
let choice = CHOICES.includes(memory.get('theme', 'auto')) ? memory.get('theme', 'auto') : 'auto';
const listeners = [];

function apply() {
    const theme = choice === 'auto' ? (DARK.matches ? 'dark' : 'light') : choice;
    document.documentElement.dataset.theme = theme;
    listeners.forEach((f) => f(theme, choice));
}

/** The next of auto, dark, light. */
export function nextTheme() {
    choice = CHOICES[(CHOICES.indexOf(choice) + 1) % CHOICES.length];
    memory.set('theme', choice);
    apply();
}

/** Calls f(theme, choice) now and whenever it changes. */
export function onTheme(f) {
    listeners.push(f);
    f(document.documentElement.dataset.theme, choice);
}

DARK.addEventListener('change', apply);
apply();
