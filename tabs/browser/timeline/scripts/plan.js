// The move from above: the scene's points, the path and its keys. Drag a key to move it, its handle to turn it; a line drawn
// elsewhere becomes the move. x points right and z up.

const [EDGE, HANDLE, NEAR, STEP] = [18, 26, 14, 4]; // pixels
const DOTS = 4000;
const UNSEEN = "rgb(235, 64, 122)"; // the colour of holes in the picture

export class Plan {
  // `callbacks`: {chosen(index), shift(by), turn(degrees), stroke(points)}; `plot()` returns the figure of the stage beside the timeline.
  constructor(canvas, plot, callbacks) {
    Object.assign(this, { canvas, plot, callbacks, value: null, held: null });
    canvas.addEventListener("pointerdown", (event) => this.down(event));
    canvas.addEventListener("pointermove", (event) => this.held && this.move(event));
    for (const end of ["pointerup", "pointercancel"]) canvas.addEventListener(end, (event) => this.up(event));
    new ResizeObserver(() => this.draw()).observe(canvas);
  }

  take(value) {
    Object.assign(this, { value, held: null });
    this.draw();
  }

  // Redraws if the figure shows a different path than last time.
  follow() {
    const shown = this.plot()?.data;
    if (shown !== this.shown && !this.held) this.draw();
    this.shown = shown;
  }

  // World x and z of the path's frames, the keys, and some points of the scene.
  gathered() {
    const drawn = (name, most) => {
      const trace = this.plot()?._fullData?.find((one) => one.name === name);
      const every = Math.max(1, Math.floor((trace?.x?.length ?? 0) / most));
      return trace?.x ? Array.from({ length: Math.floor(trace.x.length / every) }, (_, i) => [trace.x[i * every], trace.y[i * every]]) : [];
    };
    const [dots, path] = [drawn("scene", DOTS), drawn("path", Infinity)]; // the figure's axes are right, forward, up
    return { dots, path, keys: this.value.keys.map(({ pose }) => [pose[3], pose[11]]) };
  }

  fit({ dots, path, keys }) {
    const all = [...path, ...keys, ...dots];
    const range = (axis) => {
      const sorted = all.map((point) => point[axis]).sort((a, b) => a - b);
      const must = [...path, ...keys].map((point) => point[axis]);
      return [Math.min(sorted[Math.floor(0.02 * sorted.length)], ...must), Math.max(sorted[Math.ceil(0.98 * (sorted.length - 1))], ...must)];
    };
    const [[left, right], [low, high]] = [range(0), range(1)];
    const [width, height] = [this.canvas.clientWidth, this.canvas.clientHeight];
    const scale = Math.min((width - 2 * EDGE) / Math.max(right - left, 1e-6), (height - 2 * EDGE) / Math.max(high - low, 1e-6));
    const [x0, z0] = [(left + right) / 2, (low + high) / 2];
    this.toScreen = ([x, z]) => [width / 2 + (x - x0) * scale, height / 2 - (z - z0) * scale];
    this.toWorld = ([x, y]) => [(x - width / 2) / scale + x0, (height / 2 - y) / scale + z0];
  }

  draw() {
    const { canvas, value } = this;
    if (!value?.keyed || !canvas.clientWidth) return;
    const ratio = window.devicePixelRatio || 1;
    Object.assign(canvas, { width: canvas.clientWidth * ratio, height: canvas.clientHeight * ratio });
    const pen = (this.pen = canvas.getContext("2d"));
    pen.scale(ratio, ratio);
    const found = this.gathered();
    if (!this.held) this.fit(found);
    const style = getComputedStyle(canvas);
    pen.fillStyle = style.color;
    pen.globalAlpha = 0.35;
    for (const dot of found.dots) pen.fillRect(...this.toScreen(dot), 1.5, 1.5);
    pen.globalAlpha = 0.8;
    pen.fillStyle = UNSEEN;
    for (const place of value.unseen) pen.fillRect(...this.toScreen(place), 2.5, 2.5);
    pen.globalAlpha = 1;
    this.line(found.path, style.getPropertyValue("--color-accent"));
    value.keys.forEach((_, index) => this.drawKey(index, style));
    if (this.held?.stroke) this.line(this.held.stroke, "#1c7ed6");
  }

