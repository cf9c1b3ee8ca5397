// The stage: the path in 3D (Plotly), what the camera sees at one frame, and one transport for both.
// props.value: {figure, frames, fps} from Python; props.eye: {frame, picture} where picture is a data URI.
// Tells Python: select {frame} when the transport moves; click {point: [x, y, z]} when the scene is clicked.
const plot = element.querySelector(".stage-plot");
const eye = element.querySelector(".stage-eye img");
const caption = element.querySelector(".stage-eye figcaption");
const slider = element.querySelector("input[type=range]");
const clock = element.querySelector("output");
const play = element.querySelector(".stage-play");
const state = { frame: 0, shown: null, playing: false, asked: null, waiting: false };

function ink() {
  return getComputedStyle(element).getPropertyValue("--body-text-color") || "#333";
}

function themed(layout) {
  const { updatemenus, sliders, ...rest } = layout;
  const line = "rgba(128,128,128,0.35)";
  const scene = { ...rest.scene, ...(state.view ? { camera: state.view } : {}) };
  for (const axis of ["xaxis", "yaxis", "zaxis"]) scene[axis] = { ...scene[axis], gridcolor: line, color: ink() };
  return {
    ...rest,
    scene,
    autosize: true,
    paper_bgcolor: "rgba(0,0,0,0)",
    plot_bgcolor: "rgba(0,0,0,0)",
    font: { color: ink() },
  };
}

async function draw() {
  const value = props.value;
  if (!value || !value.figure || !window.Plotly) return;
  const { data, layout, frames } = value.figure;
  if (plot._fullLayout?.scene) state.view = structuredClone(plot.layout.scene.camera ?? state.view);
  if (state.shown !== null && value.fresh) state.view = null;
  state.shown = value;
  await Plotly.react(plot, data, themed(layout), { responsive: true, displaylogo: false, modeBarButtonsToRemove: ["toImage"] });
  plot.dataset.frames = frames.length;
  plot.removeAllListeners?.("plotly_click");
  plot.on("plotly_click", clicked);
  slider.max = value.frames - 1;
  seek(Math.min(state.frame, value.frames - 1), { ask: true });
  element.dataset.drawn = String(Number(element.dataset.drawn || 0) + 1);
}

function clicked(event) {
  const point = event.points[0];
  if (point.customdata !== undefined && point.customdata !== null) seek(Number(point.customdata), { ask: true });
  else trigger("click", { point: [point.x, -point.z, point.y] });
}

// Moves the camera of the figure in place (its own trace, nothing is rebuilt) and asks Python for the picture.
function seek(frame, { ask }) {
  state.frame = frame;
  slider.value = frame;
  const value = state.shown;
  const step = value.figure.frames[frame];
  if (!step) return;
  const line = step.data[0];
  Plotly.restyle(plot, { x: [line.x], y: [line.y], z: [line.z] }, step.traces);
  clock.textContent = `${frame + 1} / ${value.frames} · ${(frame / value.fps).toFixed(2)} s`;
  plot.dataset.frame = frame;
  if (ask) want(frame);
}

// One question at a time: while an answer is under way only the newest frame is remembered.
function want(frame) {
  state.asked = frame;
  if (state.waiting) return;
  state.waiting = true;
  state.timer = setTimeout(answered, 1500);
  trigger("select", { frame });
}

function answered() {
  clearTimeout(state.timer);
  state.waiting = false;
  const got = props.eye?.frame;
  if (state.asked !== null && got !== state.asked) want(state.asked);
}

function see() {
  const answer = props.eye;
  if (!answer?.picture) return;
  eye.src = answer.picture;
  caption.textContent = answer.caption ?? "";
  element.dataset.seen = answer.frame;
  answered();
}

function tick(start, from) {
  return (now) => {
    if (!state.playing || !element.isConnected) return;
    const { frames, fps } = state.shown;
    const frame = (from + Math.floor(((now - start) / 1000) * fps)) % frames;
    if (frame !== state.frame) seek(frame, { ask: true });
    requestAnimationFrame(tick(start, from));
  };
}

play.addEventListener("click", () => {
  if (!state.shown) return;
  state.playing = !state.playing;
  play.textContent = state.playing ? "⏸" : "▶";
  play.setAttribute("aria-label", state.playing ? "Pause" : "Play");
  const from = state.frame >= state.shown.frames - 1 ? 0 : state.frame;
  if (state.playing) requestAnimationFrame((now) => tick(now, from)(now));
});
slider.addEventListener("input", () => state.shown && seek(Number(slider.value), { ask: true }));

new MutationObserver(() => state.shown && Plotly.relayout(plot, { "font.color": ink() })).observe(document.body, {
  attributes: true,
  attributeFilter: ["class"],
});
new ResizeObserver(() => state.shown && plot.offsetWidth && Plotly.Plots.resize(plot)).observe(plot);
watch("value", draw);
watch("eye", see);
(function begin() {
  if (window.Plotly) draw();
  else setTimeout(begin, 60);
})();
