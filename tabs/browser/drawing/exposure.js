// Depth of field and motion blur as in camera/render/exposure.py: the average, in linear light, of pictures from points on the
// lens and at times during the exposure. look: {f_stop, distance, point, shutter_degrees, count}.
import { FULL_FRAME_MM, multiplied, turnAbout, turnOf } from "./cameras.js";

const NEAREST_SHARE = 0.05;
const GOLDEN_ANGLE = Math.PI * (3 - Math.sqrt(5));

export const isOff = (look) => !look || (!look.f_stop && !look.shutter_degrees);

// The cameras whose pictures are averaged for `frame`; at(frame) is the camera of a frame of the path, 0 to frames - 1.
// `count`: a power of two.
export function camerasOf(look, at, frame, frames, count = look.count) {
  return Array.from({ length: count }, (_, number) => {
    const moment = (bitsReversed(number, count) + 0.5) / count - 0.5;
    const camera = between(at, frame + (look.shutter_degrees / 360) * moment, frames);
    const [radius, angle] = [Math.sqrt((number + 0.5) / count), number * GOLDEN_ANGLE];
    return fromLens(look, camera, radius * Math.cos(angle), radius * Math.sin(angle));
  });
}

// The camera at a point of the lens, x and y within a circle of radius 1; the plane in focus stays where it is.
function fromLens(look, camera, x, y) {
  if (!look.f_stop) return camera;
  const { pose, lens, width } = camera;
  const half = ((lens[0] / width) * FULL_FRAME_MM) / 1000 / look.f_stop / 2;
  const [right, down, focus] = [half * x, half * y, focusOf(look, pose)];
  const [moved, sheared] = [[...pose], [...lens]];
  for (const row of [0, 1, 2]) moved[4 * row + 3] += pose[4 * row] * right + pose[4 * row + 1] * down;
  for (const row of [0, 1]) sheared[3 * row + 2] += (lens[3 * row] * right + lens[3 * row + 1] * down) / focus;
  return { ...camera, pose: moved, lens: sheared };
}

// Distance of the focal plane.
export function focusOf({ point, distance }, pose) {
  if (!point) return distance;
  const ahead = [0, 1, 2].reduce((sum, row) => sum + (point[row] - pose[4 * row + 3]) * pose[4 * row + 2], 0);
  return Math.max(ahead, NEAREST_SHARE * distance);
}

// The camera at a time between two frames.
function between(at, when, frames) {
  const moment = Math.min(Math.max(when, 0), frames - 1);
  const low = Math.min(Math.floor(moment), Math.max(frames - 2, 0));
  const blend = moment - low;
  const one = at(low);
  if (!blend) return one;
  const other = at(low + 1);
  const mixed = (a, b) => a.map((value, i) => value * (1 - blend) + b[i] * blend);
  const pose = mixed(one.pose, other.pose);
  slerp(turnOf(one.pose), turnOf(other.pose), blend).forEach((value, i) => (pose[4 * Math.floor(i / 3) + (i % 3)] = value));
  return { ...one, pose, lens: mixed(one.lens, other.lens) };
}

function slerp(from, to, blend) {
  const back = [0, 3, 6, 1, 4, 7, 2, 5, 8].map((i) => from[i]);
  const step = multiplied(back, to, 3);
  const axis = [step[7] - step[5], step[2] - step[6], step[3] - step[1]];
  const sine = Math.hypot(...axis) / 2;
  const angle = Math.atan2(sine, (step[0] + step[4] + step[8] - 1) / 2) * blend;
  if (sine < 1e-12) return from;
  return multiplied(from, turnAbout(axis.map((value) => value / (2 * sine)), angle), 3);
}

function bitsReversed(number, count) {
  let out = 0;
  for (let low = 1, high = count >> 1; low < count; low <<= 1, high >>= 1) if (number & low) out |= high;
  return out;
}
