// Which pixels of a depth map are joined to a surface, by the rules of camera.render.depth_mesh, and lists of triangles over
// it: all of them, or fewer where the surface is flat (the inverse depth of a plane is linear in the picture).

// whole: 1 for every 2x2 block of pixels that is one surface. thin: pixels of wires and poles, drawn as single pixels.
export function quadsOf(depth, width, height, limits) {
  const { cutRatio, slack, far } = limits;
  const whole = new Uint8Array((width - 1) * (height - 1));
  for (let y = 0; y < height - 1; y++)
    for (let x = 0; x < width - 1; x++) {
      const at = y * width + x;
      const a = depth[at];
      const b = depth[at + 1];
      const c = depth[at + width];
      const d = depth[at + width + 1];
      const nearest = Math.min(Math.min(a, b), Math.min(c, d));
      const farthest = Math.max(Math.max(a, b), Math.max(c, d));
      if (!(nearest > 0 && (farthest < far || nearest >= far))) continue;
      const similar = farthest <= cutRatio * nearest || farthest - nearest <= slack * farthest * nearest;
      whole[y * (width - 1) + x] = similar || continuesPlane(depth, width, height, x, y, limits) ? 1 : 0;
    }
  return { whole, thin: thinOf(depth, width, height, whole, cutRatio) };
}

function continuesPlane(depth, width, height, x, y, { cutRatio, run, tolerance }) {
  const within = (i, j) => Math.max(depth[i], depth[j]) <= cutRatio * Math.min(depth[i], depth[j]);
  const at = y * width + x;
  const steps = (i, line, count, stride) => stepOfPlane(depth, line, count, i, stride, run, tolerance);
  const upright = () => steps(at, y, height, width) && steps(at + 1, y, height, width);
  const level = () => steps(at, x, width, 1) && steps(at + width, x, width, 1);
  return (
    (within(at, at + 1) && within(at + width, at + width + 1) && upright()) ||
    (within(at, at + width) && within(at + 1, at + width + 1) && level())
  );
}

// Whether inverse depth steps from pixel `at`, in row or column `line` of `count`, to `at + stride` as in the two runs of
// pixels on its nearer side.
function stepOfPlane(depth, line, count, at, stride, run, tolerance) {
  const forwards = depth[at] <= depth[at + stride];
  const [near, far, back] = forwards ? [at, at + stride, -stride] : [at + stride, at, stride];
  const end = forwards ? line - 2 * run : line + 1 + 2 * run;
  if (end < 0 || end >= count) return false;
  const [middle, start] = [near + run * back, near + 2 * run * back];
  if (!(depth[middle] > 0 && depth[start] > 0)) return false;
  const step = 1 / depth[near] - 1 / depth[far];
  const first = (1 / depth[start] - 1 / depth[middle]) / run;
  const second = (1 / depth[middle] - 1 / depth[near]) / run;
  return Math.max(Math.abs(first - step), Math.abs(second - step)) <= tolerance * step;
}

function thinOf(depth, width, height, whole, cutRatio) {
  const found = [];
  for (let y = 1; y < height - 1; y++)
    for (let x = 1; x < width - 1; x++) {
      const above = (y - 1) * (width - 1) + x;
      const below = y * (width - 1) + x;
      if (whole[above - 1] | whole[above] | whole[below - 1] | whole[below]) continue;
      const at = y * width + x;
      const nearer = cutRatio * depth[at];
      const upright = depth[at - 1] > nearer && depth[at + 1] > nearer;
      const level = depth[at - width] > nearer && depth[at + width] > nearer;
      if (depth[at] > 0 && (upright || level)) found.push(at);
    }
  return Uint32Array.from(found);
}

// Pixel indices of both ends of every horizontal or vertical edge between a block that is drawn and one that is not.
export function bordersOf(width, height, whole, upright) {
  const across = width - 1;
  const found = [];
  const is = (x, y) => (x >= 0 && y >= 0 && x < across && y < height - 1 ? whole[y * across + x] : 0);
  const [right, down] = upright ? [0, 1] : [1, 0];
  for (let y = 0; y < height - down; y++)
    for (let x = 0; x < width - right; x++)
      if (is(x - down, y - right) !== is(x, y)) found.push(y * width + x, (y + down) * width + x + right);
  return Uint32Array.from(found);
}

// Pixel indices of the corners of two triangles per block. `tolerance` is the largest error of inverse depth at which
// blocks are merged, up to 2^levels pixels wide; 0 keeps every pixel.
export function trianglesOf(depth, width, height, whole, tolerance, levels = 5) {
  const merged = [whole];
  if (tolerance > 0) for (let k = 1; k <= levels; k++) merged.push(mergedOnce(depth, width, height, merged[k - 1], k, tolerance));
  const counts = merged.map((blocks, k) => owned(merged, blocks, k, width, height, null));
  const out = new Uint32Array(6 * counts.reduce((sum, count) => sum + count, 0));
  let at = 0;
  merged.forEach((blocks, k) => owned(merged, blocks, k, width, height, (x, y) => {
    const [left, right] = [x << k, (x + 1) << k];
    const [top, bottom] = [(y << k) * width, ((y + 1) << k) * width];
    out[at] = top + left;
    out[at + 1] = out[at + 5] = top + right;
    out[at + 2] = out[at + 4] = bottom + left;
    out[at + 3] = bottom + right;
    at += 6;
  }));
  return out;
}

const columns = (width, k) => (width - 1) >> k;

// Blocks of level k (2^k quads wide) whose four quarters are merged and flat.
function mergedOnce(depth, width, height, finer, k, tolerance) {
  const [across, down, fine] = [columns(width, k), columns(height, k), columns(width, k - 1)];
  const out = new Uint8Array(across * down);
  const half = 1 << (k - 1);
  for (let y = 0; y < down; y++)
    for (let x = 0; x < across; x++) {
      const child = 2 * y * fine + 2 * x;
      if (!(finer[child] & finer[child + 1] & finer[child + fine] & finer[child + fine + 1])) continue;
      out[y * across + x] = isFlat(depth, (y << k) * width + (x << k), half, half * width, tolerance) ? 1 : 0;
    }
  return out;
}

function isFlat(depth, at, right, down, tolerance) {
  const a = 1 / depth[at];
  const b = 1 / depth[at + 2 * right];
  const c = 1 / depth[at + 2 * down];
  const d = 1 / depth[at + 2 * down + 2 * right];
  return (
    Math.abs(1 / depth[at + right] - (a + b) / 2) <= tolerance &&
    Math.abs(1 / depth[at + down] - (a + c) / 2) <= tolerance &&
    Math.abs(1 / depth[at + 2 * right + down] - (b + d) / 2) <= tolerance &&
    Math.abs(1 / depth[at + 2 * down + right] - (c + d) / 2) <= tolerance &&
    Math.abs(1 / depth[at + right + down] - (b + c) / 2) <= tolerance
  );
}

// Counts the blocks of level k that no larger block contains, and calls `each` with their column and row.
function owned(merged, blocks, k, width, height, each) {
  const [across, down] = [columns(width, k), columns(height, k)];
  const above = merged[k + 1];
  const [wider, taller] = [columns(width, k + 1), columns(height, k + 1)];
  let count = 0;
  for (let y = 0; y < down; y++)
    for (let x = 0; x < across; x++) {
      if (!blocks[y * across + x]) continue;
      const [px, py] = [x >> 1, y >> 1];
      if (above && px < wider && py < taller && above[py * wider + px]) continue;
      count++;
      if (each) each(x, y);
    }
  return count;
}