  line(points, colour) {
    this.pen.beginPath();
    points.forEach((point, index) => (index ? this.pen.lineTo(...this.toScreen(point)) : this.pen.moveTo(...this.toScreen(point))));
    Object.assign(this.pen, { strokeStyle: colour, lineWidth: 2 });
    this.pen.stroke();
  }

  // Screen positions of a key and of its handle, also during a drag.
  seat(index) {
    const { pose } = this.value.keys[index];
    const held = this.held?.index === index ? this.held : null;
    const at = this.toScreen([pose[3] + (held?.by?.[0] ?? 0), pose[11] + (held?.by?.[1] ?? 0)]);
    const angle = Math.atan2(pose[2], pose[10]) + (held?.turn ?? 0);
    return { at, handle: [at[0] + HANDLE * Math.sin(angle), at[1] - HANDLE * Math.cos(angle)] };
  }

  drawKey(index, style) {
    const { pen } = this;
    const { at, handle } = this.seat(index);
    const chosen = this.value.chosen.includes(index);
    pen.strokeStyle = pen.fillStyle = chosen ? style.getPropertyValue("--color-accent") : style.color;
    pen.lineWidth = 2;
    pen.beginPath();
    pen.moveTo(...at);
    pen.lineTo(...handle);
    pen.stroke();
    for (const [[x, y], radius] of [[at, 6], [handle, 4]]) {
      pen.beginPath();
      pen.arc(x, y, radius, 0, 2 * Math.PI);
      pen.fill();
    }
  }

  place(event) {
    const box = this.canvas.getBoundingClientRect();
    return [event.clientX - box.left, event.clientY - box.top];
  }

  down(event) {
    if (!this.value?.keyed) return;
    this.canvas.setPointerCapture(event.pointerId);
    const from = this.place(event);
    const near = (point) => Math.hypot(point[0] - from[0], point[1] - from[1]) < NEAR;
    const seats = this.value.keys.map((_, index) => this.seat(index));
    const [key, handle] = [seats.findIndex(({ at }) => near(at)), seats.findIndex((seat) => near(seat.handle))];
    const index = key >= 0 ? key : handle;
    if (index < 0) this.held = { stroke: [this.toWorld(from)] };
    else this.held = { index, from: this.toWorld(from), turns: key < 0, by: [0, 0], turn: 0 };
    if (index >= 0) this.callbacks.chosen(index);
    this.draw();
  }

  move(event) {
    const { held } = this;
    const to = this.toWorld(this.place(event));
    if (held.stroke) {
      const [x, y] = this.toScreen(held.stroke.at(-1));
      if (Math.hypot(this.place(event)[0] - x, this.place(event)[1] - y) >= STEP) held.stroke.push(to);
    } else if (held.turns) {
      const { pose } = this.value.keys[held.index];
      held.turn = Math.atan2(to[0] - pose[3], to[1] - pose[11]) - Math.atan2(pose[2], pose[10]);
    } else held.by = [to[0] - held.from[0], to[1] - held.from[1]];
    this.draw();
  }

  up(event) {
    const { held } = this;
    if (!held || event.type === "pointercancel") return (this.held = null), this.draw();
    if (held.stroke?.length > 2) this.callbacks.stroke(held.stroke);
    else if (held.turns && held.turn) this.callbacks.turn((held.turn * 180) / Math.PI);
    else if (held.by && Math.hypot(...held.by) > 0) this.callbacks.shift([held.by[0], 0, held.by[1]]);
    else this.held = null;
    this.draw(); // the dragged key stays in place until the answer
    if (held.stroke && held.stroke.length <= 2) this.held = null;
  }
}
