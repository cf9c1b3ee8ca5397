// The stage: the path in 3D (Plotly), the camera's view at one frame, and one transport for both.
// props.value: {id, figure, points, frames, fps, fresh, at} from Python; props.eye: {id, picture, caption} where picture is a data URI.
// value.sight: data with which the page draws the camera's view itself (drawing/eye.js); without it, or without WebGL2, Python
// draws every picture.
// Sends Python: click {point} when the scene is clicked, and, if Python draws, select {frame, turn, move, at} when the transport
// moves (frame) or the viewer flies on from the current view (frame null, turn in radians right/down/roll, move in subject distances),
// where at is the current frame in both cases. Sends the page "stage:moved" {frame, free} and
// "stage:touched" {point} in 3D or {x, y}, fractions of the picture from its left and top; .stage is the interface for other scripts of the page.
const root = element.querySelector(".stage");
const plot = element.querySelector(".stage-plot");
const eye = element.querySelector(".stage-eye img");
const canvas = element.querySelector(".stage-eye canvas");
const caption = element.querySelector(".stage-eye figcaption");
const slider = element.querySelector("input[type=range]");
const clock = element.querySelector("output");
const play = element.querySelector(".stage-play");
const still = () => ({ frame: null, turn: [0, 0, 0], move: [0, 0, 0] });
const state = { frame: 0, shown: null, points: [], playing: false, asked: null, waiting: false, sent: 0, sight: null, free: null, travelled: 0 };

function ink() {
  return getComputedStyle(element).getPropertyValue("--body-text-color") || "#333";
}

function themed(layout) {
  const { updatemenus, sliders, ...rest } = layout;
  const line = "rgba(128,128,128,0.35)";
  const scene = { ...rest.scene, ...(state.view ? { camera: state.view } : {}) };
  const title = plot.clientWidth < 320 ? rest.title?.text?.split(":")[0] : rest.title?.text;
  for (const axis of ["xaxis", "yaxis", "zaxis"]) scene[axis] = { ...scene[axis], gridcolor: line, color: ink() };
  return {
    ...rest,
    title: { ...rest.title, text: title },
    scene,
    autosize: true,
    paper_bgcolor: "rgba(0,0,0,0)",
    plot_bgcolor: "rgba(0,0,0,0)",
    font: { color: ink() },
  };
}

// Plotly draws at twice the screen's resolution. On a CPU that takes most of the time, so here it draws at screen resolution.
const pixelRatio = () => (window.stagePixelRatio ??= drawnByProcessor() ? 1 : 2);

function drawnByProcessor() {
  const gl = document.createElement("canvas").getContext("webgl");
  const named = gl?.getExtension("WEBGL_debug_renderer_info");
  const name = named ? gl.getParameter(named.UNMASKED_RENDERER_WEBGL) : "";
  gl?.getExtension("WEBGL_lose_context")?.loseContext();
  return /swiftshader|llvmpipe|software|basic render/i.test(name);
}

async function draw() {
  const value = props.value;
  if (!value || !value.figure || !window.Plotly) return;
  if (value.id === state.shown?.id) return; // an answer to the eye repeats the old figure, which must not be requested again
  const { layout, frames } = value.figure;
  if (plot._fullLayout?.scene) state.view = structuredClone(plot.layout.scene.camera ?? state.view);
  if (state.shown !== null && value.fresh) state.view = null;
  state.shown = value;
  const coming = value.points ? kept(value.points) : [];
  const sight = await opened(value.sight);
  if (state.shown !== value) return; // another value came in the meantime
  state.sight = sight;
  state.frame = Math.min(value.at ?? state.frame, value.frames - 1);
  if (sight) want(state.frame);
  const [points] = await Promise.all([coming, sight ? onScreen() : null]); // Plotly takes longer and would delay the picture
  if (state.shown !== value) return;
  state.points = points;
  const data = value.figure.data.map((trace, index) => (index === value.points?.trace ? dotted(trace, points[0]) : trace));
  const config = { responsive: true, displaylogo: false, modeBarButtonsToRemove: ["toImage"], plotGlPixelRatio: pixelRatio() };
  await Plotly.react(plot, data, themed(layout), config);
  plot.dataset.frames = frames.length;
  plot.removeAllListeners?.("plotly_click");
  plot.on("plotly_click", clicked);
  slider.max = value.frames - 1;
  seek(state.frame, { ask: !sight });
  element.dataset.drawn = String(Number(element.dataset.drawn || 0) + 1);
}

