// Draws a scene like the mesh renderer of camera.render: depth maps as surfaces cut at depth edges, thin lines as pixels, a far
// layer, several views of which the nearest surface wins, one view per frame of a clip; other pictures of the place (`others`) in
// the remaining holes. Scenes of splats are drawn by splats.js.
import { inverseLens, resizedLens, targetFromSource } from "./cameras.js";
import { Filling } from "./filling.js";
import { ObjectsOf } from "./objects.js";
import { programs, texture } from "./programs.js";
import { Splats } from "./splats.js";
import { bordersOf, quadsOf, trianglesOf } from "./surface.js";

export const FULL = 0;
const TOLERATED_PX = [0, 0.3, 1, 3, 8]; // by level of detail: error allowed in a merged block when the camera moves as far as the subject
export const COARSEST = TOLERATED_PX.length - 1;
const POLL_MS = 8;
const FINE_BITS = 8;
const KEPT_SIZES = 2; // of pictures: moving ones may be smaller than those at rest
const KEPT_LISTS = 160; // lists of triangles kept on the graphics card

export class Painter {
  constructor(canvas) {
    const gl = canvas.getContext("webgl2", { alpha: false, antialias: false, depth: false, preserveDrawingBuffer: true });
    if (!gl) throw new Error("This browser has no WebGL2.");
    Object.assign(this, { canvas, gl, program: programs(gl), lists: new Map(), sizes: new Map(), size: null });
    // The graphics card rounds corner positions to fractions of a pixel. If these are coarse, as without a GPU, a full picture is
    // drawn three times as large each way, and only the centre of each 3x3 pixels is used.
    this.finest = gl.getParameter(gl.SUBPIXEL_BITS) < FINE_BITS ? 3 : 1;
    this.vao = gl.createVertexArray();
    canvas.addEventListener("webglcontextlost", (event) => event.preventDefault());
  }

  get lost() {
    return this.gl.isContextLost();
  }

  // Compiles the shaders needed first, with a scene of a few pixels, before there is a real one.
  warm() {
    const [width, height, lens] = [4, 4, [4, 0, 1.5, 0, 4, 1.5, 0, 0, 1]];
    const pose = [1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1];
    const view = { width, height, pose, lens, inverseLens: inverseLens(lens), focus: 1, depth: new Float32Array(16).fill(1), picture: new Uint8Array(64) };
    this.load({ width, height, kind: "still", near: 0.1, far: 10, cut_ratio: 1.1, stretch: 1, plane_run: 1, plane_tolerance: 0.1, advantage: 1.1, views: [view] });
    this.resize(width, height);
    for (const detail of [COARSEST, FULL]) this.draw({ pose, lens, width, height }, { frame: 0, frames: 1 }, { detail });
    this.settled();
  }

  load(scene) {
    const { gl } = this;
    this.forget();
    this.scene = scene;
    this.all = [...scene.views, ...(scene.others ?? [])]; // a view's number is its index here
    this.splats = scene.splats ? new Splats(gl, scene.splats, scene.focus) : null;
    for (const view of this.all) {
      const shape = { width: view.width, height: view.height };
      view.depths = texture(gl, { ...shape, internal: gl.R32F, format: gl.RED, type: gl.FLOAT, data: view.depth });
      view.colours = texture(gl, {
        ...shape, internal: gl.RGBA8, format: gl.RGBA, type: gl.UNSIGNED_BYTE, data: view.picture, filter: gl.LINEAR,
      });
    }
  }

  // Sets the objects in the scene, as read by drawing/objects.js; null for none.
  place(objects) {
    this.objects?.forget();
    this.objects = objects ? new ObjectsOf(this.gl, objects) : null;
  }

  forget() {
    const { gl } = this;
    for (const view of this.all ?? []) [view.depths, view.colours].forEach((each) => gl.deleteTexture(each));
    for (const list of this.lists.values()) gl.deleteBuffer(list.buffer);
    this.lists.clear();
    this.splats?.forget();
  }

