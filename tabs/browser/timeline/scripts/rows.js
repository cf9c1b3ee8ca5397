// For a posed clip: above the keys, a row for the clip's own camera, and below them the result: where it is the clip's camera and
// where keys override it.
export class Rows {
  // `ask` sends a command.
  constructor(root, ask) {
    this.root = root;
    this.over = root.querySelector(".tl-over-clip");
    this.ends = [...root.querySelectorAll("[data-end]")];
    this.over.addEventListener("change", () => ask({ do: "over_clip", on: this.over.checked }));
    for (const end of this.ends) end.addEventListener("change", () => ask({ do: "ends", [end.dataset.end]: end.checked }));
  }

  take(value) {
    this.root.classList.toggle("has-clip", value.has_clip || value.over_clip === true);
    this.root.classList.toggle("over-clip", value.over_clip === true);
    this.over.checked = value.over_clip === true;
    for (const end of this.ends) end.checked = value[end.dataset.end] === true;
    this.root.querySelector(".tl-warnings").style.width = value.over_clip ? `calc((100% - 28px) * ${reached(value)})` : "";
    if (value.over_clip) this.draw(value);
  }

  draw(value) {
    const { seconds, overridden, clip_frames: frames, when } = value;
    const piece = (from, to, kind) => {
      const one = Object.assign(document.createElement("i"), { className: kind });
      Object.assign(one.style, { left: `${(100 * from) / seconds}%`, width: `${(100 * (to - from)) / seconds}%` });
      return one;
    };
    const words = Object.assign(document.createElement("span"), { textContent: "Result" });
    const beyond = when.length < frames ? [piece(when.at(-1), seconds, "tl-unreached")] : [];
    const result = this.root.querySelector(".tl-result");
    result.replaceChildren(...overridden.map(([from, to]) => piece(from, to, "tl-overridden")), ...beyond, words);
    const ranges = overridden.map(([from, to]) => `from ${from.toFixed(2)} to ${to.toFixed(2)} seconds`).join(", ");
    result.setAttribute("aria-label", ranges ? `Result: own keys ${ranges}, else the clip's camera` : "Result: the clip's camera throughout");
    this.root.querySelector(".tl-clip").setAttribute("aria-label", `The clip's own camera, ${frames} frames, ${seconds.toFixed(2)} seconds`);
  }
}

// Fraction of the clip that the method's path covers.
const reached = ({ when, seconds }) => Math.min(1, when.at(-1) / seconds);

export const pace = ({ when, clip_frames: frames }) =>
  when.length < frames ? `This method takes the first ${when.length} of the clip's ${frames} frames.` : "";
