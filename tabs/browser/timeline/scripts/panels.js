// Editable fields: the numbers of the selected key, and how the camera moves through all keys.
import { FULL_FRAME_MM } from "../../drawing/cameras.js";
import { choice, fields, heading, number, text, tick } from "./fields.js";
import { speedGraph } from "./speed.js";

const degreesOf = (mm) => (2 * Math.atan(FULL_FRAME_MM / (2 * mm)) * 180) / Math.PI;
const mmOf = (degrees) => FULL_FRAME_MM / (2 * Math.tan((degrees * Math.PI) / 360));

// `ask` sends a command for the selected keys.
export function keyPanel(value, words, ripple, ask) {
  const { keys, chosen, unit } = value;
  if (!chosen.length) return [fields(value.over_clip ? "The move is the clip's own camera. Go to a frame, fly in the picture, then add what you see." : "Choose a key to change its numbers. Fly in the picture, then add what you see.")];
  const key = keys[chosen[0]];
  const shared = [
    choice("To the next key", key.easing, words.easing, (easing) => ask({ do: "ease", easing })),
    choice("At the key", key.tangent, words.tangent, (tangent) => ask({ do: "tangent", tangent })),
  ];
  if (chosen.length > 1) return [fields(heading(`${chosen.length} keys`), ...shared)];
  const typed = (name) => (entered) => ask({ do: "numbers", [name]: entered });
  const place = ["right", "up", "forward"].map((name) => number(name, key[name], unit, 0.05, typed(name)));
  const turn = ["pan", "tilt", "roll"].map((name) => number(name, key[name], "°", 1, typed(name)));
  const wide = degreesOf(key.focal_mm);
  return [
    fields(
      heading(key.follows ? `Key ${chosen[0] + 1}: the clip's own` : `Key ${chosen[0] + 1}`),
      number("time", key.time, "s", 0.1, (time) => ask({ do: "move", seconds: time - key.time, ripple: ripple() })),
      number("hold", key.hold, "s", 0.1, (seconds) => ask({ do: "hold", seconds, ripple: ripple() })),
      ...shared,
      text("name", key.name, (name) => ask({ do: "rename", name })),
    ),
    fields(...place, ...turn, number("focal length", key.focal_mm, "mm", 1, typed("focal_mm")),
      number("field of view", wide, "°", 1, (degrees) => ask({ do: "numbers", focal_mm: mmOf(degrees) }))),
  ];
}

export function wholePanel(value, words, ask) {
  const shape = (name) => (entered) => ask({ do: "shape", [name]: entered });
  if (value.over_clip) return [fields(choice("Between keys", value.curve, words.curve, shape("curve")))];
  const slow = { even: "Even", in: "Slow in", out: "Slow out", both: "Slow in and out", own: "As drawn" };
  return [
    fields(
      choice("Between keys", value.curve, words.curve, shape("curve")),
      choice("Easing of the whole", value.easing, words.easing, shape("easing")),
      tick("Constant speed", value.constant_speed, shape("constant_speed")),
      tick("Loop: come back to the first key", value.loop, (loop) => ask({ do: "loop", loop })),
      choice("Speed", nameOf(value.speed), slow, (name) => name !== "own" && ask({ do: "speed", points: GRAPHS[name] })),
    ),
    speedGraph(value.speed, (points) => ask({ do: "speed", points })),
  ];
}

// Same as camera.editing.timing.slow_in_out.
const GRAPHS = {
  even: [],
  in: [[0, 0], [0.25, 1], [1, 1]],
  out: [[0, 1], [0.75, 1], [1, 0]],
  both: [[0, 0], [0.25, 1], [0.75, 1], [1, 0]],
};

const nameOf = (speed) => Object.keys(GRAPHS).find((name) => JSON.stringify(GRAPHS[name]) === JSON.stringify(speed)) ?? "own";
