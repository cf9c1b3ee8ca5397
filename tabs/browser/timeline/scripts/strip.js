// The strip: a ruler with the playhead, and the keys in time. Pointer: drag keys, Shift or Ctrl selects several, a drag over the
// row selects the keys under it. Keyboard on a key: arrows go to its neighbours, Shift+arrows retime, Delete deletes.

const MARGIN = 14; // pixels at either end, as in the stylesheet
const STEPS = [0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 60, 120, 300, 600];

export class Strip {
  // `callbacks`: {seek(frame), chosen(list), moved(seconds, ripple), named(command)}.
  constructor(root, callbacks) {
    this.callbacks = callbacks;
    this.root = root;
    [this.ruler, this.row, this.head] = [".tl-ruler", ".tl-keys", ".tl-head"].map((name) => root.querySelector(name));
    this.value = null;
    this.shift = 0;
    this.scrubbing();
    this.choosing();
    this.row.addEventListener("keydown", (event) => this.pressed(event));
    new ResizeObserver(() => this.drawRuler()).observe(this.ruler);
  }

  take(value) {
    this.value = value;
    this.shift = 0;
    this.drawRuler();
    this.drawKeys();
    this.seek(this.frame ?? 0);
  }

  // Duration of one frame in seconds.
  get step() {
    const { seconds, when, over_clip } = this.value;
    if (over_clip) return when.length > 1 ? when[1] : seconds;
    return seconds / Math.max(when.length - 1, 1);
  }

  left(seconds) {
    return `${(100 * seconds) / this.value.seconds}%`;
  }

  timeAt(clientX) {
    const box = this.row.getBoundingClientRect();
    const share = (clientX - box.left) / Math.max(box.width, 1);
    return Math.min(Math.max(share, 0), 1) * this.value.seconds;
  }

  frameAt(seconds) {
    let best = 0;
    this.value.when.forEach((time, frame) => {
      if (Math.abs(time - seconds) < Math.abs(this.value.when[best] - seconds)) best = frame;
    });
    return best;
  }

  seek(frame) {
    this.frame = frame;
    if (!this.value) return;
    const { when, seconds } = this.value;
    const at = when[Math.min(frame, when.length - 1)] ?? 0;
    this.head.style.left = `calc(${MARGIN}px + (100% - ${2 * MARGIN}px) * ${at / seconds})`;
    this.ruler.setAttribute("aria-valuenow", String(frame + 1));
    this.ruler.setAttribute("aria-valuetext", `Frame ${frame + 1}, ${at.toFixed(2)} seconds`);
  }

  scrubbing() {
    let held = false;
    const to = (event) => this.value && this.callbacks.seek(this.frameAt(this.timeAt(event.clientX)));
    this.ruler.addEventListener("pointerdown", (event) => {
      held = true;
      this.ruler.setPointerCapture(event.pointerId);
      to(event);
    });
    this.ruler.addEventListener("pointermove", (event) => held && to(event));
    for (const end of ["pointerup", "pointercancel"]) this.ruler.addEventListener(end, () => (held = false));
    this.ruler.addEventListener("keydown", (event) => {
      const last = this.value ? this.value.when.length - 1 : 0;
      const to = { ArrowLeft: this.frame - 1, ArrowRight: this.frame + 1, Home: 0, End: last }[event.key];
      if (to === undefined || !this.value) return;
      event.preventDefault();
      this.callbacks.seek(Math.min(Math.max(to, 0), last));
    });
  }

  drawRuler() {
    if (!this.value || !this.ruler.clientWidth) return;
    const ratio = window.devicePixelRatio || 1;
    const [width, height] = [this.ruler.clientWidth, this.ruler.clientHeight];
    Object.assign(this.ruler, { width: width * ratio, height: height * ratio });
    const pen = this.ruler.getContext("2d");
    pen.scale(ratio, ratio);
    pen.fillStyle = pen.strokeStyle = getComputedStyle(this.ruler).color;
    pen.font = "11px system-ui, sans-serif";
    pen.textAlign = "center";
    const { seconds, when } = this.value;
    const inner = width - 2 * MARGIN;
    const step = STEPS.find((one) => (inner * one) / seconds >= 46) ?? 1200;
    for (let mark = 0; mark <= seconds + 1e-9; mark += step) {
      const x = MARGIN + (inner * mark) / seconds;
      pen.fillRect(x, height - 7, 1, 7);
      pen.fillText(`${Number(mark.toFixed(2))} s`, Math.max(Math.min(x, width - 14), 12), 12);
    }
    if ((inner * this.step) / seconds >= 4)
      when.forEach((_, frame) => pen.fillRect(MARGIN + (inner * frame * this.step) / seconds, height - 3, 0.5, 3));
    this.ruler.setAttribute("aria-valuemin", "1");
    this.ruler.setAttribute("aria-valuemax", String(when.length));
  }

