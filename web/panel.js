/* panel.js - the side panel of a window: a rail of tabs, of which one is open or none. A tab is an
 * object {id, icon, title, element, open(), sampled(message)}; it asks the server only while it is
 * open. */
import { el, icon } from './dom.js';
import { highlightsTab } from './panel_highlights.js';
import { mapsTab, modulesTab, mountsTab, processesTab } from './panel_lists.js';
import { sceneTab } from './panel_scene.js';
import { whatTab } from './panel_what.js';

export class Panel {
    /** `host` is the window: {vm, light, fly, volume, picked, say}. */
    constructor(host, openId, changed) {
        this.changed = changed;
        this.host = host;
        this.tabs = [
            processesTab,
            modulesTab,
            mountsTab,
            mapsTab,
            highlightsTab,
            whatTab,
            sceneTab,
        ].map((make) => make(host));
        this.title = el('h3', { class: 'panel-title' });
        this.tools = el('div', { class: 'panel-tools' });
        this.content = el('div', { class: 'panel-content' });
        this.drawer = el(
            'div',
            { class: 'panel-drawer', role: 'tabpanel' },
            el('div', { class: 'panel-head' }, this.title, this.tools),
            this.content,
        );
        this.buttons = this.tabs.map((tab) =>
            el(
                'button',
                {
                    type: 'button',
                    role: 'tab',
                    class: 'rail-button',
                    title: tab.title,
                    data: { tab: tab.id },
                    on: { click: () => this.show(this.openId === tab.id ? null : tab.id) },
                },
                icon(tab.icon),
                el('span', {}, tab.title),
            ),
        );
        this.rail = el(
            'div',
            {
                class: 'panel-rail',
                role: 'tablist',
                'aria-label': 'Panel',
                'aria-orientation': 'vertical',
            },
            this.buttons,
        );
        this.rail.addEventListener('keydown', (e) => this.#key(e));
        this.element = el('aside', { class: 'panel' }, this.drawer, this.rail);
        this.show(openId);
    }

    get current() {
        return this.tabs.find((tab) => tab.id === this.openId);
    }

    tab(id) {
        return this.tabs.find((tab) => tab.id === id);
    }

    show(id) {
        this.openId = this.tab(id) ? id : null;
        const tab = this.current;
        this.lastId = this.openId ?? this.lastId ?? this.tabs[0].id;
        this.element.classList.toggle('closed', !tab);
        this.buttons.forEach((button, i) => {
            const on = this.tabs[i] === tab;
            button.setAttribute('aria-selected', String(on));
            button.tabIndex = on || (!tab && i === 0) ? 0 : -1;
        });
        if (tab) {
            this.title.textContent = tab.title;
            this.drawer.setAttribute('aria-label', tab.title);
            this.tools.replaceChildren(...(tab.tools ?? []));
            this.content.replaceChildren(tab.element);
            tab.open?.();
        }
        this.changed?.();
    }

    toggle() {
        this.show(this.openId ? null : this.lastId);
    }

    /** A sample of this VM was taken: what is open looks again. */
    sampled(message) {
        this.current?.sampled?.(message);
    }

    #key(event) {
        const by = { ArrowDown: 1, ArrowRight: 1, ArrowUp: -1, ArrowLeft: -1 }[event.key];
        if (by) {
            const at = this.buttons.indexOf(document.activeElement);
            const to = this.buttons[(at + by + this.buttons.length) % this.buttons.length];
            this.buttons.forEach((b) => {
                b.tabIndex = b === to ? 0 : -1;
            });
            to.focus();
            event.preventDefault();
            event.stopPropagation();
        }
    }
}

/** A line that says why there is nothing, in place of content. */
export function complaint(error) {
    return el('p', { class: 'complaint' }, error.message);
}
