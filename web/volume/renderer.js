/* renderer.js - one WebGL2 context for all volumes of the page (browsers allow few), and pictures
 * drawn with it.
 *
 *   Renderer   the context, its programs, what happens when it is lost
 *   Painter    one element's picture: drawn as a whole or in strips, shown on a 2-D canvas
 *
 * A picture is drawn into a texture of the painter's own, since on a slow device a fine one takes
 * longer than a frame may: it is then drawn strip by strip, and shown when it is whole.
 */

const SOFTWARE = /swiftshader|llvmpipe|softpipe|software|basic render/i;

async function text(name) {
    const url = new URL(name, import.meta.url), response = await fetch(url);
    if (!response.ok) {
        throw new Error(`${url.pathname}: ${response.status}`);
    }
    return response.text();
}

let sources = null;
/* All shaders' texts; asked for once, and again when that failed. */
function loadSources() {
    sources ??= Promise.all(['march.vert', 'common.glsl', 'march.frag', 'slices.frag'].map(text))
        .catch((error) => {
            sources = null;
            throw error;
        });
    return sources;
}

export class Renderer {
    constructor(gl, [vertex, common, march, slices]) {
        this.gl = gl;
        this.users = new Set();
        this.lost = false;
        this.sources = { vertex, march: common + march, slices: common + slices };
        const debug = gl.getExtension('WEBGL_debug_renderer_info');
        this.name = String(gl.getParameter(debug ? debug.UNMASKED_RENDERER_WEBGL : gl.RENDERER));
        this.software = SOFTWARE.test(this.name);
        this.sideMax = gl.getParameter(gl.MAX_TEXTURE_SIZE);
        this.side3dMax = gl.getParameter(gl.MAX_3D_TEXTURE_SIZE);
        this.programs = {};
        gl.canvas.addEventListener('webglcontextlost', (event) => {
            event.preventDefault(); /* else it is never restored */
            this.lost = true;
            this.users.forEach((user) => user.contextLost());
        });
        gl.canvas.addEventListener('webglcontextrestored', () => {
            this.lost = false;
            this.programs = {};
            this.users.forEach((user) => user.contextRestored());
        });
    }

    /** A program by its method ("march", "slices"): {program, uniforms}. Throws when the device
     *  does not take it. */
    program(method) {
        this.programs[method] ??= this.makeProgram(this.sources[method]);
        return this.programs[method];
    }

    makeProgram(fragment) {
        const { gl } = this, program = gl.createProgram();
        for (const [type, source] of [[gl.VERTEX_SHADER, this.sources.vertex],
            [gl.FRAGMENT_SHADER, fragment]]) {
            const shader = gl.createShader(type);
            gl.shaderSource(shader, `#version 300 es\n${source}`);
            gl.compileShader(shader);
            gl.attachShader(program, shader);
            gl.deleteShader(shader);
        }
        gl.linkProgram(program);
        if (!gl.getProgramParameter(program, gl.LINK_STATUS) && !gl.isContextLost()) {
            const logs = gl.getAttachedShaders(program).map((s) => gl.getShaderInfoLog(s));
            throw new Error(`a shader that does not link: ${gl.getProgramInfoLog(program)} ${logs.join(' ')}`);
        }
        const uniforms = {}, n = gl.getProgramParameter(program, gl.ACTIVE_UNIFORMS) ?? 0;
        for (let i = 0; i < n; i++) {
            const { name } = gl.getActiveUniform(program, i);
            uniforms[name] = gl.getUniformLocation(program, name);
        }
        return { program, uniforms };
    }

    /** Grows the canvas so that a picture of that size fits. */
    reserve(width, height) {
        const { canvas } = this.gl;
        if (canvas.width < width || canvas.height < height) {
            canvas.width = Math.max(canvas.width, width);
            canvas.height = Math.max(canvas.height, height);
        }
    }
}

function openContext() {
    const options = {
        alpha: false, depth: false, stencil: false, antialias: false,
        powerPreference: 'high-performance',
    };
    const offscreen = typeof OffscreenCanvas === 'undefined' ? null
        : new OffscreenCanvas(16, 16).getContext('webgl2', options);
    /* Some browsers have WebGL in the page only. */
    return offscreen ?? document.createElement('canvas').getContext('webgl2', options);
}

let shared = null;
/** The page's renderer; null: no WebGL2 here. Throws when shaders cannot be had. */
export async function sharedRenderer() {
    const texts = await loadSources();
    if (shared === null) {
        const gl = openContext();
        shared = gl === null ? null : new Renderer(gl, texts);
    }
    return shared;
}

/* ---- one element's picture ---- */

