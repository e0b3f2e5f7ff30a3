/* textures.js - a model on the device: its tables as textures (common.glsl says what they are), kept
 * up to date by what the model says is dirty.
 *
 * Cells: a column is 64 texels wide, and the places in it (pages, or slots of fine pages) follow
 * each other as they do in the model's arrays. So a run of pages is one rectangle per column, and
 * its bytes go up from where they lie.
 */
import { bricks, BRICK_VOXELS, ORIENTATIONS } from './hilbert.js';
import { cellsOfLevel } from './message.js';
import { COARSEST, TABLE_WIDTH } from './model.js';
import { COLOURS_ROWS, COLOURS_WIDTH } from './look.js';
import { SkipGrid } from './skip.js';

const COLUMN = 64;
const GAP_ROWS = 64; /* two pieces so near each other go up as one */
const SLICES_AT_ONCE = 64;

/** How places of a level lie in columns: {shift: of places a column, width, height}. */
export function columnsOf(level, places, sideMax) {
    const c = cellsOfLevel(level), rows = Math.ceil(places * c / COLUMN);
    let height = Math.max(c / COLUMN, 1);
    while (height < rows && height * 2 <= sideMax) {
        height *= 2;
    }
    const shift = Math.log2(height * COLUMN / c);
    return { shift, height, width: Math.ceil(places / 2 ** shift) * COLUMN };
}

/** Whether pages of a level fit textures of a side. */
export function fits(level, pages, sideMax) {
    return columnsOf(level, pages, sideMax).width <= sideMax;
}

export class VolumeTextures {
    /* `gl` is a WebGL2 context. Throws where memory of the device ends. */
    constructor(gl, model) {
        this.gl = gl;
        this.model = model;
        this.all = [];
        this.columns = [];
        this.skip = new SkipGrid(model);
        this.sideMax = gl.getParameter(gl.MAX_TEXTURE_SIZE);
        gl.pixelStorei(gl.UNPACK_ALIGNMENT, 1);
        const rows = model.attributes.length / TABLE_WIDTH, [gx, gy, gz] = model.grid;
        this.bricks = this.make3d(gl.R32UI, gx, gy, gz);
        this.skips = this.make3d(gl.R8UI, ...this.skip.size);
        this.offsets = this.make2d(gl.R16UI, BRICK_VOXELS, ORIENTATIONS);
        this.attributes = this.make2d(gl.R32UI, TABLE_WIDTH, rows);
        this.newest = this.make2d(gl.R32UI, TABLE_WIDTH, rows);
        this.slots = this.make2d(gl.R32UI, TABLE_WIDTH, model.base > 0 ? rows : 1);
        this.opacities = this.make2d(gl.R32F, 256, 2);
        this.colours = this.make2d(gl.RGBA8, COLOURS_WIDTH, COLOURS_ROWS);
        this.nothing = this.make2d(gl.R8UI, 1, 1);
        this.cells = Array(COARSEST + 1).fill(this.nothing);
        for (let level = model.base; level <= COARSEST; level++) {
            this.makeCells(level, model.pages);
        }
        this.pool = null;
        this.upload2d(this.offsets, 0, 0, BRICK_VOXELS, ORIENTATIONS, gl.RED_INTEGER, gl.UNSIGNED_SHORT,
            bricks().offset, 0);
        if (gl.getError() === gl.OUT_OF_MEMORY) {
            this.destroy();
            throw new Error('the graphics device has not enough memory');
        }
        this.tables = null;
        model.allDirty();
    }

    destroy() {
        for (const texture of this.all) {
            this.gl.deleteTexture(texture);
        }
        this.all = [];
    }

    /* ---- making ---- */

    make(target) {
        const { gl } = this, texture = gl.createTexture();
        this.all.push(texture);
        gl.bindTexture(target, texture);
        gl.texParameteri(target, gl.TEXTURE_MIN_FILTER, gl.NEAREST);
        gl.texParameteri(target, gl.TEXTURE_MAG_FILTER, gl.NEAREST);
        return texture;
    }

    make2d(format, width, height) {
        const texture = this.make(this.gl.TEXTURE_2D);
        this.gl.texStorage2D(this.gl.TEXTURE_2D, 1, format, width, height);
        return texture;
    }

    make3d(format, x, y, z) {
        const texture = this.make(this.gl.TEXTURE_3D);
        this.gl.texStorage3D(this.gl.TEXTURE_3D, 1, format, x, y, z);
        return texture;
    }

    makeCells(level, places) {
        const columns = columnsOf(level, places, this.sideMax);
        this.columns[level] = columns;
        this.cells[level] = this.make2d(this.gl.R8UI, columns.width, columns.height);
    }

    upload2d(texture, x, y, width, height, format, type, from, at) {
        const { gl } = this;
        gl.bindTexture(gl.TEXTURE_2D, texture);
        gl.texSubImage2D(gl.TEXTURE_2D, 0, x, y, width, height, format, type, from, at);
    }

    /* ---- keeping up to date ---- */

