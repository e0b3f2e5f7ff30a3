/* api.js - the server: requests, their failures as text for people, the token, events as they come.
 *
 * The token is taken from the address (#token=…) into this tab's session and out of the address, so
 * that it is in no bookmark or history. Without it all can be read and nothing changed.
 */

const TOKEN_KEY = 'vitrine.token';
let token = null;
const tokenListeners = new Set();

/** A request that failed: `message` is for people, `code` the server's word for programs, `status`
 *  0 where no server answered. */
class ApiError extends Error {
    constructor(status, code, message) {
        super(message);
        this.status = status;
        this.code = code;
    }
    get gone() {
        return this.status === 0;
    }
}

/* ---------------------------------------------------------------- the token */

function remember(value, why = '') {
    token = value;
    try {
        if (value === null) {
            sessionStorage.removeItem(TOKEN_KEY);
        } else {
            sessionStorage.setItem(TOKEN_KEY, value);
        }
    } catch {
        /* a browser that keeps nothing: the token lasts until the page is left */
    }
    tokenListeners.forEach((f) => f(value !== null, why));
}

/** Reads the token from the address or this tab's session. Call it before the first request. */
export function takeToken() {
    const found = /[#&]token=([^&]*)/.exec(location.hash);
    if (found) {
        const rest = location.hash.replace(/[#&]token=[^&]*/, '');
        history.replaceState(
            null,
            '',
            location.pathname + location.search + (rest.length > 1 ? rest : ''),
        );
        remember(decodeURIComponent(found[1]) || null);
        return;
    }
    try {
        token = sessionStorage.getItem(TOKEN_KEY);
    } catch {
        token = null;
    }
}

export function setToken(value) {
    remember(value || null);
}

export function hasToken() {
    return token !== null;
}

/** Subprotocols of a WebSocket: browsers cannot set its headers, so the token is offered as one. */
export function protocols(name) {
    return token === null ? [name] : [name, `vitrine.token.${token}`];
}

/** Calls f(whether there is a token, why there is none any more) whenever that changes. */
export function onToken(f) {
    tokenListeners.add(f);
}

/* ---------------------------------------------------------------- requests */

function address(path, params) {
    const url = new URL(path.startsWith('/') ? path : `/api/v1/${path}`, location.origin);
    for (const [key, value] of Object.entries(params ?? {})) {
        if (value !== undefined && value !== null) {
            url.searchParams.set(key, String(value));
        }
    }
    return url;
}

async function failure(response) {
    let code = `http_${response.status}`,
        message = `${response.status} ${response.statusText}`.trim();
    try {
        const problem = await response.json();
        code = problem.code ?? code;
        message = problem.detail ?? problem.title ?? message;
    } catch {
        /* no problem document: the status says it */
    }
    if (response.status === 401 && token !== null) {
        message = "This is not the server's token: it makes a new one at each start.";
        remember(null, message);
    }
    return new ApiError(response.status, code, message);
}

export async function request(method, path, { params, body, signal, as = 'json' } = {}) {
    const headers = token === null ? {} : { Authorization: `Bearer ${token}` };
    if (body !== undefined) {
        headers['Content-Type'] = 'application/json';
    }
    let response;
    try {
        response = await fetch(address(path, params), {
            method,
            headers,
            signal,
            cache: 'no-cache',
            body: body === undefined ? undefined : JSON.stringify(body),
        });
    } catch (error) {
        if (error.name === 'AbortError') {
            throw error;
        }
        throw new ApiError(0, 'unreachable', 'The server does not answer.');
    }
    if (!response.ok) {
        throw await failure(response);
    }
    return response[as]();
}

export const get = (path, params, signal) => request('GET', path, { params, signal });
export const post = (path, body = {}) => request('POST', path, { body });
export const put = (path, body) => request('PUT', path, { body });
export const remove = (path) => request('DELETE', path);
export const vmPath = (vm, rest = '') => `vms/${encodeURIComponent(vm)}${rest}`;

/** Rows of a read-only query as arrays; see docs/database.md for the tables. */
export async function sql(vm, query, limit = 10000, signal) {
    return (await get(vmPath(vm, '/sql'), { query, limit }, signal)).rows;
}

/* ---------------------------------------------------------------- events */

const RETRY_FIRST_MS = 500;
const RETRY_MOST_MS = 10000;

/** Keeps a WebSocket at /api/v1/events open. onMessage(message); onState('open' | 'waiting', whenMs):
 *  waiting until then to try again. Returns {close, retry}. */
export function openEvents({ onMessage, onState }) {
    let socket = null,
        timer = 0,
        wait = RETRY_FIRST_MS,
        closed = false;
    const connect = () => {
        clearTimeout(timer);
        const url = new URL('/api/v1/events?pages=true', location.href);
        url.protocol = url.protocol === 'https:' ? 'wss:' : 'ws:';
        socket = new WebSocket(url, protocols('vitrine.events.v1'));
        socket.onopen = () => {
            wait = RETRY_FIRST_MS;
            onState('open');
        };
        socket.onmessage = (event) => {
            let message;
            try {
                message = JSON.parse(event.data);
            } catch {
                return;
            }
            onMessage(message);
        };
        socket.onclose = () => {
            if (!closed) {
                /* Some way off the doubled time, so that many pages do not come back in one moment. */
                const ms = wait * (0.75 + Math.random() / 2);
                wait = Math.min(wait * 2, RETRY_MOST_MS);
                timer = setTimeout(connect, ms);
                onState('waiting', Date.now() + ms);
            }
        };
    };
    connect();
    return {
        close() {
            closed = true;
            clearTimeout(timer);
            socket.close();
        },
        retry() {
            if (socket.readyState === WebSocket.CLOSED) {
                wait = RETRY_FIRST_MS;
                connect();
            }
        },
    };
}