  // Sets the picture size, on a canvas of `shown` pixels. Render targets are cached for a few sizes: recreating them
  // takes longer than a picture.
  resize(width, height, shown = [width, height]) {
    const { gl, canvas, sizes } = this;
    if (canvas.width !== shown[0] || canvas.height !== shown[1]) Object.assign(canvas, { width: shown[0], height: shown[1] });
    if (this.size?.[0] === width && this.size?.[1] === height) return;
    const key = `${width} ${height}`;
    const one = sizes.get(key) ?? { size: [width, height], filling: new Filling(gl, this.program, [width, height]), targets: {}, frames: {} };
    sizes.delete(key);
    sizes.set(key, one);
    Object.assign(this, one);
    if (sizes.size > KEPT_SIZES) {
      const [oldest, gone] = sizes.entries().next().value;
      sizes.delete(oldest);
      gone.filling.forget();
      for (const target of Object.values(gone.targets)) [target.colour, target.depth].forEach((each) => gl.deleteTexture(each));
      for (const frame of Object.values(gone.frames)) gl.deleteFramebuffer(frame);
    }
  }

  // The render target, `fine` times as large each way as the picture.
  target(name, fine = name) {
    return (this.targets[name] ??= this.made(...this.size.map((length) => fine * length), name, fine));
  }

  made(width, height, name, fine) {
    const { gl } = this;
    const shape = { width, height };
    const colour = texture(gl, { ...shape, internal: gl.RGBA8, format: gl.RGBA, type: gl.UNSIGNED_BYTE });
    const depth = texture(gl, {
      ...shape, internal: gl.DEPTH_COMPONENT24, format: gl.DEPTH_COMPONENT, type: gl.UNSIGNED_INT,
    });
    const frame = (this.frames[name] ??= gl.createFramebuffer());
    gl.bindFramebuffer(gl.FRAMEBUFFER, frame);
    gl.framebufferTexture2D(gl.FRAMEBUFFER, gl.COLOR_ATTACHMENT0, gl.TEXTURE_2D, colour, 0);
    gl.framebufferTexture2D(gl.FRAMEBUFFER, gl.DEPTH_ATTACHMENT, gl.TEXTURE_2D, depth, 0);
    return { frame, colour, depth, fine };
  }

  // Draws one frame to the canvas. camera: {pose, lens, width, height}; moment: {frame, frames}; detail: 0 (all) to COARSEST;
  // filled: whether holes are filled from the background or shown in the colour `hole` (0 to 1);
  // exact: whether to draw the finest edges.
  draw(camera, moment, { detail = FULL, filled = false, hole = [0, 0, 0], exact = detail === FULL } = {}) {
    const target = this.seen(camera, moment, detail, exact);
    this.filling.finish(target, { filled, hole, canvas: true });
  }

  // Averages the pictures of several cameras (points on a lens, times during the exposure); with `goesOn` they are added to those
  // of the previous call. The canvas shows the mean so far.
  drawMany(cameras, moment, { detail = FULL, filled = false, hole = [0, 0, 0], exact, goesOn = false } = {}) {
    if (cameras.length === 1 && !goesOn) return this.draw(cameras[0], moment, { detail, filled, hole, exact });
    cameras.forEach((camera, number) => {
      const target = this.seen(camera, moment, detail, false);
      this.filling.finish(target, { filled, hole, canvas: false });
      this.filling.add({ hole, first: number === 0 && !goesOn, filled });
    });
    this.filling.develop();
  }

  // Whether light can be summed here.
  get exposes() {
    return Boolean(this.gl.getExtension("EXT_color_buffer_float"));
  }

  // Draws one camera's view without treating holes; returns the render target.
  seen(camera, moment, detail, exact) {
    if (this.splats) return this.blended(camera, detail, exact);
    const target = this.target(exact ? this.finest : 1);
    const { scene } = this;
    this.surfaces(camera, this.views(camera.pose, moment.frame), detail, target);
    this.objects?.draw(this.program("object"), camera.pose, this.lens(camera), { size: this.size, fine: target.fine, near: scene.near }, moment);
    if (!scene.others?.length) return this.drawn(target);
    const behind = this.target(`${target.fine} behind`, target.fine);
    const numbers = scene.others.map((_, number) => scene.views.length + number);
    this.surfaces(camera, this.nearestFirst(numbers, camera.pose), detail, behind);
    return this.drawn({ ...target, behind });
  }

  // Ends the depth test.
  drawn(target) {
    this.gl.disable(this.gl.DEPTH_TEST);
    return target;
  }

  lens({ lens, width, height }) {
    return resizedLens(lens, width, height, ...this.size);
  }

  blended(camera, detail, exact) {
    const { gl, size } = this;
    const target = (this.targets.splats ??= { colour: this.filling.floating(), depth: null, blended: true });
    this.filling.into([target.colour], size);
    gl.clearColor(0, 0, 0, 0);
    gl.clear(gl.COLOR_BUFFER_BIT);
    this.splats.draw(this.program("splat"), camera.pose, this.lens(camera), { size, detail, exact: exact || detail === FULL });
    return target;
  }

