// A timeline: the strip, the numbers under it, and its requests to Python. The playhead and the current camera come
// from the stage beside it, without a request.
import { extras } from "./extras.js";
import { goOn } from "./fields.js";
import { keyPanel, wholePanel } from "./panels.js";
import { Gizmo } from "./gizmo.js";
import { Plan } from "./plan.js";
import { Requests } from "./requests.js";
import { pace as clipPace, Rows } from "./rows.js";
import { Strip } from "./strip.js";
import { drawWarnings } from "./warnings.js";

const REST_MS = 700; // after a change, before warnings are requested

export class Timeline {
  // `value` as tabs/browser/timeline/component.py makes it; `send` sends Python a command.
  constructor(root, props, send) {
    Object.assign(this, { root, words: props.words, value: null, copied: [], target: null, object: null, picking: false, warning: false });
    this.requests = new Requests(send);
    const callbacks = {
      seek: (frame) => this.stage()?.seek(frame),
      chosen: () => (this.panels(), this.gizmo.draw()),
      moved: (seconds) => this.ask({ do: "move", seconds, ripple: this.ripple() }),
    };
    this.strip = new Strip(root, callbacks);
    this.stageId = props.stage;
    document.addEventListener("stage:moved", (event) => this.isOurs(event.target) && this.strip.seek(event.detail.frame));
    root.querySelector(".tl-tools").addEventListener("click", (event) => this.pressed(event.target.dataset?.do));
    root.querySelector(".tl-seconds").addEventListener("change", ({ target }) => this.ask({ do: "retime", seconds: Number(target.value) }));
    root.addEventListener("keydown", (event) => this.shortcut(event));
    const ahead = root.querySelector(".tl-ahead");
    root.plan = this.plan = new Plan(root.querySelector(".tl-plan"), () => document.querySelector(`#${this.stageId} .stage-plot`), {
      chosen: (index) => this.strip.choose([index]),
      shift: (by) => this.ask({ do: "shift", by }),
      turn: (degrees) => this.ask({ do: "turn", by: [degrees, 0, 0] }),
      stroke: (points) => this.ask({ do: "stroke", points, ahead: ahead.checked }),
    });
    this.rows = new Rows(root, (command) => this.ask(command));
    this.inSpace();
    document.addEventListener("stage:moved", (event) => this.isOurs(event.target) && (this.plan.follow(), this.gizmo.draw()));
    root.querySelector(".tl-unseen").addEventListener("click", () => this.ask({ do: "coverage" }));
    root.querySelector(".tl-extras").replaceChildren(...extras(this));
    document.addEventListener("stage:touched", (event) => this.isOurs(event.target) && this.touched(event.detail));
    root.querySelector(".tl-warnings").addEventListener("click", ({ offsetX, target }) =>
      this.stage()?.seek(Math.floor((offsetX / target.clientWidth) * this.value.when.length)));
  }

  // The gizmo follows every rotation of the figure.
  inSpace() {
    const plot = () => document.querySelector(`#${this.stageId} .stage-plot`);
    this.root.gizmo = this.gizmo = new Gizmo(plot, {
      shift: (by, own) => this.ask({ do: "shift", by, own }),
      turn: (by, own) => this.ask({ do: "turn", by, own }),
    });
    const [button, own] = [this.root.querySelector(".tl-in-3d"), this.root.querySelector(".tl-own")];
    button.addEventListener("click", () => {
      const on = !this.gizmo.on;
      button.setAttribute("aria-pressed", String(on));
      own.hidden = !on;
      if (on && this.value.chosen.length !== 1) this.strip.choose([this.value.chosen[0] ?? 0]);
      this.gizmo.toggle(on);
    });
    own.addEventListener("change", ({ target }) => ((this.gizmo.own = target.checked), this.gizmo.draw()));
    for (const name of ["pointermove", "wheel", "pointerup"])
      document.addEventListener(name, ({ target }) => this.gizmo.on && target.closest?.(`#${this.stageId}`) && requestAnimationFrame(() => this.gizmo.draw()), { passive: true });
    new ResizeObserver(() => this.gizmo.draw()).observe(this.root);
  }

  // The user clicked on a point in 3D or in the picture: it becomes the target, if one is being picked.
  touched({ point, x, y }) {
    if (!this.picking) return;
    const place = { x, y, camera: this.stage().camera(), frame: this.stage().frame };
    if (this.picking === "focus") {
      this.focused();
      this.ask(point ? { do: "look", focus: point.join(",") } : { do: "focus", ...place });
    } else if (point) this.picked(point);
    else this.ask({ do: "pick", ...place });
  }

  // Requests warnings, if they are switched on, once the move has not changed for a while.
  warn(on, quiet = false) {
    this.warning = on;
    clearTimeout(this.rest);
    if (on) this.rest = setTimeout(() => this.ask({ do: "check", quiet }), quiet ? REST_MS : 0);
    else drawWarnings(this.root.querySelector(".tl-warnings"), null);
  }

