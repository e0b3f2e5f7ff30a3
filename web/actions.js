/* actions.js - what changes a VM: pause, resume, reset, stop, start; who may, and how it is asked. */
import * as api from './api.js';
import { el, iconButton } from './dom.js';
import { isAlive } from './machines.js';
import { ask, say } from './notices.js';

export const NO_TOKEN =
    'Changing a VM needs the token: open the link that `vitrine serve` prints, ' +
    'or give the token by the lock in the status line.';

/* A VM that ended is started as it was; one that nobody started here before, as the default guest of
 * that name and, where that is known, of its old size. */
async function start(vm) {
    try {
        return await api.post(api.vmPath(vm.name, '/start'));
    } catch (error) {
        if (error.code !== 'not_found') {
            throw error;
        }
        return api.post('vms', startBody(vm));
    }
}

function startBody(vm) {
    const body = { name: vm.name };
    for (const member of ['memory_bytes', 'cpus']) {
        if (Number.isSafeInteger(vm[member])) {
            body[member] = vm[member];
        }
    }
    return body;
}

const ACTIONS = {
    pause: {
        icon: 'pause',
        title: 'Pause',
        fits: (vm) => vm.state === 'running',
        run: (vm) => api.post(api.vmPath(vm.name, '/pause')),
    },
    resume: {
        icon: 'play',
        title: 'Resume',
        fits: (vm) => vm.state === 'paused',
        run: (vm) => api.post(api.vmPath(vm.name, '/resume')),
    },
    reset: {
        icon: 'reset',
        title: 'Reset',
        fits: (vm) => isAlive(vm) && vm.state !== 'shutdown',
        sure: (vm) => `Reset ${vm.name}? What the guest has not written to disk is lost.`,
        run: (vm) => api.post(api.vmPath(vm.name, '/reset')),
    },
    stop: {
        icon: 'stop',
        title: 'Stop',
        fits: isAlive,
        sure: (vm) => `Shut ${vm.name} down? It may take ten seconds, then it is turned off.`,
        run: (vm) => api.post(api.vmPath(vm.name, '/stop')),
    },
    start: {
        icon: 'play',
        title: 'Start',
        fits: (vm) => !isAlive(vm),
        run: start,
    },
};

/** Those that make sense for a VM as it is. */
function actionsOf(vm) {
    return Object.keys(ACTIONS).filter((name) => ACTIONS[name].fits(vm));
}

const busy = new Set(); /* names of VMs that something is done to */

async function act(machines, name, vm) {
    const action = ACTIONS[name];
    if (!api.hasToken()) {
        say(NO_TOKEN, 'warning');
        return;
    }
    if (busy.has(vm.name) || (action.sure && !(await ask(action.sure(vm), action.title)))) {
        return;
    }
    busy.add(vm.name);
    machines.dispatchEvent(new CustomEvent('list'));
    try {
        await action.run(vm);
    } catch (error) {
        say(`${action.title} ${vm.name}: ${error.message}`, 'error');
    } finally {
        busy.delete(vm.name);
        machines.refresh();
    }
}

/** Buttons for a VM. update(vm) makes them fit what it is now. */
export function actionButtons(machines) {
    const bar = el('div', { class: 'actions', role: 'group', 'aria-label': 'Power' });
    let vm = null,
        shown = '';
    const buttons = Object.fromEntries(
        Object.entries(ACTIONS).map(([name, action]) => [
            name,
            iconButton(
                action.icon,
                action.title,
                (event) => {
                    event.stopPropagation();
                    act(machines, name, vm);
                },
                { data: { action: name } },
            ),
        ]),
    );
    return {
        element: bar,
        update(now) {
            vm = now;
            const names = actionsOf(vm),
                token = api.hasToken(),
                wait = busy.has(vm.name);
            const key = `${names} ${token} ${wait}`;
            if (key === shown) {
                return;
            }
            shown = key;
            const focused = bar.contains(document.activeElement);
            bar.replaceChildren(...names.map((name) => buttons[name]));
            for (const name of names) {
                /* Not `disabled`: the reason can then be read by keyboard and told when it is pressed. */
                buttons[name].setAttribute('aria-disabled', String(!token || wait));
                buttons[name].title = !token
                    ? `${ACTIONS[name].title}: ${NO_TOKEN}`
                    : ACTIONS[name].title;
            }
            if (focused && !bar.contains(document.activeElement)) {
                bar.firstElementChild?.focus();
            }
        },
    };
}

/** Asks for a name and a size, and starts the default guest. */
export async function startNew(machines) {
    if (!api.hasToken()) {
        say(NO_TOKEN, 'warning');
        return;
    }
    let n = 1;
    while (machines.get(`vm${n}`)) {
        n++;
    }
    const name = el('input', {
        name: 'name',
        value: `vm${n}`,
        required: true,
        maxlength: 32,
        pattern: '[A-Za-z0-9][A-Za-z0-9._\\-]*',
        autocomplete: 'off',
        spellcheck: 'false',
    });
    const memory = el('input', {
        name: 'memory',
        type: 'number',
        value: 256,
        min: 96,
        max: 1048576,
        step: 1,
        required: true,
    });
    const cpus = el('input', {
        name: 'cpus',
        type: 'number',
        value: 1,
        min: 1,
        max: 255,
        required: true,
    });
    const image = el('input', {
        name: 'image',
        placeholder: 'default guest',
        maxlength: 128,
        autocomplete: 'off',
        spellcheck: 'false',
    });
    const fields = el(
        'div',
        { class: 'fields' },
        el('label', {}, 'Name', name),
        el('label', {}, 'RAM, MiB', memory),
        el('label', {}, 'CPUs', cpus),
        el('label', { title: "A file in the server's images folder" }, 'Image', image),
    );
    if (!(await ask('Start a virtual machine', 'Start', fields))) {
        return;
    }
    const body = {
        name: name.value,
        memory_bytes: Number(memory.value) * 1048576,
        cpus: Number(cpus.value),
    };
    if (image.value !== '') {
        body.image = image.value;
    }
    say(`Starting ${body.name} …`);
    try {
        await api.post('vms', body);
    } catch (error) {
        say(`${body.name}: ${error.message}`, 'error');
    }
    machines.refresh();
}
