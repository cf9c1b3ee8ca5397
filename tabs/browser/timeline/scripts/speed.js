// The speed graph: points of relative time and relative speed. Drag them, double-click to add one, Delete removes one,
// arrow keys move the focused one.
import { drawn } from "./fields.js";

const [WIDTH, HEIGHT, EDGE, MOST] = [400, 74, 8, 2];

export function speedGraph(speed, onChange) {
  const facts = { class: "tl-speed", viewBox: `0 0 ${WIDTH} ${HEIGHT}`, preserveAspectRatio: "none" };
  const graph = drawn("svg", { ...facts, role: "group", "aria-label": "Speed over the time of the move" });
  let points = speed.length ? speed.map((point) => [...point]) : [[0, 1], [1, 1]];
  const most = Math.max(MOST, ...points.map(([, one]) => one));
  const x = (share) => EDGE + share * (WIDTH - 2 * EDGE);
  const y = (one) => HEIGHT - EDGE - (one / most) * (HEIGHT - 2 * EDGE);
  const from = (event) => {
    const box = graph.getBoundingClientRect();
    const [left, up] = [(event.clientX - box.left) / box.width, (event.clientY - box.top) / box.height];
    return [(left * WIDTH - EDGE) / (WIDTH - 2 * EDGE), (most * (HEIGHT - EDGE - up * HEIGHT)) / (HEIGHT - 2 * EDGE)];
  };
  const last = () => points.length - 1;

  function place(index, [share, one]) {
    const inner = index > 0 && index < last();
    const at = inner ? Math.min(Math.max(share, points[index - 1][0] + 0.01), points[index + 1][0] - 0.01) : points[index][0];
    points[index] = [round(at), round(Math.min(Math.max(one, 0), most))];
    if (!points.some(([, each]) => each > 0)) points[index][1] = 0.05;
  }

  function draw(focus = -1) {
    const way = points.map(([share, one]) => `${x(share)},${y(one)}`).join(" ");
    const line = drawn("polyline", { points: way, fill: "none", stroke: "currentColor", "vector-effect": "non-scaling-stroke" });
    const marks = points.map((_, index) => mark(index));
    graph.replaceChildren(line, ...marks);
    marks[focus]?.focus();
  }

  function mark(index) {
    const [share, one] = points[index];
    const dot = drawn("circle", { class: "tl-point", cx: x(share), cy: y(one), r: 5, tabindex: 0, role: "slider" });
    dot.setAttribute("aria-label", `Speed at ${Math.round(100 * share)} % of the time`);
    for (const [name, value] of Object.entries({ min: 0, max: most, now: one })) dot.setAttribute(`aria-value${name}`, value);
    dot.addEventListener("pointerdown", (event) => hold(event, index));
    dot.addEventListener("keydown", (event) => pressed(event, index));
    return dot;
  }

  function hold(event, index) {
    event.stopPropagation();
    graph.setPointerCapture(event.pointerId);
    const drag = (moved) => {
      place(index, from(moved));
      draw();
    };
    graph.addEventListener("pointermove", drag);
    graph.addEventListener("pointerup", () => (graph.removeEventListener("pointermove", drag), onChange(points)), { once: true });
  }

  function pressed(event, index) {
    const hop = { ArrowLeft: [-0.02, 0], ArrowRight: [0.02, 0], ArrowUp: [0, 0.1], ArrowDown: [0, -0.1] }[event.key];
    const gone = event.key === "Delete" && index > 0 && index < last();
    if (!hop && !gone) return;
    event.preventDefault();
    event.stopPropagation();
    if (gone) points = points.filter((_, number) => number !== index);
    else place(index, [points[index][0] + hop[0], points[index][1] + hop[1]]);
    draw(gone ? index - 1 : index);
    onChange(points);
  }

  graph.addEventListener("dblclick", (event) => {
    const point = from(event).map(round);
    if (point[0] <= 0.01 || point[0] >= 0.99 || points.some(([share]) => Math.abs(share - point[0]) < 0.01)) return;
    points = [...points, [point[0], Math.max(point[1], 0)]].sort((a, b) => a[0] - b[0]);
    draw();
    onChange(points);
  });
  draw();
  return graph;
}

const round = (value) => Number(value.toFixed(3));
