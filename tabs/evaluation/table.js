// A table that sorts by the column whose header is clicked. props.value: {columns, rows: [{cells, spark}], drawn, sorted}; drawn: what the
// sparklines show, none if missing; sorted: {column, down}, the initial order.
const SVG = "http://www.w3.org/2000/svg";
const table = element.querySelector(".takes");
let sorted = { column: 0, down: false };

function build() {
  table.replaceChildren();
  if (!props.value) return;
  const { columns, rows, drawn } = props.value;
  const head = table.createTHead().insertRow();
  columns.forEach((text, column) => {
    const cell = document.createElement("th");
    const button = document.createElement("button");
    const here = sorted.column === column;
    button.textContent = text + (here ? (sorted.down ? " ↓" : " ↑") : "");
    cell.setAttribute("aria-sort", here ? (sorted.down ? "descending" : "ascending") : "none");
    button.addEventListener("click", () => {
      sorted = { column, down: here && !sorted.down };
      build();
    });
    cell.append(button);
    head.append(cell);
  });
  if (drawn) head.append(Object.assign(document.createElement("th"), { textContent: drawn }));
  const body = table.createTBody();
  for (const row of [...rows].sort(order)) {
    const line = body.insertRow();
    for (const cell of row.cells) line.insertCell().textContent = cell ?? "–";
    if (drawn) line.insertCell().append(sparkline(row.spark));
  }
}

function order(a, b) {
  const [x, y] = [a.cells[sorted.column], b.cells[sorted.column]];
  if (x === null || y === null) return (x === null) - (y === null); // unknown values come last in both directions
  const less = typeof x === "string" ? x.localeCompare(y) : x - y;
  return sorted.down ? -less : less;
}

function sparkline(heights) {
  const chart = document.createElementNS(SVG, "svg");
  chart.setAttribute("viewBox", `0 0 ${heights.length} 20`);
  chart.setAttribute("preserveAspectRatio", "none");
  heights.forEach((height, i) => {
    const bar = document.createElementNS(SVG, "rect");
    const tall = height === null ? 20 : 1 + 18 * height;
    const facts = { x: i, y: 20 - tall, width: 1, height: tall, fill: height === null ? "#ced4da" : "#d9480f" };
    for (const [key, value] of Object.entries(facts)) bar.setAttribute(key, value);
    chart.append(bar);
  });
  return chart;
}

function begin() {
  sorted = props.value?.sorted ?? sorted;
  build();
}

watch("value", begin);
begin();