export class Painter {
    constructor(renderer) {
        this.renderer = renderer;
        this.width = this.height = 0;
        this.texture = this.framebuffer = null;
        this.row = 0;
        this.look = null; /* of the picture that is being drawn, or is drawn */
    }

    forget() {
        this.texture = this.framebuffer = null;
        this.width = this.height = 0;
        this.look = null;
    }

    destroy() {
        this.renderer.gl.deleteFramebuffer(this.framebuffer);
        this.renderer.gl.deleteTexture(this.texture);
        this.forget();
    }

    resize(width, height) {
        if (width === this.width && height === this.height) {
            return;
        }
        const { gl } = this.renderer;
        this.destroy();
        this.width = width;
        this.height = height;
        this.texture = gl.createTexture();
        this.framebuffer = gl.createFramebuffer();
        gl.bindTexture(gl.TEXTURE_2D, this.texture);
        gl.texStorage2D(gl.TEXTURE_2D, 1, gl.RGBA8, width, height);
        gl.bindFramebuffer(gl.FRAMEBUFFER, this.framebuffer);
        gl.framebufferTexture2D(gl.FRAMEBUFFER, gl.COLOR_ATTACHMENT0, gl.TEXTURE_2D, this.texture, 0);
    }

    /** Begins a picture of a look (look.js), in the place of one that is not complete. */
    begin(textures, look, method, scale) {
        this.textures = textures;
        this.look = look;
        this.method = method;
        this.scale = scale;
        this.row = 0;
    }

    get complete() {
        return this.look !== null && this.row >= this.look.height;
    }

    /** Draws up to so many rows more. */
    draw(rows) {
        const { gl } = this.renderer, { look } = this, program = this.renderer.program(this.method);
        const n = Math.min(Math.max(rows, 1), look.height - this.row);
        gl.bindFramebuffer(gl.FRAMEBUFFER, this.framebuffer);
        gl.viewport(0, 0, look.width, look.height);
        gl.enable(gl.SCISSOR_TEST);
        gl.scissor(0, this.row, look.width, n);
        gl.useProgram(program.program);
        this.textures.bind(program);
        setLook(gl, program.uniforms, look);
        gl.drawArrays(gl.TRIANGLES, 0, 3);
        gl.disable(gl.SCISSOR_TEST);
        this.row += n;
    }

    /** Copies the picture onto a 2-D context, enlarged where it was drawn coarsely. */
    show(context, smooth) {
        const { gl } = this.renderer, { width, height } = this.look;
        this.renderer.reserve(width, height);
        gl.bindFramebuffer(gl.READ_FRAMEBUFFER, this.framebuffer);
        gl.bindFramebuffer(gl.DRAW_FRAMEBUFFER, null);
        gl.blitFramebuffer(0, 0, width, height, 0, 0, width, height, gl.COLOR_BUFFER_BIT, gl.NEAREST);
        context.imageSmoothingEnabled = smooth && this.scale > 1;
        context.drawImage(gl.canvas, 0, gl.canvas.height - height, width, height, 0, 0,
            width * this.scale, height * this.scale);
    }

    /** The picture's pixels, R, G, B, A, rows from the bottom. */
    pixels() {
        const { gl } = this.renderer, { width, height } = this.look;
        const out = new Uint8Array(width * height * 4);
        gl.bindFramebuffer(gl.READ_FRAMEBUFFER, this.framebuffer);
        gl.readPixels(0, 0, width, height, gl.RGBA, gl.UNSIGNED_BYTE, out);
        return out;
    }
}

/* The look's numbers as a program's uniforms. */
function setLook(gl, u, look) {
    gl.uniform3fv(u.eye, look.eye);
    gl.uniform3fv(u.forward, look.forward);
    gl.uniform3fv(u.right, look.right);
    gl.uniform3fv(u.up, look.up);
    gl.uniform4f(u.pixel, look.perPixel[0], look.perPixel[1], look.coarse, look.height);
    gl.uniform3fv(u.clip_min, look.clipMin);
    gl.uniform3fv(u.clip_max, look.clipMax);
    gl.uniform3fv(u.slice, look.slice);
    gl.uniform3iv(u.slice_on, look.sliceOn.map(Number));
    gl.uniform3fv(u.background, look.background);
    gl.uniform1i(u.heat, Number(look.heat));
    gl.uniform1i(u.dim_plain, Number(look.dimPlain));
    gl.uniform1ui(u.only_owner, look.onlyOwner);
    gl.uniform1ui(u.now_ms, look.nowMs);
    gl.uniform1f(u.heat_decay, look.heatDecay);
}