  // Draws the views with these numbers; each further view is drawn where it is clearly nearer.
  surfaces(camera, numbers, detail, { frame, fine }) {
    const { gl, scene, size } = this;
    const lens = this.lens(camera);
    this.fine = fine;
    gl.bindFramebuffer(gl.FRAMEBUFFER, frame);
    gl.bindVertexArray(this.vao);
    gl.viewport(0, 0, fine * size[0], fine * size[1]);
    gl.clearColor(0, 0, 0, 0);
    gl.clear(gl.COLOR_BUFFER_BIT | gl.DEPTH_BUFFER_BIT);
    gl.enable(gl.DEPTH_TEST);
    gl.depthFunc(gl.LESS);
    gl.enable(gl.CULL_FACE);
    gl.frontFace(gl.CW);
    numbers.forEach((number, order) => {
      if (order) this.hold(frame, fine);
      this.view(number, order ? scene.advantage : 1, camera.pose, lens, detail);
    });
    gl.disable(gl.CULL_FACE);
  }

  // Stores the current depth for comparison with further views.
  hold(frame, fine) {
    const { gl } = this;
    const [width, height] = this.size.map((length) => fine * length);
    this.held = this.target(`${fine} held`, fine);
    gl.bindFramebuffer(gl.READ_FRAMEBUFFER, frame);
    gl.bindFramebuffer(gl.DRAW_FRAMEBUFFER, this.held.frame);
    gl.blitFramebuffer(0, 0, width, height, 0, 0, width, height, gl.DEPTH_BUFFER_BIT, gl.NEAREST);
    gl.bindFramebuffer(gl.FRAMEBUFFER, frame);
  }

  view(number, advantage, pose, lens, detail) {
    const { gl } = this;
    const view = this.all[number];
    const between = targetFromSource(pose, lens, view);
    const { buffer, counts } = this.list(number, detail);
    const [triangles, thin, level = 0, upright = 0] = counts;
    const draw = (name, kind, at, count, way = 0) => {
      if (!count) return;
      const lone = name === "surface" && kind === gl.POINTS; // thin things need no advantage over other views
      const places = this.ready(name, view, between, lone ? 1 : advantage, detail);
      if (places.way) gl.uniform1i(places.way, way);
      gl.bindBuffer(gl.ELEMENT_ARRAY_BUFFER, buffer);
      gl.drawElements(kind, count, gl.UNSIGNED_INT, 4 * at);
    };
    const borders = triangles + thin;
    draw("surface", gl.TRIANGLES, 0, triangles);
    draw("surface", gl.POINTS, triangles, thin);
    draw("border", gl.LINES, borders, level, 0);
    draw("border", gl.LINES, borders + level, upright, 1);
    draw("border", gl.POINTS, borders, level + upright, 2);
  }

  // Selects a program that draws pixels of a view, and sets its uniforms.
  ready(name, view, { turn, shift }, advantage, detail) {
    const { gl, scene, size } = this;
    const { program, places } = this.program(name);
    gl.useProgram(program);
    gl.activeTexture(gl.TEXTURE0);
    gl.bindTexture(gl.TEXTURE_2D, view.depths);
    gl.activeTexture(gl.TEXTURE1);
    gl.bindTexture(gl.TEXTURE_2D, view.colours);
    gl.activeTexture(gl.TEXTURE2);
    gl.bindTexture(gl.TEXTURE_2D, advantage > 1 ? this.held.depth : null);
    gl.uniform1i(places.held, 2);
    gl.uniform1i(places.depths, 0);
    gl.uniform1i(places.colours, 1);
    gl.uniform2f(places.size, ...size);
    gl.uniform1i(places.fine, this.fine);
    gl.uniform1f(places.near, scene.near);
    gl.uniform1f(places.far, scene.far);
    gl.uniform1f(places.advantage, advantage);
    gl.uniformMatrix3fv(places.turn, true, turn);
    gl.uniform3f(places.shift, ...shift);
    gl.uniform2i(places.grid, view.width, view.height);
    if (places.merged) gl.uniform1i(places.merged, detail > FULL ? 1 : 0);
    return places;
  }

