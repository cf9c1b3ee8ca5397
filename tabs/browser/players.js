// Several videos with shared controls: they play, pause, scrub and step together. props.value: [{label, url, written}], props.fps;
// `written` is text shown on the picture.
// Clips of different lengths are shown at the same fraction of the move: the first sets the pace for the others.
const grid = element.querySelector(".players-grid");
const slider = element.querySelector("input[type=range]");
const clock = element.querySelector("output");
const play = element.querySelector(".players-play");
let videos = [];
let playing = false;

const length = (video = videos[0]) => video?.duration || Infinity;
const fps = () => props.fps || 24;

function build() {
  const clips = props.value || [];
  grid.replaceChildren();
  element.classList.toggle("players-empty", clips.length === 0);
  videos = clips.map(({ label, url, written }) => {
    const figure = document.createElement("figure");
    const video = document.createElement("video");
    Object.assign(video, { src: url, muted: true, playsInline: true, preload: "auto" });
    const caption = document.createElement("figcaption");
    const link = document.createElement("a");
    Object.assign(link, { href: url, download: "", textContent: "download", title: `Download ${label}` });
    caption.append(label, " ", link);
    const picture = document.createElement("div");
    picture.append(video);
    if (written) picture.append(Object.assign(document.createElement("strong"), { textContent: written }));
    figure.append(picture, caption);
    grid.append(figure);
    return video;
  });
  element.dataset.clips = clips.length;
  setPlaying(clips.length > 0);
}

function setPlaying(on) {
  playing = on;
  play.textContent = on ? "Pause" : "Play";
  play.setAttribute("aria-label", on ? "Pause" : "Play");
  for (const video of videos) on ? video.play().catch(() => {}) : video.pause();
  if (on) requestAnimationFrame(follow);
}

// The first video leads; any other that is more than half a frame off is corrected.
function follow() {
  if (!playing || !element.isConnected || !videos.length) return;
  const [leader, ...others] = videos;
  if (leader.ended || leader.currentTime >= length() - 0.5 / fps()) seek(0);
  for (const video of others) {
    if (!Number.isFinite(length(video))) continue;
    const pace = length(video) / length();
    video.playbackRate = Math.min(Math.max(pace, 0.1), 10);
    if (Math.abs(video.currentTime / pace - leader.currentTime) > 0.5 / fps()) video.currentTime = leader.currentTime * pace;
    if (video.paused) video.play().catch(() => {});
  }
  if (leader.paused) leader.play().catch(() => {});
  show(leader.currentTime);
  requestAnimationFrame(follow);
}

function show(time) {
  const total = length();
  if (!Number.isFinite(total)) return;
  slider.value = total ? time / total : 0;
  clock.textContent = `${Math.floor(time * fps() + 1e-3) + 1} / ${Math.round(total * fps())} · ${time.toFixed(2)} s`;
}

function seek(time) {
  for (const video of videos) if (Number.isFinite(length(video))) video.currentTime = (time / length()) * length(video);
  show(time);
}

function step(frames) {
  setPlaying(false);
  const last = length() - 0.5 / fps();
  seek(Math.min(Math.max((Math.round(videos[0].currentTime * fps() - 0.5) + frames + 0.5) / fps(), 0), last));
}

play.addEventListener("click", () => setPlaying(!playing));
slider.addEventListener("input", () => {
  setPlaying(false);
  seek(slider.value * length());
});
element.querySelector(".players-back").addEventListener("click", () => step(-1));
element.querySelector(".players-on").addEventListener("click", () => step(1));
watch("value", build);
build();
