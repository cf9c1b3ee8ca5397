// The strip of warnings under the keys: pink where much of the frame is new to the scene, red where the camera gets too close.

export function drawWarnings(canvas, warnings) {
  canvas.hidden = !warnings;
  if (!warnings) return;
  const { near, most } = warnings;
  const count = warnings.new.length;
  Object.assign(canvas, { width: count * 4, height: 9 });
  const pen = canvas.getContext("2d");
  warnings.new.forEach((share, frame) => {
    pen.fillStyle = `rgba(235, 64, 122, ${Math.min(share / (2 * most), 1)})`;
    pen.fillRect(frame * 4, 0, 4, 9);
    pen.fillStyle = "#d00000";
    if (near[frame]) pen.fillRect(frame * 4, 0, 4, 4);
  });
  const frames = (test) => warnings.new.filter((share, frame) => test(share, near[frame])).length;
  const many = frames((share) => share > most);
  const close = frames((_, isNear) => isNear);
  const words = `${many} of ${count} frames are more than ${Math.round(100 * most)} % new to the scene; in ${close} something is very near.`;
  canvas.setAttribute("aria-label", words);
  canvas.title = words;
}