  // Which views are drawn, in order: for a clip, the frame's own; for several views, those with the most similar cameras first.
  views(pose, frame) {
    const { views, kind } = this.scene;
    if (kind === "clip") return [Math.min(frame, views.length - 1)];
    return this.nearestFirst(views.map((_, number) => number), pose);
  }

  nearestFirst(numbers, pose) {
    if (numbers.length === 1) return numbers;
    const away = (view) => {
      const apart = (columns) => Math.hypot(...columns.map((i) => view.pose[i] - pose[i]));
      return apart([3, 7, 11]) / view.focus + apart([2, 6, 10]);
    };
    const distances = new Map(numbers.map((number) => [number, away(this.all[number])]));
    return numbers.sort((a, b) => distances.get(a) - distances.get(b) || a - b);
  }

  // Lists of a view's triangles at a level of detail, its thin pixels and its borders, on the graphics card.
  list(number, detail) {
    const key = `${number} ${detail}`;
    let list = this.lists.get(key);
    this.lists.delete(key);
    list ??= this.listed(this.all[number], detail);
    this.lists.set(key, list);
    if (this.lists.size > KEPT_LISTS) {
      const [oldest, gone] = this.lists.entries().next().value;
      this.gl.deleteBuffer(gone.buffer);
      this.lists.delete(oldest);
    }
    return list;
  }

  listed(view, detail) {
    const { gl, scene } = this;
    const { depth, width, height } = view;
    const reach = view.lens[0] * view.focus;
    view.quads ??= quadsOf(depth, width, height, {
      cutRatio: scene.cut_ratio,
      slack: scene.stretch / reach,
      far: scene.far,
      run: scene.plane_run,
      tolerance: scene.plane_tolerance,
    });
    const { whole, thin } = view.quads;
    const parts = [trianglesOf(depth, width, height, whole, TOLERATED_PX[detail] / reach), thin];
    if (detail === FULL) for (const upright of [false, true]) parts.push(bordersOf(width, height, whole, upright));
    const buffer = gl.createBuffer();
    gl.bindBuffer(gl.ELEMENT_ARRAY_BUFFER, buffer);
    gl.bufferData(gl.ELEMENT_ARRAY_BUFFER, 4 * parts.reduce((sum, part) => sum + part.length, 0), gl.STATIC_DRAW);
    let at = 0;
    for (const part of parts) {
      gl.bufferSubData(gl.ELEMENT_ARRAY_BUFFER, at, part);
      at += 4 * part.length;
    }
    return { buffer, counts: parts.map((part) => part.length) };
  }

  // RGBA of the canvas, row by row from the top; waits until the graphics card has drawn everything.
  pixels() {
    const { gl, canvas } = this;
    const size = [canvas.width, canvas.height];
    const bytes = new Uint8Array(4 * size[0] * size[1]);
    gl.bindFramebuffer(gl.FRAMEBUFFER, null);
    gl.readPixels(0, 0, ...size, gl.RGBA, gl.UNSIGNED_BYTE, bytes);
    const rows = new Uint8Array(bytes.length);
    for (let y = 0; y < size[1]; y++) rows.set(bytes.subarray(4 * size[0] * y, 4 * size[0] * (y + 1)), 4 * size[0] * (size[1] - 1 - y));
    return rows;
  }

  // Share of the last picture that no surface covers, even if it was filled.
  holes() {
    const { gl, size } = this;
    const bytes = new Uint8Array(4 * size[0] * size[1]);
    this.filling.into([this.filling.closed], size);
    gl.readPixels(0, 0, ...size, gl.RGBA, gl.UNSIGNED_BYTE, bytes);
    let count = 0;
    for (let i = 3; i < bytes.length; i += 4) count += bytes[i] === 0 ? 1 : 0;
    return count / (size[0] * size[1]);
  }

  // Calls `then` once all requested drawing is done; the page continues in the meantime.
  whenDrawn(then) {
    const { gl } = this;
    const fence = gl.fenceSync(gl.SYNC_GPU_COMMANDS_COMPLETE, 0);
    gl.flush();
    const look = () => {
      if (gl.clientWaitSync(fence, 0, 0) === gl.TIMEOUT_EXPIRED) return setTimeout(look, POLL_MS);
      gl.deleteSync(fence);
      then();
    };
    setTimeout(look);
  }

  // Waits until all requested drawing is done.
  settled() {
    this.gl.readPixels(0, 0, 1, 1, this.gl.RGBA, this.gl.UNSIGNED_BYTE, new Uint8Array(4));
  }
}
