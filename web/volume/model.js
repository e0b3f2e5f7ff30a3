/* model.js - a VM's RAM as its stream tells it: cells of pages by level, what pages are, who owns
 * them, when they were written, what is highlighted. Knows no WebGL; a renderer asks what is dirty.
 *
 *   places       which brick a page is (hilbert.js); cells of coarser levels are made here
 *   fine pages   those near the camera, at a finer level than all are, in a pool of slots
 *   attributes   class (8 bits) | owner (8) | highlight, 0 or 1 + index (9): as on the device
 *   dirty        what changed since a renderer last took it
 */
import { BRICK_SIDE, BRICK_VOXELS, bricks, distanceOf } from './hilbert.js';
import { cellsOfLevel } from './message.js';

export const HOLE = 0xffffffff;
export const CLASS_HOLE = 0;
export const COARSEST = 4;
export const NO_SLOT = 0;
/** Tables by page are textures so wide. */
export const TABLE_WIDTH = 1024;

/** Numbers below `size` that are marked. */
export class Marks {
    constructor(size) {
        this.flags = new Uint8Array(size);
        this.size = 0;
        this.low = size; /* none below is */
    }

    add(i) {
        if (this.flags[i] === 0) {
            this.flags[i] = 1;
            this.size++;
            this.low = Math.min(this.low, i);
        }
    }

    addAll() {
        this.flags.fill(1);
        this.size = this.flags.length;
        this.low = 0;
    }

    /** The marked numbers, ascending; at most `most` of them. They are marked no more. */
    take(most = Infinity) {
        const taken = [];
        while (this.size > 0 && taken.length < most) {
            const i = this.flags.indexOf(1, this.low);
            taken.push(i);
            this.flags[i] = 0;
            this.low = i + 1;
            this.size--;
        }
        return taken;
    }
}

/* The mean of 2^shift bytes: rounded, and 0 only where all are 0. */
const mean = (sum, shift) => Math.max((sum + (1 << (shift - 1))) >> shift, sum > 0 ? 1 : 0);

export class Model {
    /** `base`: the level that all pages have cells of. */
    constructor(hello, base) {
        this.info = hello;
        this.order = hello.order;
        this.grid = [...hello.grid];
        this.pages = hello.pages;
        this.base = base;
        const n = this.pages, rows = Math.ceil(n / TABLE_WIDTH);
        this.cells = [];
        for (let level = base; level <= COARSEST; level++) {
            this.cells[level] = new Uint8Array(Math.ceil(n * cellsOfLevel(level) / 64) * 64);
        }
        this.attributes = new Uint32Array(rows * TABLE_WIDTH);
        this.newest = new Uint32Array(rows * TABLE_WIDTH);
        this.slots = new Uint32Array(base > 0 ? rows * TABLE_WIDTH : 0);
        this.brickWords = new Uint32Array(this.grid[0] * this.grid[1] * this.grid[2]).fill(HOLE);
        this.dirty = {
            pages: new Marks(n), bricks: new Marks(this.grid[2]), skip: new Marks(n),
            attributes: new Marks(rows), newest: new Marks(rows), slots: new Marks(base > 0 ? rows : 0),
            fine: new Marks(0), tables: true,
        };
        this.place();
        this.pool = null;
        this.highlights = [];
        this.owners = [];
        this.highestOwner = 0;
        this.version = 0; /* grows with each change that a picture may show */
        this.updates = 0;
        this.hottest = 0; /* newest of all `newest` */
    }

    /* Which brick each page is, and how it is turned. */
    place() {
        const table = bricks(), brick = [0, 0, 0], [gx, gy] = this.grid;
        this.brickOf = new Uint32Array(this.pages);
        this.orientation = new Uint8Array(this.pages);
        for (let page = 0; page < this.pages; page++) {
            this.orientation[page] = table.ofPage(this.order, page, brick);
            this.brickOf[page] = (brick[2] * gy + brick[1]) * gx + brick[0];
        }
    }

    /* ---- what came ---- */

