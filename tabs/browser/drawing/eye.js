// The camera's view, drawn by the page: fetches a scene once, follows a path, and adapts the level of detail to keep up.
import { flownPose } from "./cameras.js";
import { camerasOf, isOff } from "./exposure.js";
import { COARSEST, FULL, Painter } from "./painter.js";
import { fetched, readObjects, readScene } from "./scene.js";

const MOST_SIDE = 640; // pixels of the picture's longer side
const SLOW_MS = 28; // if a frame takes longer, the next one is drawn more coarsely;
const QUICK_MS = 9; // if it takes less than this, more finely
const REST_MS = 160; // without movement before the full picture is drawn
const HALF_FROM = 3; // level of detail from which a moving picture has half the pixels each way; splats have a quarter at the last level
const FEWEST_MOVING = 4; // samples of lens and shutter; if fewer would keep the pace, a moving picture is sharp
const AT_A_TIME = 4; // of these samples, drawn at rest before the page may do other work
const HOLE = [235 / 255, 64 / 255, 122 / 255];

const numbers = (text) => new Float64Array(Uint8Array.from(atob(text), (char) => char.charCodeAt(0)).buffer);

export class Eye {
  // `onPicture` is called for every picture with {frame, holes, pictures}. `holes`: share of holes, null unless the full picture was drawn.
  // `pictures`: number of pictures averaged for lens and shutter, null if the browser cannot average them.
  // The browser's speed is unknown at first, so the first picture is coarse.
  constructor(canvas, onPicture) {
    Object.assign(this, { painter: new Painter(canvas), onPicture, urls: {}, wanted: {}, times: [], took: Infinity, shown: 0, level: COARSEST, filled: false, at: null });
    this.painter.warm();
  }

  // sight: {scene, objects, frames, poses (their upper three rows), lenses (one for all or for each frame), width, height, focus, look}
  // of tabs/browser/stage.py. Scenes and objects are fetched once.
  async open(sight) {
    this.shown++; // cancels drawing for the previous path
    this.sized(COARSEST, sight); // allocates the smallest size while the scene loads
    await Promise.all([
      this.fetchOnce("scene", sight.scene, readScene, (scene) => this.painter.load(scene)),
      this.fetchOnce("objects", sight.objects, readObjects, (objects) => this.painter.place(objects)),
    ]);
    this.shown++; // cancels exposures of the previous path
    this.path = { ...sight, poses: numbers(sight.poses), lenses: numbers(sight.lenses) };
  }

  async fetchOnce(what, url = null, read, use) {
    this.wanted[what] = url;
    if (this.urls[what] === url) return;
    const made = url ? await read(await fetched(url)) : null;
    if (this.wanted[what] !== url) return; // another one was requested in the meantime
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

  // Draws the view of `camera` at the time of `frame`: at once, as finely as the pace allows, and in full once it rests. A camera that
  // is `free` of the path does not move during an exposure.
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

  // How many pictures are averaged while the camera moves.
  moving() {
    const { look } = this.path;
    if (isOff(look) || !this.painter.exposes) return 1;
    const fits = Math.min(2 ** Math.floor(Math.log2(SLOW_MS / this.took)), look.count);
    return fits >= FEWEST_MOVING ? fits : 1;
  }

  // Draws the full picture: first sharp, then through lens and shutter, a few samples at a time.
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
    if (shown !== this.shown) return; // another picture was requested in the meantime
    this.paint(FULL, 1, { cameras: cameras.slice(from, from + AT_A_TIME), goesOn: from > 0 });
    if (from + AT_A_TIME >= cameras.length) return done();
    this.rest = setTimeout(() => this.expose(cameras, shown, done, from + AT_A_TIME));
  }

  // The cameras at points on the lens and times during the exposure.
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

  // Sets the largest picture size that the level of detail allows.
  sized(level, { width, height }) {
    const whole = Math.min(1, MOST_SIDE / Math.max(width, height));
    const scaled = (scale) => [width, height].map((length) => Math.max(2, Math.round(length * scale)));
    const share = level < HALF_FROM ? 1 : level === COARSEST && this.painter.splats ? 0.25 : 0.5;
    this.painter.resize(...scaled(share * whole), scaled(whole));
  }

  // A single slow picture can be an outlier, such as the first with a new list of triangles; two in a row count.
  keepPace(took) {
    this.times.push(took);
    if (this.times.length < 2) return;
    const least = Math.min(...this.times.splice(0));
    if (least > SLOW_MS && this.level < COARSEST) this.level++;
    else if (least < QUICK_MS && this.level > FULL) this.level--;
  }

  // Share of the picture that consists of holes, 0 to 1.
  holes() {
    return this.painter.holes();
  }
}