  drawKeys() {
    const focused = [...this.row.children].indexOf(document.activeElement);
    const { keys, chosen } = this.value;
    const marks = keys.map((key, index) => {
      const mark = document.createElement("div");
      mark.className = `tl-key-mark ${key.tangent}${key.follows ? " follows" : ""}`;
      mark.role = "option";
      mark.tabIndex = index === (chosen[0] ?? 0) ? 0 : -1;
      mark.dataset.index = index;
      mark.style.left = this.left(key.time);
      mark.setAttribute("aria-selected", String(chosen.includes(index)));
      const held = key.hold ? `, held for ${key.hold.toFixed(2)} seconds` : "";
      mark.setAttribute("aria-label", `Key ${index + 1}${key.name ? `, ${key.name}` : ""} at ${key.time.toFixed(2)} seconds${held}${key.follows ? ", the clip's own camera" : ""}`);
      mark.title = `${key.name || `Key ${index + 1}`} · ${key.time.toFixed(2)} s${key.follows ? " · the clip's own camera" : ""}`;
      mark.addEventListener("pointerdown", (event) => this.grab(event, index));
      return mark;
    });
    const holds = keys.flatMap((key) => (key.hold ? [this.hold(key)] : []));
    this.row.replaceChildren(...marks, ...holds);
    if (focused >= 0) (marks[chosen[0]] ?? marks[Math.min(focused, marks.length - 1)])?.focus();
  }

  hold(key) {
    const bar = document.createElement("div");
    bar.className = "tl-hold";
    Object.assign(bar.style, { left: this.left(key.time), width: this.left(key.hold) });
    return bar;
  }

  marks() {
    return [...this.row.querySelectorAll(".tl-key-mark")];
  }

  choose(list) {
    this.value.chosen = [...new Set(list)].sort((a, b) => a - b);
    this.marks().forEach((mark, index) => {
      mark.setAttribute("aria-selected", String(this.value.chosen.includes(index)));
      mark.tabIndex = index === (this.value.chosen[0] ?? 0) ? 0 : -1;
    });
    this.callbacks.chosen(this.value.chosen);
  }

  grab(event, index) {
    event.stopPropagation();
    const several = event.shiftKey || event.ctrlKey || event.metaKey;
    const { chosen } = this.value;
    if (several) this.choose(chosen.includes(index) ? chosen.filter((one) => one !== index) : [...chosen, index]);
    else if (!chosen.includes(index)) this.choose([index]);
    const mark = this.marks()[index];
    mark.focus();
    mark.setPointerCapture(event.pointerId);
    const from = event.clientX;
    let far = false;
    const box = this.row.getBoundingClientRect();
    const drag = (moved) => {
      far ||= Math.abs(moved.clientX - from) > 3;
      if (far) this.preview(((moved.clientX - from) / box.width) * this.value.seconds, moved.altKey);
    };
    const end = (up) => {
      mark.removeEventListener("pointermove", drag);
      if (far && up.type === "pointerup") return this.callbacks.moved(this.shift);
      this.preview(0, true);
      if (!several && up.type === "pointerup") this.choose([index]);
      if (up.type === "pointerup") this.callbacks.seek(this.frameAt(this.value.keys[index].time));
    };
    mark.addEventListener("pointermove", drag);
    for (const name of ["pointerup", "pointercancel"]) mark.addEventListener(name, end, { once: true });
  }

  // Shows the selected keys `seconds` later, rounded to whole frames unless `free`.
  preview(seconds, free) {
    const { keys, chosen } = this.value;
    const least = -Math.min(...chosen.map((index) => keys[index].time));
    this.shift = Math.max(free ? seconds : Math.round(seconds / this.step) * this.step, least);
    this.marks().forEach((mark, index) => {
      mark.style.left = this.left(keys[index].time + (chosen.includes(index) ? this.shift : 0));
    });
  }

  // A drag over the row selects the keys under it; a click clears the selection.
  choosing() {
    this.row.addEventListener("pointerdown", (event) => {
      if (!this.value || event.target !== this.row) return;
      this.row.setPointerCapture(event.pointerId);
      const from = this.timeAt(event.clientX);
      const drag = (moved) => {
        const [low, high] = [from, this.timeAt(moved.clientX)].sort((a, b) => a - b);
        this.choose(this.value.keys.flatMap((key, index) => (key.time >= low && key.time <= high ? [index] : [])));
      };
      this.choose([]);
      this.row.addEventListener("pointermove", drag);
      for (const name of ["pointerup", "pointercancel"])
        this.row.addEventListener(name, () => this.row.removeEventListener("pointermove", drag), { once: true });
    });
  }

  pressed(event) {
    const index = Number(event.target.dataset?.index ?? -1);
    if (!this.value || index < 0) return;
    const hop = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
    const { keys, chosen } = this.value;
    if (hop && event.shiftKey) {
      if (!chosen.includes(index)) this.choose([index]);
      this.callbacks.moved(hop * this.step * (event.ctrlKey ? 10 : 1));
    } else if (hop) this.go(Math.min(Math.max(index + hop, 0), keys.length - 1), event.ctrlKey || event.metaKey);
    else if (event.key === "Home" || event.key === "End") this.go(event.key === "Home" ? 0 : keys.length - 1);
    else if (event.key === " ") this.choose(chosen.includes(index) ? chosen.filter((one) => one !== index) : [...chosen, index]);
    else if (event.key === "Enter") this.go(index);
    else if (event.key === "a" && (event.ctrlKey || event.metaKey)) this.choose(keys.map((_, number) => number));
    else return;
    event.preventDefault();
  }

  // Focuses and selects a key, and shows its view; with `keep` it only moves the focus.
  go(index, keep = false) {
    const mark = this.marks()[index];
    if (!keep) {
      this.choose([index]);
      this.callbacks.seek(this.frameAt(this.value.keys[index].time));
    }
    for (const each of this.marks()) each.tabIndex = each === mark ? 0 : -1;
    mark.focus();
  }
}
