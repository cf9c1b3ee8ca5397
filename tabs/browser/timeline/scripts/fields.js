// Small labelled controls; each calls `onChange` with its value on commit, not on every keystroke.

const made = (kind, facts = {}, ...children) => {
  const one = Object.assign(document.createElement(kind), facts);
  one.append(...children);
  return one;
};

// Creates an SVG element.
export function drawn(kind, facts) {
  const one = document.createElementNS("http://www.w3.org/2000/svg", kind);
  for (const [name, value] of Object.entries(facts)) one.setAttribute(name, value);
  return one;
}

export function labelled(text, control, unit = "") {
  control.setAttribute("aria-label", unit ? `${text} in ${unit}` : text);
  return made("label", { className: "tl-field" }, made("span", {}, unit ? `${text} (${unit})` : text), control);
}

export function number(text, value, unit, step, onChange, facts = {}) {
  const control = made("input", { type: "number", step: "any", value: rounded(value), ...facts });
  let before = control.value;
  control.addEventListener("focus", () => (before = control.value));
  control.addEventListener("input", () => (control.dataset.typed = "yes"));
  const entered = () => {
    delete control.dataset.typed;
    if (control.value === before || control.value === "" || !control.checkValidity()) return;
    before = control.value;
    onChange(Number(control.value));
  };
  control.addEventListener("change", entered);
  control.addEventListener("keydown", (event) => {
    if (event.key === "Enter") entered();
    const hop = { ArrowUp: step, ArrowDown: -step }[event.key];
    if (!hop) return;
    event.preventDefault();
    control.value = rounded(Number(control.value) + hop * (event.shiftKey ? 10 : 1));
  });
  return labelled(text, control, unit);
}

// If an answer replaces a field while the user types in it, the new field takes over the focus and the uncommitted text.
export function goOn(before, root) {
  const again = [...root.querySelectorAll("input")].find((one) => one.ariaLabel === before.ariaLabel);
  if (!again) return;
  again.focus();
  if (!before.dataset.typed) return;
  again.value = before.value;
  again.dataset.typed = "yes";
}

export function choice(text, value, words, onChange) {
  const options = Object.entries(words).map(([name, label]) => made("option", { value: name, textContent: label }));
  const control = made("select", {}, ...options);
  control.value = value ?? "";
  control.addEventListener("change", () => onChange(control.value));
  return labelled(text, control);
}

export function tick(text, value, onChange) {
  const control = made("input", { type: "checkbox", checked: value });
  control.addEventListener("change", () => onChange(control.checked));
  return made("label", {}, control, ` ${text}`);
}

export function text(label, value, onChange) {
  const control = made("input", { type: "text", value, size: 10, maxLength: 80 });
  control.addEventListener("change", () => onChange(control.value));
  return labelled(label, control);
}

export function button(label, onClick, title = "") {
  const control = made("button", { type: "button", textContent: label, title });
  control.addEventListener("click", () => onClick(control));
  return control;
}

// A toggle button; calls `onChange` with its state.
export function toggle(label, onChange, title = "") {
  const control = button(label, () => {
    const on = control.getAttribute("aria-pressed") !== "true";
    control.setAttribute("aria-pressed", String(on));
    onChange(on);
  }, title);
  control.setAttribute("aria-pressed", "false");
  return control;
}

// A number field that may be empty.
export function optional(text, value, unit, facts) {
  const control = made("input", { type: "number", step: "any", value: value ?? "", ...facts });
  return { field: labelled(text, control, unit), get: () => (control.value === "" || !control.checkValidity() ? null : Number(control.value)) };
}

// The same with a slider beside the number; `reach` sets the slider's range.
export function ranged(text, value, unit, { min = 0, max, step }) {
  const typed = made("input", { type: "number", min, step: "any", value: value ?? "", placeholder: "no limit" });
  const slid = made("input", { type: "range", min, max, step, value: value ?? max });
  slid.addEventListener("input", () => (typed.value = slid.value));
  typed.addEventListener("input", () => typed.value !== "" && (slid.value = typed.value));
  typed.setAttribute("aria-label", `${text} in ${unit}`);
  slid.setAttribute("aria-label", `${text}, slider`);
  const name = made("span", {}, `${text} (${unit})`);
  return {
    field: made("div", { className: "tl-field tl-ranged" }, name, slid, typed),
    get: () => (typed.value === "" || !typed.checkValidity() ? null : Number(typed.value)),
    set: (now) => ([typed.value, slid.value] = [rounded(now), now]),
    reach: (most, unit) => {
      Object.assign(slid, { max: most, step: most / 100 });
      if (typed.value === "") slid.value = most;
      name.textContent = `${text} (${unit})`;
      typed.setAttribute("aria-label", `${text} in ${unit}`);
    },
  };
}

export const fields = (...children) => made("div", { className: "tl-fields" }, ...children);

export const heading = (words) => made("b", {}, words);

const rounded = (value) => String(Number(value.toFixed(4)));
