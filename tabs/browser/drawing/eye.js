// What the camera sees, drawn by the page: a scene fetched once, a path to run along, and a pace that keeps the picture moving.
import { flownPose } from "./cameras.js";
import { camerasOf, isOff } from "./exposure.js";
import { COARSEST, FULL, Painter } from "./painter.js";
import { fetched, readObjects, readScene } from "./scene.js";

const MOST_SIDE = 640; // pixels of the picture's longer side
const SLOW_MS = 28; // a frame that takes longer is drawn coarser next time,
const QUICK_MS = 9; // and one that is quicker than this finer
const REST_MS = 160; // without movement, after which all of the picture is drawn
const HALF_FROM = 3; // level of detail from which a moving picture has half the pixels each way; of splats at last a quarter
const FEWEST_MOVING = 4; // pictures of lens and shutter; where fewer keep the pace, a moving picture is sharp
const AT_A_TIME = 4; // of them that are drawn at rest before the page has its turn
const HOLE = [235 / 255, 64 / 255, 122 / 255];

const numbers = (text) => new Float64Array(Uint8Array.from(atob(text), (char) => char.charCodeAt(0)).buffer);

export class Eye {
  // `onPicture` is called for every picture: {frame, holes, pictures} with the share of holes where all of the picture was drawn, else null,
  // and of how many pictures through lens and shutter it is made, null where the browser cannot add them up.
  // The browser's speed is unknown at first, so the first picture is coarse.
  constructor(canvas, onPicture) {
    Object.assign(this, { painter: new Painter(canvas), onPicture, urls: {}, wanted: {}, times: [], took: Infinity, shown: 0, level: COARSEST, filled: false, at: null });
    this.painter.warm();
  }

  // sight: {scene, objects, frames, poses (their upper three rows), lenses (one for all or for each frame), width, height, focus, look}
  // of tabs/browser/stage.py. Scenes and objects are fetched once.
  async open(sight) {
    this.shown++; // what is still being drawn was of the path before
    this.sized(COARSEST, sight); // what that takes is done while the scene comes
    await Promise.all([
      this.fetchOnce("scene", sight.scene, readScene, (scene) => this.painter.load(scene)),
      this.fetchOnce("objects", sight.objects, readObjects, (objects) => this.painter.place(objects)),
    ]);
    this.shown++; // what is being exposed was of the path before
    this.path = { ...sight, poses: numbers(sight.poses), lenses: numbers(sight.lenses) };
  }

  async fetchOnce(what, url = null, read, use) {
    this.wanted[what] = url;
    if (this.urls[what] === url) return;
    const made = url ? await read(await fetched(url)) : null;
    if (this.wanted[what] !== url) return; // another is wanted by now
    use(made);
    this.urls[what] = url;
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

  // Draws what `camera` sees at the moment of `frame`: at once as finely as the pace allows, and all of it when it rests. One that
  // is `free` of the path stands still during an exposure.
  show(camera, frame, { still = false, free = false } = {}) {
    this.at = { camera, frame, free };
    this.shown++;
    clearTimeout(this.rest);
    if (still) return this.whole();
    const count = this.moving();
    const began = performance.now();
    this.paint(this.level, count, { exact: false });
    this.painter.settled();
    this.took = (performance.now() - began) / count;
    this.keepPace(this.took);
    if (this.level === FULL && isOff(this.path.look) && this.painter.finest === 1) this.rest = setTimeout(() => this.onPicture({ frame, holes: this.holes() }), REST_MS);
    else this.rest = setTimeout(() => this.whole(), REST_MS);
    this.onPicture({ frame, holes: null, pictures: count });
  }

  // How many pictures make one that moves.
  moving() {
    const { look } = this.path;
    if (isOff(look) || !this.painter.exposes) return 1;
    const fits = Math.min(2 ** Math.floor(Math.log2(SLOW_MS / this.took)), look.count);
    return fits >= FEWEST_MOVING ? fits : 1;
  }

  // All of the picture: sharp at once, and from there through lens and shutter, a few pictures at a time.
  whole() {
    this.paint(FULL);
    const [{ frame }, shown] = [this.at, this.shown];
    this.painter.whenDrawn(() => shown === this.shown && this.drawn(frame));
  }

  drawn(frame) {
    const [holes, off] = [this.holes(), isOff(this.path.look)];
    this.onPicture({ frame, holes, pictures: off || this.painter.exposes ? 1 : null });
    if (!off && this.painter.exposes) this.expose(this.through(this.path.look.count), this.shown, () => this.onPicture({ frame, holes, pictures: this.path.look.count }));
  }

  expose(cameras, shown, done, from = 0) {
    if (shown !== this.shown) return; // another picture is wanted by now
    this.paint(FULL, 1, { cameras: cameras.slice(from, from + AT_A_TIME), goesOn: from > 0 });
    if (from + AT_A_TIME >= cameras.length) return done();
    this.rest = setTimeout(() => this.expose(cameras, shown, done, from + AT_A_TIME));
  }

  // The cameras on the lens, at moments of the exposure.
  through(count) {
    const { camera, frame, free } = this.at;
    const { look, frames } = this.path;
    if (count === 1) return [camera];
    return free ? camerasOf(look, () => camera, 0, 1, count) : camerasOf(look, (at) => this.camera(at), frame, frames, count);
  }

  again() {
    if (this.at) this.show(this.at.camera, this.at.frame, { still: true, free: this.at.free });
  }

  paint(level, count = 1, { cameras = this.through(count), goesOn = false, exact = true } = {}) {
    this.sized(level, this.path);
    const moment = { frame: this.at.frame, frames: this.path.frames };
    this.painter.drawMany(cameras, moment, { detail: level, filled: this.filled, hole: HOLE, goesOn, exact });
  }

  // Pictures as large as the level of detail allows.
  sized(level, { width, height }) {
    const whole = Math.min(1, MOST_SIDE / Math.max(width, height));
    const scaled = (scale) => [width, height].map((length) => Math.max(2, Math.round(length * scale)));
    const share = level < HALF_FROM ? 1 : level === COARSEST && this.painter.splats ? 0.25 : 0.5;
    this.painter.resize(...scaled(share * whole), scaled(whole));
  }

  // One slow picture can be an outlier, such as the first with a new list of triangles; two in a row count.
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