// Resolves when the last picture is on the screen; a hidden page shows nothing.
const SCREEN_MS = 200;
const onScreen = () => new Promise((done) => (requestAnimationFrame(() => setTimeout(done)), setTimeout(done, SCREEN_MS)));

// Scripts and shaders are prepared before there is a scene, because that takes longer than drawing one.
const eyeMade = () => (state.eye ??= import(new URL(props.scripts, document.baseURI)).then(({ Eye }) => new Eye(canvas, told)));
if (props.scripts) (window.requestIdleCallback ?? setTimeout)(() => eyeMade().catch(() => {}));

// The page's renderer for this scene; null if Python must draw.
async function opened(sight) {
  canvas.hidden = !sight || Boolean(state.blind);
  eye.hidden = !canvas.hidden;
  if (canvas.hidden) return null;
  try {
    const made = await eyeMade();
    await made.open(sight);
    return made;
  } catch (error) {
    state.blind = String(error);
    console.warn(`The page cannot draw the scene itself, the server does: ${error}`);
    return null;
  } finally {
    element.dataset.drawnBy = state.blind ? "server" : "page";
    if (state.blind) [canvas.hidden, eye.hidden] = [true, false];
  }
}

// The caption under a picture drawn by the page; holes are not counted during movement.
function told({ frame, holes, pictures = 1 }) {
  const where = state.free ? "Free view" : `Frame ${frame + 1}`;
  const look = pictures === null ? "; lens and shutter show in the rehearsal only: this browser cannot add up light" : pictures > 1 ? `; lens and shutter, ${pictures} pictures` : "";
  const stands = state.shown?.sight?.stands_for;
  const words = holes === null ? where : `${where}: ${Math.round(100 * holes)}% of it is new to the scene (pink)${look}${stands ? ` (drawn from ${stands})` : ""}`;
  caption.textContent = words;
  element.dataset.seen = words;
}

// The camera of the picture: that of a frame of the path, or the free one after flying.
const camera = () => state.free ?? state.sight.camera(state.frame);

function clicked(event) {
  const point = event.points[0];
  if (point.customdata !== undefined && point.customdata !== null) seek(Number(point.customdata), { ask: true });
  else touched({ point: [point.x, -point.z, point.y] }), trigger("click", { point: [point.x, -point.z, point.y] });
}

const decoded = ({ bdata }) => new Float32Array(Uint8Array.from(atob(bdata), (char) => char.charCodeAt(0)).buffer);

const dotted = (trace, { place, colours }) => ({ ...trace, ...place, marker: { ...trace.marker, color: colours } });

// The points of a scene (of every time, if it moves) come from a separate file: inside the value, they would be sent again with
// every change of the path, and copied with every answer.
function kept(points) {
  if (state.file?.url !== points.url) state.file = { url: points.url, points: fetched(points) };
  return state.file.points;
}

// First x, y and z at each time as float32, then all colours as bytes.
async function fetched({ url, counts }) {
  const answer = await fetch(url);
  if (!answer.ok) throw new Error(`The points of the scene did not come: ${answer.status}`);
  const bytes = await answer.arrayBuffer();
  let [at, colour] = [0, 12 * counts.reduce((sum, count) => sum + count, 0)];
  return counts.map((count) => {
    const [x, y, z] = [0, 1, 2].map((axis) => new Float32Array(bytes, at + 4 * axis * count, count));
    const moment = { place: { x, y, z }, colours: new Uint8Array(bytes, colour, count) };
    [at, colour] = [at + 12 * count, colour + count];
    return moment;
  });
}