  tell(words) {
    this.say({ status: words, wrong: true });
  }

  isOurs(node) {
    return Boolean(node.closest?.(`#${this.stageId}`));
  }

  // The stage's interface: camera(), frame, seek(frame).
  stage() {
    return document.querySelector(`#${this.stageId} .stage`)?.stage;
  }

  ripple() {
    return this.root.querySelector(".tl-ripple").checked;
  }

  take(value) {
    if (!value || value.id === this.value?.id) return;
    const kept = value.request === null ? (this.value?.chosen ?? []).filter((index) => index < value.keys.length) : value.chosen;
    this.value = { ...value, chosen: value.wrong ? (this.value?.chosen ?? []) : kept };
    this.root.hidden = false;
    this.root.classList.toggle("keyed", value.keyed);
    this.rows.take(value);
    this.strip.take(this.value);
    this.strip.seek(this.stage()?.frame ?? 0);
    const seconds = this.root.querySelector(".tl-seconds");
    if (seconds !== document.activeElement) seconds.value = String(Number(value.seconds.toFixed(3)));
    this.scaled(value);
    this.panels();
    this.plan.take(this.value);
    const seen = this.stage()?.camera();
    if (seen) this.gizmo.shape = [seen.width, seen.height];
    this.gizmo.take(this.value);
    if (value.status || (value.request !== null && !value.warnings)) this.say(value);
    if (value.target) this.picked(value.target, value.object);
    this.showLook(value.look);
    drawWarnings(this.root.querySelector(".tl-warnings"), value.warnings);
    if (this.warning && !value.warnings && !value.wrong) this.warn(true, true);
    this.requests.answered(value.request);
    this.root.dataset.answered = String(value.request ?? "");
  }

  say({ status, wrong, keyed = false, over_clip = false, clip_frames = 0, seconds = 1, lasts = 1, when = [] }) {
    const faster = seconds / (lasts * ((when.length - 1) / when.length || 1));
    const pace = `The keys last ${seconds.toFixed(1)} s and the clip ${lasts.toFixed(1)} s: it runs ${faster.toFixed(2)} times as fast.`;
    const line = this.root.querySelector(".tl-status");
    const runs = over_clip ? clipPace({ when, clip_frames }) : keyed && Math.abs(faster - 1) > 0.02 ? pace : "";
    line.textContent = [status, runs].filter(Boolean).join(" ");
    line.classList.toggle("wrong", wrong);
  }

  panels() {
    const { chosen, keyed } = this.value;
    if (!keyed) return;
    const typing = this.root.querySelector(".tl-key input[type=number]:focus");
    this.root.querySelector(".tl-key").replaceChildren(...keyPanel(this.value, this.words, () => this.ripple(), (command) => this.ask(command)));
    this.root.querySelector(".tl-motion").replaceChildren(...wholePanel(this.value, this.words, (command) => this.ask(command)));
    if (typing && this.shown === String(chosen)) goOn(typing, this.root.querySelector(".tl-key"));
    this.shown = String(chosen);
    for (const button of this.root.querySelectorAll("[data-needs]"))
      button.disabled = button.dataset.needs === "one" ? chosen.length !== 1 : !chosen.length;
  }

  ask(command) {
    const camera = command.camera;
    this.requests.add(() => ({ chosen: this.value.chosen, ...command, ...(camera ? { camera } : {}) }));
  }

  pressed(name) {
    if (!name || !this.value) return;
    const stage = this.stage();
    const seen = stage?.camera();
    const here = this.value.when[Math.min(stage?.frame ?? 0, this.value.when.length - 1)] ?? 0;
    if (name === "append" && this.value.over_clip) return this.pressed("add");
    if (name === "follow_clip") this.ask({ do: name, time: here });
    else if (name === "add") this.ask({ do: name, time: here, camera: seen });
    else if (name === "append" || name === "overwrite") this.ask({ do: name, camera: seen });
    else if (name === "copy") this.ask({ do: name, time: here });
    else if (name === "delete") this.ask({ do: name, ripple: this.ripple() });
    else if (name === "fit") this.ask({ do: name });
  }

  shortcut(event) {
    if (!this.value?.keyed || event.target.matches("input, select, .tl-point")) return;
    const held = event.ctrlKey || event.metaKey;
    const name = held ? { c: "remember", v: "paste" }[event.key] : { k: "append", i: "add", o: "overwrite", b: this.value.over_clip ? "follow_clip" : "", Delete: "delete", Backspace: "delete" }[event.key];
    if (!name) return;
    event.preventDefault();
    if (name === "remember") this.copied = [...this.value.chosen];
    else if (name === "paste") this.strip.choose(this.copied.filter((index) => index < this.value.keys.length)), this.value.chosen.length && this.pressed("copy");
    else if ((name !== "delete" && name !== "overwrite") || this.value.chosen.length) this.pressed(name);
  }
}
