/* adapt.js - how finely to draw, much as src/volume/adapt.c decides it: while the camera moves the finest
 * scale (1, 2, 4, 8) at which a frame fits its time, once it rests each frame finer until every
 * pixel is drawn. Arithmetic over what frames took; no clock of its own.
 */
const SCALES = 4;
const FIRST = 2; /* the scale when nothing is known: 4 */
/* Finer is taken when it surely fits, coarser when the present one does not. */
const FINER_SHARE = 0.8;
const WEIGHT = 0.5;

const METHODS = { march: 0, slices: 1 };

export class Adapt {
    /** `budgetS`: a frame's time while moving, `restS`: while only RAM changes. */
    constructor(budgetS, restS) {
        this.budgetS = budgetS;
        this.restS = restS;
        this.known = [new Float64Array(SCALES), new Float64Array(SCALES)]; /* s a pixel, by method */
        this.at = -1; /* logarithm of the last frame's scale */
        this.slow = false; /* the last frame took far longer than was to be expected */
    }

    static pixels(width, height, at) {
        return Math.ceil(width / 2 ** at) * Math.ceil(height / 2 ** at);
    }

    /* What a frame takes at a scale: as measured, or by the nearest scale that was. 0: none was. */
    frameS(width, height, method, at) {
        const known = this.known[METHODS[method]];
        for (let away = 0; away < SCALES; away++) {
            const s = known[at + away] || known[at - away] || 0;
            if (s > 0) {
                return s * Adapt.pixels(width, height, at);
            }
        }
        return 0;
    }

    /** What the picture whose scale next() gave last will take, s; 0: not known. */
    expectedS(width, height, method) {
        return this.frameS(width, height, method, Math.max(this.at, 0));
    }

    fitting(width, height, method, withinS) {
        if (this.at < 0 || this.frameS(width, height, method, 0) === 0) {
            return FIRST;
        }
        let { at } = this;
        while (at + 1 < SCALES && this.frameS(width, height, method, at) > withinS) {
            at++;
        }
        while (at > 0 && this.frameS(width, height, method, at - 1) <= FINER_SHARE * withinS) {
            at--;
        }
        return at;
    }

    /** The scale for the next frame, or 0: nothing moved, and what is shown is as fine as it gets.
     *  `moving`: the camera moves; `changed`: the scene or RAM did. */
    next(width, height, method, moving, changed) {
        if (moving || this.at < 0) {
            this.at = this.fitting(width, height, method, this.budgetS);
        } else if (changed) {
            this.at = this.fitting(width, height, method, this.restS);
        } else if (this.at > 0) {
            this.at--;
        } else {
            return 0;
        }
        return 2 ** this.at;
    }

    /** A frame at the scale that next() gave took so long. What made it dearer or cheaper (a nearer
     *  camera, a busier machine) does so at every scale; a single one twice too slow is not
     *  believed, a second one at once. */
    took(width, height, method, seconds) {
        const known = this.known[METHODS[method]];
        if (!(seconds > 0) || this.at < 0) {
            return;
        }
        const took = seconds / Adapt.pixels(width, height, this.at);
        if (known[this.at] === 0) {
            known[this.at] = took;
            this.slow = false;
            return;
        }
        const times = took / known[this.at], slow = times > 2;
        if (slow && !this.slow) {
            this.slow = true;
            return;
        }
        this.slow = false;
        const ratio = slow ? times : 1 + WEIGHT * (times - 1);
        known.forEach((s, i) => {
            known[i] = s * ratio;
        });
    }
}
