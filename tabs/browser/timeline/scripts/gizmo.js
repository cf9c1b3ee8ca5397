// The selected key in 3D, on the stage's figure: its frustum with arrows to move it and rings to turn it, along the world's axes
// or its own. Pointer: drag an arrow or a ring. Keyboard: Tab to one, then arrow keys; Shift makes steps ten times as large.
import { multiplied, turnAbout, turnOf } from "../../drawing/cameras.js";
import { drawn } from "./fields.js";
import { frustum, onScreen, ring } from "./space.js";

const LONG_PX = 70; // length of an arrow
const [STEP, STEP_DEGREES] = [0.02, 1]; // per key press: in arrow lengths, in degrees
const AXES = [
  { name: "right", colour: "#e03131", along: [1, 0, 0] },
  { name: "down", colour: "#2f9e44", along: [0, 1, 0] },
  { name: "forward", colour: "#1c7ed6", along: [0, 0, 1] },
];
const TURNS = ["tilt", "pan", "roll"]; // about right, down, forward

export class Gizmo {
  // `plot()` returns the stage's figure; `callbacks`: {shift(by, own), turn(by, own)} in scene units and degrees of pan, tilt, roll.
  constructor(plot, callbacks) {
    Object.assign(this, { plot, callbacks, value: null, held: null, on: false, own: false, shape: [16, 9] });
    this.svg = drawn("svg", { class: "tl-gizmo", role: "group", "aria-label": "The chosen key in 3D" });
    this.lines = drawn("path", { class: "tl-frustum" });
    this.handles = AXES.flatMap((axis, index) => ["move", "turn"].map((kind) => this.handle(kind, axis, index)));
    this.svg.append(this.lines, ...this.handles.map(({ group }) => group));
  }

  handle(kind, axis, index) {
    const words = kind === "move" ? `Move ${axis.name}` : `Turn: ${TURNS[index]}`;
    const group = drawn("g", { class: `tl-handle ${kind}`, tabindex: "0", role: "button", "aria-label": `${words}; arrow keys` });
    const [wide, thin] = [drawn("path", { class: "wide" }), drawn("path", { stroke: axis.colour })];
    group.append(wide, thin);
    const one = { kind, index, group, paths: [wide, thin] };
    group.addEventListener("pointerdown", (event) => this.grab(event, one));
    group.addEventListener("keydown", (event) => this.pressed(event, one));
    return one;
  }

  take(value) {
    Object.assign(this, { value, held: null });
    this.draw();
  }

  toggle(on) {
    this.on = on;
    this.draw();
  }

  get key() {
    const { keys = [], chosen = [], keyed } = this.value ?? {};
    return this.on && keyed && chosen.length === 1 ? keys[chosen[0]] : null;
  }

  // The key's position and rotation (9 numbers, world from camera) during a drag.
  get pose() {
    const { pose } = this.key;
    const [place, turn] = [[pose[3], pose[7], pose[11]], turnOf(pose)];
    const { kind, amount = 0, axis } = this.held ?? {};
    if (kind === "move") return { place: place.map((value, i) => value + amount * axis[i]), turn };
    return kind === "turn" ? { place, turn: multiplied(turnAbout(axis, amount), turn, 3) } : { place, turn };
  }

  // World directions of the arrows.
  axis(index) {
    const { turn } = this.held?.start ?? this.pose;
    return this.own ? [turn[index], turn[3 + index], turn[6 + index]] : AXES[index].along;
  }

  draw() {
    const plot = this.plot();
    const project = plot && onScreen(plot);
    this.svg.toggleAttribute("hidden", !this.key || !project);
    if (!this.key || !project) return;
    if (this.svg.parentElement !== plot) plot.append(this.svg);
    const { place, turn } = this.pose;
    const units = AXES.map((_, index) => this.axis(index));
    const middle = project(place);
    const reach = units.map((axis) => distance(project(moved(place, axis, 1e-3)), middle) / 1e-3);
    this.long = LONG_PX / Math.max(...reach, 1e-9);
    const path = (points) => points.map((point, i) => `${i ? "L" : "M"}${project(point).map((value) => value.toFixed(1))}`).join("");
    this.lines.setAttribute("d", frustum(place, turn, this.key.focal_mm, this.shape, this.long).map(path).join(""));
    for (const { kind, index, paths } of this.handles) {
      const points = kind === "move" ? [moved(place, units[index], 0.25 * this.long), moved(place, units[index], this.long)] : ring(place, units[index], 0.75 * this.long);
      paths.forEach((each) => each.setAttribute("d", path(points)));
    }
  }

  grab(event, { kind, index, group }) {
    event.preventDefault();
    event.stopPropagation(); // otherwise the figure would turn
    const project = onScreen(this.plot());
    const start = this.pose;
    const axis = this.axis(index);
    const from = [event.clientX, event.clientY];
    const box = this.svg.getBoundingClientRect();
    const middle = project(start.place);
    const tip = project(moved(start.place, axis, this.long));
    const facing = Math.sign(area(ring(start.place, axis, this.long).map(project))) || 1;
    const angle = (x, y) => Math.atan2(y - box.top - middle[1], x - box.left - middle[0]);
    this.held = { kind, axis, start, amount: 0 };
    group.setPointerCapture(event.pointerId);
    group.focus();
    const drag = ({ clientX, clientY }) => {
      const along = [tip[0] - middle[0], tip[1] - middle[1]];
      const travelled = ((clientX - from[0]) * along[0] + (clientY - from[1]) * along[1]) / Math.max(along[0] ** 2 + along[1] ** 2, 16);
      const turned = facing * (angle(clientX, clientY) - angle(...from));
      this.held.amount = kind === "move" ? travelled * this.long : Math.atan2(Math.sin(turned), Math.cos(turned));
      this.draw();
    };
    const end = (up) => {
      group.removeEventListener("pointermove", drag);
      const { amount } = this.held ?? {};
      if (up.type === "pointerup" && amount) this.ask(kind, index, amount); // the dragged part stays in place until the answer
      else this.held = null;
      this.draw();
    };
    group.addEventListener("pointermove", drag);
    for (const name of ["pointerup", "pointercancel"]) group.addEventListener(name, end, { once: true });
  }

  pressed(event, { kind, index }) {
    const sign = { ArrowRight: 1, ArrowUp: 1, ArrowLeft: -1, ArrowDown: -1 }[event.key];
    if (!sign) return;
    event.preventDefault();
    event.stopPropagation();
    const times = sign * (event.shiftKey ? 10 : 1);
    this.ask(kind, index, times * (kind === "move" ? STEP * this.long : (STEP_DEGREES * Math.PI) / 180));
  }

  // Right-handed rotations about right, down and forward tilt up, pan right and roll clockwise.
  ask(kind, index, amount) {
    const by = [0, 0, 0];
    if (kind === "move") by[index] = amount;
    else by[[1, 0, 2][index]] = (amount * 180) / Math.PI;
    this.callbacks[kind === "move" ? "shift" : "turn"](by, this.own);
  }
}

const moved = (place, axis, by) => place.map((value, i) => value + by * axis[i]);
const distance = (a, b) => Math.hypot(a[0] - b[0], a[1] - b[1]);

// Signed area of a closed line on the screen, positive if clockwise.
const area = (points) =>
  points.reduce((sum, [x, y], i) => sum + x * points[(i + 1) % points.length][1] - y * points[(i + 1) % points.length][0], 0);
