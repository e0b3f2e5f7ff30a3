/* notices.js - short messages at the edge of the page, and questions that want a yes. */
import { el, iconButton } from './dom.js';

const SHOWN_MS = 6000;
const MOST = 4;
let list = null;

/** Shows a line for a while; errors stay until they are closed. kind: info, warning, error. */
export function say(message, kind = 'info') {
    if (list === null) {
        list = el('div', { class: 'notices', role: 'status', 'aria-live': 'polite' });
        document.body.append(list);
    }
    for (const old of list.children) {
        if (old.firstChild.textContent === message) {
            old.remove();
            break;
        }
    }
    while (list.children.length >= MOST) {
        list.firstChild.remove();
    }
    const notice = el('div', { class: `notice ${kind}` }, el('span', {}, message));
    notice.append(iconButton('close', 'Close this message', () => notice.remove()));
    list.append(notice);
    if (kind !== 'error') {
        setTimeout(() => notice.remove(), SHOWN_MS);
    }
}

/** A dialog; resolves to whether it was agreed to. `fields` are shown below the question. */
export function ask(question, yes, fields = null) {
    return new Promise((resolve) => {
        const form = el(
            'form',
            { method: 'dialog', class: 'ask-form' },
            el('p', { class: 'ask-title' }, question),
            fields,
            el(
                'div',
                { class: 'ask-buttons' },
                el(
                    'button',
                    { type: 'button', class: 'plain', on: { click: () => dialog.close('') } },
                    'Cancel',
                ),
                el('button', { type: 'submit', class: 'primary', value: 'yes' }, yes),
            ),
        );
        const dialog = el('dialog', { class: 'dialog', 'aria-label': question }, form);
        dialog.addEventListener('close', () => {
            dialog.remove();
            resolve(dialog.returnValue === 'yes');
        });
        document.body.append(dialog);
        dialog.showModal();
        (fields?.querySelector('input') ?? form.querySelector('.primary')).focus();
    });
}
