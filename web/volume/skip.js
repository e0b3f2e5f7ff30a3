/* skip.js - what rays may leap over: for each brick 0 where there is something to be seen, else m:
 * the node of 2^(m - 1) bricks a side that it lies in has nothing, and the next larger one has.
 *
 * What is to be seen depends on the scene, so a change of that makes all of it anew; pages that
 * changed make only the tiles (largest nodes) anew that they lie in.
 */
import { COARSEST, HOLE, Marks } from './model.js';
import { cellsOfLevel } from './message.js';

const TILE_LEVEL_MAX = 4; /* 16^3 bricks */

export class SkipGrid {
    constructor(model) {
        this.model = model;
        let top = 0;
        while (top < TILE_LEVEL_MAX && 1 << top < Math.max(...model.grid)) {
            top++;
        }
        this.top = top;
        this.side = 1 << top;
        this.tiles = model.grid.map((n) => Math.ceil(n / this.side));
        /** Bricks of the texture: the grid, in whole tiles. */
        this.size = this.tiles.map((n) => n * this.side);
        this.tile = new Uint8Array(this.side ** 3);
        this.empty = new Uint8Array(model.grid[0] * model.grid[1] * model.grid[2]).fill(1);
        this.stale = new Marks(this.tiles[0] * this.tiles[1] * this.tiles[2]);
        this.stale.addAll();
        this.seen = null; /* what was to be seen by the tables that this is made with */
    }

    /* Whether a page has nothing that tables (look.js) let be seen. */
    isEmpty(page, tables) {
        const { model } = this, a = model.attributes[page];
        if (model.brickWords[model.brickOf[page]] === HOLE || tables.opacity[a & 31] === 0) {
            return true;
        }
        return tables.absorption[0] === 0 && model.cells[COARSEST][page * cellsOfLevel(COARSEST)] === 0;
    }

    /** Pages (a list) may have changed. */
    pagesChanged(pages, tables) {
        const { model, empty, top, tiles } = this, [gx, gy] = model.grid;
        for (const page of pages) {
            const brick = model.brickOf[page], is = this.isEmpty(page, tables) ? 1 : 0;
            if (empty[brick] !== is) {
                empty[brick] = is;
                const x = brick % gx, y = Math.floor(brick / gx) % gy, z = Math.floor(brick / gx / gy);
                this.stale.add(((z >> top) * tiles[1] + (y >> top)) * tiles[0] + (x >> top));
            }
        }
    }

    /** Other tables: the scene changed, or colours did, which does not matter here. */
    tablesChanged(tables) {
        const { model } = this, seen = `${tables.absorption[0] > 0} ${tables.opacity.map((o) => o > 0 ? 1 : 0)}`;
        if (seen === this.seen) {
            return;
        }
        this.seen = seen;
        for (let page = 0; page < model.pages; page++) {
            this.empty[model.brickOf[page]] = this.isEmpty(page, tables) ? 1 : 0;
        }
        this.stale.addAll();
    }

    /** Makes stale tiles anew: `take(x, y, z, bytes)` with a tile's corner in bricks. */
    flush(take) {
        const { tiles, side } = this;
        for (const i of this.stale.take()) {
            const x = i % tiles[0], y = Math.floor(i / tiles[0]) % tiles[1];
            const z = Math.floor(i / tiles[0] / tiles[1]);
            this.makeTile(x * side, y * side, z * side);
            take(x * side, y * side, z * side, this.tile);
        }
    }

    makeTile(x0, y0, z0) {
        const { model, empty, tile, side, top } = this, [gx, gy, gz] = model.grid;
        for (let z = 0, i = 0; z < side; z++) {
            for (let y = 0; y < side; y++) {
                for (let x = 0; x < side; x++, i++) {
                    const inGrid = x0 + x < gx && y0 + y < gy && z0 + z < gz;
                    tile[i] = inGrid ? empty[((z0 + z) * gy + y0 + y) * gx + x0 + x] : 1;
                }
            }
        }
        for (let m = 1; m <= top; m++) {
            this.joinNodes(m);
        }
    }

    /* Nodes of 2^m whose eight children have nothing become one. */
    joinNodes(m) {
        const { tile, side } = this, size = 1 << m, half = size >> 1;
        const at = (x, y, z) => (z * side + y) * side + x;
        for (let z = 0; z < side; z += size) {
            for (let y = 0; y < side; y += size) {
                for (let x = 0; x < side; x += size) {
                    let all = true;
                    for (let k = 0; k < 8 && all; k++) {
                        all = tile[at(x + (k & 1) * half, y + (k >> 1 & 1) * half,
                            z + (k >> 2) * half)] === m;
                    }
                    for (let dz = 0; all && dz < size; dz++) {
                        for (let dy = 0; dy < size; dy++) {
                            const row = at(x, y + dy, z + dz);
                            tile.fill(m + 1, row, row + size);
                        }
                    }
                }
            }
        }
    }
}