// Changes a trace in place: the camera's line, and the points of a scene that moves. Plotly.restyle would lay out
// and upload the whole scene for every frame (over half a second without a GPU), so only the trace's own object in the WebGL
// scene is changed, together with plot.data.
function travel(index, place, colours) {
  const full = plot._fullData?.[index];
  if (!full) return; // the figure is being laid out
  const drawn = plot._fullLayout.scene?._scene?.traces[full.uid];
  if (!drawn) {
    const restyled = { x: [place.x], y: [place.y], z: [place.z], ...(colours ? { "marker.color": [colours] } : {}) };
    return Plotly.restyle(plot, restyled, [index]);
  }
  for (const trace of [plot.data[index], full]) {
    Object.assign(trace, place);
    if (colours) trace.marker = { ...trace.marker, color: colours };
  }
  full._length = place.x.length;
  drawn.update(full);
}

// Drawing the figure on a CPU takes longer than the picture: the figure follows occasionally during playback, and
// after scrubbing stops.
const FIGURE_MS = 500;
const FIGURE_REST_MS = 200;

function figureFollows() {
  clearTimeout(state.following);
  if (pixelRatio() > 1 || (state.playing && performance.now() - state.travelled > FIGURE_MS)) follow();
  else if (!state.playing) state.following = setTimeout(follow, FIGURE_REST_MS);
}

// Moves the figure to the stage's frame.
function follow() {
  const { shown: value, frame, points } = state;
  const step = value.figure.frames[frame];
  if (!step) return;
  step.traces.forEach((index, number) => {
    const { x, y, z } = step.data[number];
    travel(index, { x: decoded(x), y: decoded(y), z: decoded(z) });
  });
  if (points.length > 1 && points[frame]) travel(value.points.trace, points[frame].place, points[frame].colours);
  state.travelled = performance.now();
}

// Shows a frame on the figure and asks Python for the picture.
function seek(frame, { ask }) {
  state.frame = frame;
  slider.value = frame;
  const value = state.shown;
  if (!value.figure.frames[frame]) return;
  figureFollows();
  clock.textContent = `${frame + 1} / ${value.frames} · ${(frame / value.fps).toFixed(2)} s`;
  plot.dataset.frame = frame;
  if (ask) want(frame);
  moved();
}

// For the timeline and other scripts: {pose, lens, width, height} of the current camera, null if Python draws.
const moved = () => root.dispatchEvent(new CustomEvent("stage:moved", { bubbles: true, detail: { frame: state.frame, free: state.free } }));
const touched = (detail) => root.dispatchEvent(new CustomEvent("stage:touched", { bubbles: true, detail }));
root.stage = {
  fly,
  camera: () => (state.sight ? camera() : null),
  seek: (frame) => state.shown && seek(Math.min(Math.max(frame, 0), state.shown.frames - 1), { ask: true }),
  get frame() {
    return state.frame;
  },
};

// One request at a time: input during a pending request is combined into the next one.
function want(frame) {
  state.free = null;
  state.asked = { ...still(), frame };
  if (!state.sight) return ask();
  state.sight.show(camera(), frame);
}

function fly(turn, move) {
  if (!state.shown) return;
  const asked = state.asked ?? still();
  state.asked = {
    frame: asked.frame,
    turn: asked.turn.map((value, axis) => value + turn[axis]),
    move: asked.move.map((value, axis) => value + move[axis]),
  };
  clock.textContent = "free view";
  if (!state.sight) return ask();
  state.free = state.sight.flown(camera(), turn, move);
  state.sight.show(state.free, state.frame, { free: true });
  moved();
}

function ask() {
  if (state.waiting || !state.asked) return;
  const question = { ...state.asked, at: state.frame, id: ++state.sent };
  state.asked = null;
  state.waiting = true;
  state.timer = setTimeout(answered, 1500);
  trigger("select", question);
}

function answered() {
  clearTimeout(state.timer);
  state.waiting = false;
  ask();
}

function see() {
  const answer = props.eye;
  if (!answer?.picture) return;
  eye.src = answer.picture;
  if (!state.sight) {
    caption.textContent = answer.caption ?? "";
    element.dataset.seen = answer.caption;
  }
  if (answer.id === state.sent) answered();
}

