// Cameras in the page: OpenCV axes (x right, y down, z forward). A pose is 16 numbers, world from camera, row by row; a lens is 9
// numbers, row by row, in pixels whose centres are at integers. Same conventions as camera.path in Python.

export const FULL_FRAME_MM = 36;

export function multiplied(a, b, n) {
  const out = new Array(n * n).fill(0);
  for (let i = 0; i < n; i++)
    for (let j = 0; j < n; j++) for (let k = 0; k < n; k++) out[n * i + j] += a[n * i + k] * b[n * k + j];
  return out;
}

export function inversePose(pose) {
  const [a, b, c, x, d, e, f, y, g, h, i, z] = pose;
  const back = (p, q, r) => -(p * x + q * y + r * z);
  return [a, d, g, back(a, d, g), b, e, h, back(b, e, h), c, f, i, back(c, f, i), 0, 0, 0, 1];
}

export function inverseLens([fx, skew, cx, , fy, cy]) {
  return [1 / fx, -skew / (fx * fy), (skew * cy) / (fx * fy) - cx / fx, 0, 1 / fy, -cy / fy, 0, 0, 1];
}

export const turnOf = (pose) => [pose[0], pose[1], pose[2], pose[4], pose[5], pose[6], pose[8], pose[9], pose[10]];

// The same view drawn at another size, edge to edge.
export function resizedLens(lens, width, height, newWidth, newHeight) {
  const [sx, sy] = [newWidth / width, newHeight / height];
  return multiplied([sx, 0, (sx - 1) / 2, 0, sy, (sy - 1) / 2, 0, 0, 1], lens, 3);
}

// Maps a pixel (x, y) of depth d in one view to `d * turn * (x, y, 1) + shift`, a homogeneous pixel in another.
export function targetFromSource(pose, lens, view) {
  const between = multiplied(inversePose(pose), view.pose, 4);
  const turn = multiplied(multiplied(lens, turnOf(between), 3), view.inverseLens, 3);
  const step = [between[3], between[7], between[11]];
  const shift = [0, 1, 2].map((row) => lens[3 * row] * step[0] + lens[3 * row + 1] * step[1] + lens[3 * row + 2] * step[2]);
  return { turn, shift };
}

// Rotation by an angle in radians about a unit axis, right-handed.
export function turnAbout([x, y, z], angle) {
  const [c, s] = [Math.cos(angle), Math.sin(angle)];
  const d = 1 - c;
  return [
    c + x * x * d, x * y * d - z * s, x * z * d + y * s,
    y * x * d + z * s, c + y * y * d, y * z * d - x * s,
    z * x * d - y * s, z * y * d + x * s, c + z * z * d,
  ];
}

export const cross = (a, b) => [a[1] * b[2] - a[2] * b[1], a[2] * b[0] - a[0] * b[2], a[0] * b[1] - a[1] * b[0]];

// Rotation by radians to the right, down and clockwise, as camera.rotation.from_pan_tilt_roll of (right, -down, clockwise).
function turned([pan, tilt, roll]) {
  const about = (axis, angle) => {
    const [c, s] = [Math.cos(angle), Math.sin(angle)];
    if (axis === "y") return [c, 0, s, 0, 1, 0, -s, 0, c];
    if (axis === "x") return [1, 0, 0, 0, c, -s, 0, s, c];
    return [c, -s, 0, s, c, 0, 0, 0, 1];
  };
  return multiplied(multiplied(about("y", pan), about("x", -tilt), 3), about("z", roll), 3);
}

// The pose after turning by `turn` and moving by `move` (right, down, forward) in the camera's own axes.
export function flownPose(pose, turn, move) {
  const r = turned(turn);
  const step = [r[0], r[1], r[2], move[0], r[3], r[4], r[5], move[1], r[6], r[7], r[8], move[2], 0, 0, 0, 1];
  return straightened(multiplied(pose, step, 4));
}

// Orthonormalises the axes: after thousands of small rotations, rounding errors would become visible.
function straightened(pose) {
  const column = (i) => [pose[i], pose[4 + i], pose[8 + i]];
  const unit = (v) => v.map((value) => value / Math.hypot(...v));
  const z = unit(column(2));
  const x = unit(cross(column(1), z));
  const y = cross(z, x);
  return [0, 1, 2].flatMap((i) => [x[i], y[i], z[i], pose[4 * i + 3]]).concat([0, 0, 0, 1]);
}