    /** A message of kind pages (message.js), also of a level coarser than the base. `nowMs`: when, for
     *  those that were written just now. */
    takePages(message, nowMs) {
        const c = cellsOfLevel(message.level), fine = message.level < this.base;
        if (fine && this.pool?.level !== message.level) {
            return; /* of a level that is not wanted any more */
        }
        let at = 0;
        for (let r = 0; r < message.runs.length; r += 2) {
            const first = message.runs[r], n = message.runs[r + 1];
            const cells = message.cells.subarray(at, at + n * c);
            at += n * c;
            if (fine) {
                this.takeFine(first, n, cells);
            } else {
                this.cells[message.level].set(cells, first * c);
                this.refine(message.level, first, first + n);
                this.coarsen(this.cells, message.level, first, first + n);
                for (let page = first; page < first + n; page++) {
                    this.dirty.pages.add(page);
                    this.dirty.skip.add(page);
                }
            }
            for (let page = first; page < first + n && !message.key; page++) {
                this.newest[page] = nowMs;
                this.dirty.newest.add(Math.floor(page / TABLE_WIDTH));
            }
        }
        this.hottest = message.key ? this.hottest : Math.max(this.hottest, nowMs);
        this.updates += message.key ? 0 : 1;
        this.version++;
    }

    /* Coarser levels of places [from, to) (pages or slots), from those of `level`: exact where that
     * is 0, else means of means. The curve's order makes a cell eight of the finer level's. */
    coarsen(cells, level, from, to) {
        for (let finer = level; finer < COARSEST && cells[finer + 1] !== undefined; finer++) {
            const a = cells[finer], b = cells[finer + 1];
            const c = cellsOfLevel(finer + 1);
            for (let i = from * c, end = to * c, k = i * 8; i < end; i++, k += 8) {
                const sum = a[k] + a[k + 1] + a[k + 2] + a[k + 3] + a[k + 4] + a[k + 5] + a[k + 6] +
                    a[k + 7];
                b[i] = sum === 0 ? 0 : mean(sum, 3);
            }
        }
    }

    /* Cells finer than those of `level`, until better ones come. */
    refine(level, from, to) {
        for (let l = level - 1; l >= this.base; l--) {
            const a = this.cells[l + 1], b = this.cells[l], c = cellsOfLevel(l + 1);
            for (let i = from * c; i < to * c; i++) {
                b.fill(a[i], i * 8, i * 8 + 8);
            }
        }
    }

    /** A message of kind attributes. */
    takeAttributes(message) {
        let at = 0;
        for (let r = 0; r < message.runs.length; r += 2) {
            const end = message.runs[r] + message.runs[r + 1];
            for (let page = message.runs[r]; page < end; page++, at += 2) {
                this.setAttributes(page, message.attributes[at], message.attributes[at + 1]);
            }
        }
        this.version++;
    }

    setAttributes(page, pageClass, owner) {
        const was = this.attributes[page], is = (was & ~0xffff) | pageClass | owner << 8;
        if ((is >>> 0) === was) {
            return;
        }
        this.attributes[page] = is;
        if (owner > this.highestOwner) {
            this.highestOwner = owner;
            this.dirty.tables = true;
        }
        this.dirty.attributes.add(Math.floor(page / TABLE_WIDTH));
        this.dirty.skip.add(page);
        const brick = this.brickOf[page];
        const word = pageClass === CLASS_HOLE ? HOLE : (page * 64 + this.orientation[page]) >>> 0;
        if (this.brickWords[brick] !== word) {
            this.brickWords[brick] = word;
            this.dirty.bricks.add(Math.floor(brick / (this.grid[0] * this.grid[1])));
        }
    }

    /** Owner 1 is the first of [{pid, name}]. */
    setOwners(owners) {
        this.owners = owners;
        this.dirty.tables = true;
        this.version++;
    }

    /** [{name, label, colour: "#rrggbb", pages: [[first, n]…], boxes}], of several on a page the
     *  last. */
    setHighlights(highlights) {
        const rows = this.dirty.attributes, of = new Uint16Array(this.pages);
        highlights.slice(0, 511).forEach((h, i) => {
            for (const [first, n] of h.pages) {
                of.fill(i + 1, Math.min(first, this.pages), Math.min(first + n, this.pages));
            }
        });
        for (let page = 0; page < this.pages; page++) {
            const was = this.attributes[page];
            if (was >>> 16 !== of[page]) {
                this.attributes[page] = (was & 0xffff) | of[page] << 16;
                rows.add(Math.floor(page / TABLE_WIDTH));
            }
        }
        this.highlights = highlights;
        this.dirty.tables = true;
        this.version++;
    }

    /* ---- fine pages ---- */

