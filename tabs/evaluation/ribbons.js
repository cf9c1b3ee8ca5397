// Errors of a take over its frames, with a cursor at the player's time; a click on a ribbon moves the player there.
// props.value: {count, fps, frames, unplaced, rows: [{name, unit, colour, values, most}], ways, numbers}, props.player: its id.
const SVG = "http://www.w3.org/2000/svg";
const lines = element.querySelector(".take-lines");
const map = element.querySelector(".take-map");
const numbers = element.querySelector(".take-numbers");
let cursors = [];
let marks = [];
let following = false;

const made = (kind, facts, parent) => {
  const one = document.createElementNS(SVG, kind);
  for (const [key, value] of Object.entries(facts)) one.setAttribute(key, value);
  parent.append(one);
  return one;
};
const video = () => document.querySelector(`#${props.player} video`);

function build() {
  const take = props.value;
  element.classList.toggle("take-empty", !take);
  lines.replaceChildren();
  map.replaceChildren();
  numbers.replaceChildren();
  cursors = [];
  marks = [];
  if (!take) return;
  for (const [label, text] of take.numbers) {
    const one = document.createElement("span");
    const strong = document.createElement("b");
    strong.textContent = text;
    one.append(`${label} `, strong);
    numbers.append(one);
  }
  for (const row of take.rows) lines.append(...ribbon(take, row));
  take.ways.forEach((way, number) => {
    if (!way.length) return;
    const points = way.map((place) => place.join(",")).join(" ");
    const dash = number === 0 ? "4 3" : "none";
    const colour = number === 0 ? "#2f9e44" : "#e8590c";
    made("polyline", { points, fill: "none", stroke: colour, "stroke-width": 2, "stroke-dasharray": dash }, map);
    marks.push([way, made("circle", { r: 4, fill: colour, cx: way[0][0], cy: way[0][1] }, map), number]);
  });
  if (!following) requestAnimationFrame(follow);
}

function ribbon(take, row) {
  const label = document.createElement("span");
  label.textContent = `${row.name}: at most ${row.most.toPrecision(2)}${row.unit}`;
  const chart = document.createElementNS(SVG, "svg");
  chart.setAttribute("viewBox", `0 0 ${take.count} 40`);
  chart.setAttribute("preserveAspectRatio", "none");
  chart.setAttribute("role", "img");
  chart.setAttribute("aria-label", label.textContent);
  for (const frame of take.unplaced) made("rect", { x: frame, y: 0, width: 1, height: 40, fill: "#ced4da" }, chart);
  const most = Math.max(row.most, 1e-9);
  row.values.forEach((value, i) => {
    const height = (38 * Math.abs(value)) / most;
    made("rect", { x: take.frames[i], y: 40 - height, width: 1, height, fill: row.colour, opacity: 0.75 }, chart);
  });
  const cursor = made("line", { x1: 0, x2: 0, y1: 0, y2: 40, stroke: "currentColor", "stroke-width": 2, "vector-effect": "non-scaling-stroke" }, chart);
  cursors.push(cursor);
  chart.addEventListener("click", (event) => {
    const box = chart.getBoundingClientRect();
    const shown = video();
    if (shown?.duration) shown.currentTime = ((event.clientX - box.left) / box.width) * shown.duration;
  });
  return [label, chart];
}

function follow() {
  const take = props.value;
  following = Boolean(take && element.isConnected);
  if (!following) return;
  const shown = video();
  if (shown?.duration) {
    const frame = Math.min((shown.currentTime / shown.duration) * take.count, take.count - 1);
    for (const cursor of cursors) for (const end of ["x1", "x2"]) cursor.setAttribute(end, frame);
    for (const [way, mark, number] of marks) {
      const at = number === 0 ? Math.floor(frame) : take.frames.findLastIndex((one) => one <= frame);
      const place = way[Math.min(Math.max(at, 0), way.length - 1)];
      mark.setAttribute("cx", place[0]);
      mark.setAttribute("cy", place[1]);
    }
  }
  requestAnimationFrame(follow);
}

watch("value", build);
build();
