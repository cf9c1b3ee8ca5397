// What the camera sees, drawn by the page: a scene fetched once, a path to run along, and a pace that keeps the picture moving.
import { flownPose } from "./cameras.js";
import { COARSEST, FULL, Painter } from "./painter.js";
import { fetched, readObjects, readScene } from "./scene.js";

const MOST_SIDE = 640; // pixels of the picture's longer side
const SLOW_MS = 28; // a frame that takes longer is drawn coarser next time,
const QUICK_MS = 9; // and one that is quicker than this finer
const REST_MS = 160; // without movement, after which all of the picture is drawn
const HALF_FROM = 3; // level of detail from which a moving picture has half the pixels each way
const HOLE = [235 / 255, 64 / 255, 122 / 255];

const numbers = (text) => new Float64Array(Uint8Array.from(atob(text), (char) => char.charCodeAt(0)).buffer);

export class Eye {
  // `seen` is told of every picture: {frame, holes} with the share of holes where all of the picture was drawn, else null.
  constructor(canvas, seen) {
    Object.assign(this, { painter: new Painter(canvas), seen, urls: {}, times: [], level: FULL, filled: false, at: null });
  }

  // sight: {scene, objects, frames, poses (their upper three rows), lenses (one for all or for each frame), width, height, focus}
  // of tabs/browser/stage.py. Scenes and objects are fetched once.
  async open(sight) {
    await this.fetchOnce("scene", sight.scene, async (bytes) => this.painter.load(await readScene(bytes)));
    await this.fetchOnce("objects", sight.objects, async (bytes) => this.painter.place(bytes ? await readObjects(bytes) : null));
    this.path = { ...sight, poses: numbers(sight.poses), lenses: numbers(sight.lenses) };
  }

  async fetchOnce(what, url, use) {
    if (this.urls[what] === (url ?? null)) return;
    await use(url ? await fetched(url) : null);
    this.urls[what] = url ?? null;
  }

  // The camera of a frame of the path.
  camera(frame) {
    const { poses, lenses, width, height } = this.path;
    const from = lenses.length > 9 ? 9 * frame : 0;
    const pose = [...poses.subarray(12 * frame, 12 * frame + 12), 0, 0, 0, 1];
    return { pose, lens: [...lenses.subarray(from, from + 9)], width, height };
  }

  flown(camera, turn, move) {
    return { ...camera, pose: flownPose(camera.pose, turn, move.map((value) => value * this.path.focus)) };
  }

  // Draws what `camera` sees at the moment of `frame`: at once as finely as the pace allows, and all of it when it rests.
  show(camera, frame, { still = false } = {}) {
    this.at = { camera, frame };
    clearTimeout(this.rest);
    if (still) return this.whole();
    const began = performance.now();
    this.paint(this.level);
    this.painter.settled();
    this.keepPace(performance.now() - began);
    if (this.level === FULL) this.rest = setTimeout(() => this.seen({ frame, holes: this.holes() }), REST_MS);
    else this.rest = setTimeout(() => this.whole(), REST_MS);
    this.seen({ frame, holes: null });
  }

  whole() {
    this.paint(FULL);
    this.seen({ frame: this.at.frame, holes: this.holes() });
  }

  again() {
    if (this.at) this.show(this.at.camera, this.at.frame, { still: true });
  }

  paint(level) {
    const { width, height } = this.path;
    const scale = Math.min(1, MOST_SIDE / Math.max(width, height)) * (level >= HALF_FROM ? 0.5 : 1);
    this.painter.resize(Math.max(2, Math.round(width * scale)), Math.max(2, Math.round(height * scale)));
    const moment = { frame: this.at.frame, frames: this.path.frames };
    this.painter.draw(this.at.camera, moment, { detail: level, filled: this.filled, hole: HOLE });
  }

  // One slow picture can be chance, for instance the first with a new list of triangles: two in a row count.
  keepPace(took) {
    this.times.push(took);
    if (this.times.length < 2) return;
    const least = Math.min(...this.times.splice(0));
    if (least > SLOW_MS && this.level < COARSEST) this.level++;
    else if (least < QUICK_MS && this.level > FULL) this.level--;
  }

  // Share of the picture that is hole, 0 to 1.
  holes() {
    return this.painter.holes();
  }
}