    /** Room for `slots` pages at a level finer than the base. */
    makePool(level, slots) {
        const cells = [];
        for (let l = level; l < this.base; l++) {
            cells[l] = new Uint8Array(slots * cellsOfLevel(l));
        }
        this.pool = {
            level, size: slots, cells, wanted: new Set(), free: Array.from({ length: slots }, (_, i) => slots - i),
        };
        this.dirty.fine = new Marks(slots);
    }

    /** From now on these pages (a Set) are fine; others leave the pool. */
    wantFine(pages) {
        const { wanted, free } = this.pool;
        for (const page of wanted) {
            if (!pages.has(page) && this.slots[page] !== NO_SLOT) {
                free.push(this.slots[page]);
                this.slots[page] = NO_SLOT;
                this.dirty.slots.add(Math.floor(page / TABLE_WIDTH));
                this.version++;
            }
        }
        this.pool.wanted = pages;
    }

    takeFine(first, n, cells) {
        const { pool } = this, c = cellsOfLevel(pool.level);
        for (let i = 0; i < n; i++) {
            const page = first + i;
            if (!pool.wanted.has(page)) {
                continue;
            }
            if (this.slots[page] === NO_SLOT) {
                if (pool.free.length === 0) {
                    continue;
                }
                this.slots[page] = pool.free.pop();
                this.dirty.slots.add(Math.floor(page / TABLE_WIDTH));
            }
            const slot = this.slots[page] - 1;
            pool.cells[pool.level].set(cells.subarray(i * c, (i + 1) * c), slot * c);
            this.coarsen(pool.cells, pool.level, slot, slot + 1);
            this.dirty.fine.add(slot);
        }
    }

    /* ---- questions ---- */

    /** The finest level there is of a page. */
    levelOf(page) {
        return this.slots.length > 0 && this.slots[page] !== NO_SLOT ? this.pool.level : this.base;
    }

    /** What is known of a page: {class, owner, highlight, newest}, by number. */
    attributeOf(page) {
        const a = this.attributes[page];
        return {
            class: a & 255, owner: a >>> 8 & 255, highlight: a >>> 16 & 511,
            newest: this.newest[page],
        };
    }

    /** The cells of a page (a view; by default its finest level). */
    cellsOf(page, level = this.levelOf(page)) {
        const c = cellsOfLevel(level);
        return level < this.base
            ? this.pool.cells[level].subarray((this.slots[page] - 1) * c, this.slots[page] * c)
            : this.cells[level].subarray(page * c, (page + 1) * c);
    }

    /** The brick's word at a voxel; HOLE also outside the grid. */
    brickAt(x, y, z) {
        const [gx, gy, gz] = this.grid;
        const bx = Math.floor(x / BRICK_SIDE), by = Math.floor(y / BRICK_SIDE);
        const bz = Math.floor(z / BRICK_SIDE);
        return bx >= 0 && by >= 0 && bz >= 0 && bx < gx && by < gy && bz < gz
            ? this.brickWords[(bz * gy + by) * gx + bx] : HOLE;
    }

    /** What lies at a voxel: {page, offset in the RAM file, value, level}, or null. */
    voxel(x, y, z) {
        const word = this.brickAt(x, y, z);
        if (word === HOLE) {
            return null;
        }
        const page = Math.floor(word / 64), level = this.levelOf(page);
        const table = bricks().offset;
        const byte = table[(word & 31) * BRICK_VOXELS + (x & 15) + 16 * (y & 15) + 256 * (z & 15)];
        return { page, offset: page * BRICK_VOXELS + byte, level,
            value: this.cellsOf(page, level)[byte >> (3 * level)] };
    }

    /** The page whose brick a voxel is in, hole or not; -1: past the end of RAM. */
    pageAt(voxel) {
        const page = Math.floor(distanceOf(this.order, voxel) / BRICK_VOXELS);
        return page < this.pages ? page : -1;
    }

    /** The guest-physical address of a byte of the RAM file, or null. */
    gpaOf(offset) {
        const { regions } = this.info;
        if (regions.length === 0) {
            return offset;
        }
        const r = regions.find((g) => offset >= g.offset && offset < g.offset + g.bytes);
        return r === undefined ? null : r.gpa + (offset - r.offset);
    }

    /** All is to be given to a renderer again: it lost what it had. */
    allDirty() {
        for (const name of ['pages', 'skip', 'bricks', 'attributes', 'newest', 'slots', 'fine']) {
            this.dirty[name].addAll();
        }
        this.dirty.tables = true;
        this.version++;
    }
}