    /** Takes what changed to the device: at most so many pages' cells. `tables` of look.js. True:
     *  there is more. */
    flush(tables, pagesMax) {
        const { model, gl } = this, { dirty } = model;
        if (model.pool !== null && this.pool === null) {
            this.pool = model.pool;
            for (let level = model.pool.level; level < model.base; level++) {
                this.makeCells(level, model.pool.size);
            }
        }
        this.flushTables(tables);
        const pages = dirty.pages.take(pagesMax), slots = dirty.fine.take(pagesMax);
        for (let level = model.base; level <= COARSEST && pages.length > 0; level++) {
            this.flushCells(level, pages, model.cells[level]);
        }
        for (let level = model.pool?.level ?? model.base; level < model.base && slots.length > 0; level++) {
            this.flushCells(level, slots, model.pool.cells[level]);
        }
        this.flushRows(this.attributes, dirty.attributes, model.attributes);
        this.flushRows(this.newest, dirty.newest, model.newest);
        this.flushRows(this.slots, dirty.slots, model.slots);
        this.flushBricks();
        /* All that is known of a page by now is to be seen, its cells at the latest with the rest. */
        this.skip.pagesChanged(dirty.skip.take(), tables);
        this.skip.flush((x, y, z, bytes) => {
            const { side } = this.skip;
            gl.bindTexture(gl.TEXTURE_3D, this.skips);
            gl.texSubImage3D(gl.TEXTURE_3D, 0, x, y, z, side, side, side, gl.RED_INTEGER,
                gl.UNSIGNED_BYTE, bytes);
        });
        return dirty.pages.size > 0 || dirty.fine.size > 0;
    }

    flushTables(tables) {
        if (tables === this.tables) {
            return;
        }
        const { gl } = this, { absorption, opacity, colours } = tables;
        this.upload2d(this.opacities, 0, 0, 256, 1, gl.RED, gl.FLOAT, absorption, 0);
        this.upload2d(this.opacities, 0, 1, opacity.length, 1, gl.RED, gl.FLOAT, opacity, 0);
        this.upload2d(this.colours, 0, 0, COLOURS_WIDTH, COLOURS_ROWS, gl.RGBA, gl.UNSIGNED_BYTE, colours, 0);
        this.tables = tables;
        this.skip.tablesChanged(tables);
    }

    /* `places`: ascending. Pieces of a column that lie near each other go up together. */
    flushCells(level, places, from) {
        const { gl } = this, { shift } = this.columns[level], c = cellsOfLevel(level);
        const perColumn = 2 ** shift, texture = this.cells[level];
        let column = -1, y0 = 0, y1 = 0;
        const put = () => {
            if (column >= 0) {
                this.upload2d(texture, column * COLUMN, y0, COLUMN, y1 - y0, gl.RED_INTEGER,
                    gl.UNSIGNED_BYTE, from, column * perColumn * c + y0 * COLUMN);
            }
        };
        for (const place of places) {
            const of = Math.floor(place / perColumn), first = (place % perColumn) * c;
            const low = Math.floor(first / COLUMN), high = Math.ceil((first + c) / COLUMN);
            if (of !== column || low > y1 + GAP_ROWS) {
                put();
                column = of;
                y0 = low;
            }
            y1 = high;
        }
        put();
    }

    /* Rows of a table by page, in runs. */
    flushRows(texture, marks, from) {
        const { gl } = this, rows = marks.take();
        for (let i = 0, end; i < rows.length; i = end) {
            for (end = i + 1; end < rows.length && rows[end] === rows[end - 1] + 1; end++);
            this.upload2d(texture, 0, rows[i], TABLE_WIDTH, end - i, gl.RED_INTEGER, gl.UNSIGNED_INT,
                from, rows[i] * TABLE_WIDTH);
        }
    }

    flushBricks() {
        const { gl, model } = this, [gx, gy] = model.grid, slices = model.dirty.bricks.take();
        gl.bindTexture(gl.TEXTURE_3D, this.bricks);
        for (let i = 0, end; i < slices.length; i = end) {
            for (end = i + 1; end < slices.length && end - i < SLICES_AT_ONCE &&
                slices[end] === slices[end - 1] + 1; end++);
            gl.texSubImage3D(gl.TEXTURE_3D, 0, 0, 0, slices[i], gx, gy, end - i, gl.RED_INTEGER,
                gl.UNSIGNED_INT, model.brickWords, slices[i] * gx * gy);
        }
    }

    /* ---- drawing ---- */

    /** Binds all of it to units 0 … and says what a program (renderer.js) must know of it. */
    bind(program) {
        const { gl, model } = this, u = program.uniforms;
        const flat = {
            cells0: this.cells[0], cells1: this.cells[1], cells2: this.cells[2], cells3: this.cells[3],
            cells4: this.cells[4], offsets: this.offsets, attributes: this.attributes,
            newest: this.newest, slots: this.slots, opacities: this.opacities, colours: this.colours,
        };
        let unit = 0;
        for (const [name, texture] of Object.entries(flat)) {
            gl.activeTexture(gl.TEXTURE0 + unit);
            gl.bindTexture(gl.TEXTURE_2D, texture);
            gl.uniform1i(u[name], unit++);
        }
        for (const [name, texture] of [['bricks', this.bricks], ['skips', this.skips]]) {
            gl.activeTexture(gl.TEXTURE0 + unit);
            gl.bindTexture(gl.TEXTURE_3D, texture);
            gl.uniform1i(u[name], unit++);
        }
        gl.activeTexture(gl.TEXTURE0);
        const shift = (level) => this.columns[level]?.shift ?? 0;
        gl.uniform4i(u.column_shift, shift(0), shift(1), shift(2), shift(3));
        gl.uniform1i(u.column_shift4, shift(4));
        gl.uniform1i(u.base_level, model.base);
        gl.uniform1i(u.fine_level, this.pool?.level ?? model.base);
        gl.uniform3i(u.grid, ...model.grid);
        gl.uniform1i(u.order, model.order);
    }

    /** Bytes of the device that it takes. */
    get bytes() {
        const [gx, gy, gz] = this.model.grid;
        return this.columns.reduce((sum, c) => sum + c.width * c.height, 0) + gx * gy * gz * 4 +
            this.skip.size[0] * this.skip.size[1] * this.skip.size[2] + BRICK_VOXELS * ORIENTATIONS * 2 +
            this.model.attributes.length * 8 + this.model.slots.length * 4 +
            COLOURS_WIDTH * COLOURS_ROWS * 4 + 2048;
    }
}