// If drawing is slow, leave time between pictures for the rest of the page: its buttons must respond.
function tick(start, from) {
  const asked = performance.now();
  return (now) => {
    if (!state.playing || !element.isConnected) return;
    const { frames, fps } = state.shown;
    const frame = (from + Math.floor(((now - start) / 1000) * fps)) % frames;
    if (frame !== state.frame) seek(frame, { ask: true });
    const waited = performance.now() - asked;
    setTimeout(() => requestAnimationFrame(tick(start, from)), waited > 50 ? waited : 0);
  };
}

play.addEventListener("click", () => {
  if (!state.shown) return;
  state.playing = !state.playing;
  play.textContent = state.playing ? "Pause" : "Play";
  play.setAttribute("aria-label", state.playing ? "Pause" : "Play");
  const from = state.frame >= state.shown.frames - 1 ? 0 : state.frame;
  if (!state.playing) seek(state.frame, { ask: false }); // updates the figure too
  if (state.playing) requestAnimationFrame((now) => tick(now, from)(now));
});
slider.addEventListener("input", () => state.shown && seek(Number(slider.value), { ask: true }));

// Flying: drag to look around, wheel to move forward and back, W A S D and Q E to walk and rise, Z X to roll; arrows step frames.
const eyeBox = element.querySelector(".stage-eye");
let drag = null;
let flew = false; // whether the camera moved since the pointer went down
eyeBox.addEventListener("pointerdown", (event) => {
  drag = [event.clientX, event.clientY];
  flew = false;
  eyeBox.setPointerCapture(event.pointerId);
  eyeBox.focus();
});
eyeBox.addEventListener("pointermove", (event) => {
  if (!drag) return;
  flew = true;
  const scale = 1.2 / Math.max(eye.clientWidth, 1);
  fly([(drag[0] - event.clientX) * scale, (drag[1] - event.clientY) * scale, 0], [0, 0, 0]);
  drag = [event.clientX, event.clientY];
});
for (const end of ["pointerup", "pointercancel"]) eyeBox.addEventListener(end, () => (drag = null));
eyeBox.addEventListener("click", (event) => {
  if (!state.sight || flew) return;
  const box = canvas.getBoundingClientRect();
  const { width, height } = camera();
  const scale = Math.min(box.width / width, box.height / height); // the picture is centred in its box
  const [x, y] = [(event.clientX - box.left - box.width / 2) / (scale * width) + 0.5, (event.clientY - box.top - box.height / 2) / (scale * height) + 0.5];
  if (x >= 0 && x <= 1 && y >= 0 && y <= 1) touched({ x, y });
});
eyeBox.addEventListener(
  "wheel",
  (event) => {
    event.preventDefault();
    fly([0, 0, 0], [0, 0, -Math.sign(event.deltaY) * 0.03]);
  },
  { passive: false },
);
const STEP = 0.03;
const KEYS = {
  w: [[0, 0, 0], [0, 0, STEP]],
  s: [[0, 0, 0], [0, 0, -STEP]],
  a: [[0, 0, 0], [-STEP, 0, 0]],
  d: [[0, 0, 0], [STEP, 0, 0]],
  q: [[0, 0, 0], [0, STEP, 0]],
  e: [[0, 0, 0], [0, -STEP, 0]],
  z: [[0, 0, -0.02], [0, 0, 0]],
  x: [[0, 0, 0.02], [0, 0, 0]],
};
eyeBox.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  const motion = KEYS[event.key.toLowerCase()];
  const hop = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
  if (!motion && !hop) return;
  event.preventDefault();
  if (motion) fly(...motion);
  else seek(Math.min(Math.max(state.frame + hop, 0), state.shown.frames - 1), { ask: true });
});

new MutationObserver(() => state.shown && Plotly.relayout(plot, { "font.color": ink() })).observe(document.body, {
  attributes: true,
  attributeFilter: ["class"],
});
new ResizeObserver(() => state.shown && plot.offsetWidth && Plotly.Plots.resize(plot)).observe(plot);
watch("value", draw);
// Gradio would read a quoted name as an event, and would then send a description of its handler with every picture.
watch(Object.keys({ eye: see }), see);
(function begin() {
  if (window.Plotly) draw();
  else setTimeout(begin, 60);
})();
