// Gaussian splats, blended from the farthest to the nearest. They are stored on the graphics card once; each picture needs their order.
import { inversePose } from "./cameras.js";
import { texture } from "./programs.js";

const NEAR = 0.01; // as in pipelines.splats.rasterizer
const SHOWN = [1, 0.8, 0.6, 0.6, 0.4]; // by level of detail: share of the splats, the most visible ones
const TEXELS = 2048; // per row of a texture
const SAME_TURN = 0.9998; // cosine of about a degree: while the picture moves, an order is reused for so small a rotation
const SAME_PLACE = 0.01; // and for a translation by this fraction of the scene's distance

// The contents of the file by tabs/browser/splat_file.py: {count, harmonics, low, high} and the offsets of its parts.
export function readSplats(facts, part) {
  const numbers = (name, Kind) => new Kind(part(facts[name]).slice().buffer);
  const { count, harmonics, low, high } = facts;
  const [means, sizes, turns] = [numbers("means", Float32Array), numbers("sizes", Uint16Array), numbers("turns", Int16Array)];
  const shapes = shapesOf(count, means, sizes, turns, numbers("opacities", Uint16Array), low, (high - low) / 65535);
  return { count, harmonics, means, shapes, colours: numbers("colours", Uint16Array) };
}

// Three texels per splat: position and opacity, then its covariance.
function shapesOf(count, means, sizes, turns, opacities, low, step) {
  const out = new Float32Array(12 * count);
  for (let i = 0; i < count; i++) {
    const [w, x, y, z] = turns.subarray(4 * i, 4 * i + 4);
    const scale = 2 / (w * w + x * x + y * y + z * z);
    const [a, b, c] = [0, 1, 2].map((axis) => Math.exp(2 * (low + step * sizes[3 * i + axis])));
    const [r00, r01, r02] = [1 - scale * (y * y + z * z), scale * (x * y - w * z), scale * (x * z + w * y)];
    const [r10, r11, r12] = [scale * (x * y + w * z), 1 - scale * (x * x + z * z), scale * (y * z - w * x)];
    const [r20, r21, r22] = [scale * (x * z - w * y), scale * (y * z + w * x), 1 - scale * (x * x + y * y)];
    out.set(means.subarray(3 * i, 3 * i + 3), 12 * i);
    out[12 * i + 3] = opacities[i] / 65535;
    out[12 * i + 4] = a * r00 * r00 + b * r01 * r01 + c * r02 * r02;
    out[12 * i + 5] = a * r00 * r10 + b * r01 * r11 + c * r02 * r12;
    out[12 * i + 6] = a * r00 * r20 + b * r01 * r21 + c * r02 * r22;
    out[12 * i + 7] = a * r10 * r10 + b * r11 * r11 + c * r12 * r12;
    out[12 * i + 8] = a * r10 * r20 + b * r11 * r21 + c * r12 * r22;
    out[12 * i + 9] = a * r20 * r20 + b * r21 * r21 + c * r22 * r22;
  }
  return out;
}

export class Splats {
  constructor(gl, { count, harmonics, means, shapes, colours }, reach) {
    Object.assign(this, { gl, count, harmonics, means, reach, sorted: null });
    this.shapes = texels(gl, shapes, gl.RGBA32F, gl.FLOAT);
    this.colours = texels(gl, fourEach(colours), gl.RGBA16F, gl.HALF_FLOAT);
    this.order = new Uint32Array(count);
    this.room = [new Uint32Array(count), new Uint32Array(count), new Float32Array(count)];
    this.vao = gl.createVertexArray();
    this.buffer = gl.createBuffer();
    gl.bindVertexArray(this.vao);
    gl.bindBuffer(gl.ARRAY_BUFFER, this.buffer);
    gl.bufferData(gl.ARRAY_BUFFER, this.order.byteLength, gl.DYNAMIC_DRAW);
    gl.enableVertexAttribArray(0);
    gl.vertexAttribIPointer(0, 1, gl.UNSIGNED_INT, 0, 0);
    gl.vertexAttribDivisor(0, 1);
    gl.bindVertexArray(null);
  }

  forget() {
    const { gl } = this;
    [this.shapes, this.colours].forEach((each) => gl.deleteTexture(each));
    gl.deleteBuffer(this.buffer);
    gl.deleteVertexArray(this.vao);
  }

  // Draws into the bound framebuffer: light, and the share of the background that is hidden. exact: whether to sort for this camera.
  draw({ program, places }, pose, lens, { size, detail, exact }) {
    const { gl } = this;
    const view = inversePose(pose);
    const count = this.sort(pose, view, Math.ceil(SHOWN[detail] * this.count), exact);
    gl.useProgram(program);
    [["shapes", this.shapes], ["colours", this.colours]].forEach(([name, each], unit) => {
      gl.activeTexture(gl.TEXTURE0 + unit);
      gl.bindTexture(gl.TEXTURE_2D, each);
      gl.uniform1i(places[name], unit);
    });
    gl.uniformMatrix4fv(places.view, true, view);
    gl.uniformMatrix3fv(places.lens, true, lens);
    gl.uniform2f(places.size, ...size);
    gl.uniform3f(places.eye, pose[3], pose[7], pose[11]);
    gl.uniform1i(places.harmonics, this.harmonics);
    gl.bindVertexArray(this.vao);
    gl.enable(gl.BLEND);
    gl.blendFunc(gl.ONE, gl.ONE_MINUS_SRC_ALPHA);
    gl.drawArraysInstanced(gl.TRIANGLE_STRIP, 0, 4, count);
    gl.disable(gl.BLEND);
    gl.bindVertexArray(null);
  }

  // Sorts those of the first `shown` splats that are ahead into `order`, the farthest first; returns their number.
  sort(pose, view, shown, exact) {
    const { gl } = this;
    if (!exact && this.isSorted(pose, shown)) return this.ahead;
    const [keys, other, depths] = this.room;
    const bits = new Uint32Array(depths.buffer);
    let ahead = 0;
    for (let i = 0; i < shown; i++) {
      const depth = view[8] * this.means[3 * i] + view[9] * this.means[3 * i + 1] + view[10] * this.means[3 * i + 2] + view[11];
      depths[i] = depth;
      if (depth > NEAR) keys[ahead++] = i;
    }
    counted(keys, other, ahead, (i) => 0xffff - (bits[i] & 0xffff));
    counted(other, this.order, ahead, (i) => 0xffff - (bits[i] >>> 16)); // bits of positive floats sort like the floats
    gl.bindBuffer(gl.ARRAY_BUFFER, this.buffer);
    gl.bufferSubData(gl.ARRAY_BUFFER, 0, this.order, 0, ahead);
    Object.assign(this, { sorted: { pose, shown }, ahead });
    return ahead;
  }

  isSorted(pose, shown) {
    if (this.sorted?.shown !== shown) return false;
    const before = this.sorted.pose;
    const step = Math.hypot(...[3, 7, 11].map((i) => pose[i] - before[i]));
    return [2, 6, 10].reduce((sum, i) => sum + pose[i] * before[i], 0) > SAME_TURN && step < SAME_PLACE * this.reach;
  }
}

// Counting sort: copies the first `count` of `from` into `to` by the 16 bits that `key` gives; stable.
function counted(from, to, count, key) {
  const starts = new Uint32Array(65537);
  for (let i = 0; i < count; i++) starts[key(from[i]) + 1]++;
  for (let i = 1; i < 65537; i++) starts[i] += starts[i - 1];
  for (let i = 0; i < count; i++) to[starts[key(from[i])]++] = from[i];
}

// Pads colours of three numbers to four, as textures need.
function fourEach(colours) {
  const out = new Uint16Array((colours.length / 3) * 4);
  for (let i = 0, at = 0; i < colours.length; i += 3, at += 4) {
    out[at] = colours[i];
    out[at + 1] = colours[i + 1];
    out[at + 2] = colours[i + 2];
  }
  return out;
}

function texels(gl, data, internal, type) {
  const height = Math.max(1, Math.ceil(data.length / (4 * TEXELS)));
  const padded = new data.constructor(4 * TEXELS * height);
  padded.set(data);
  return texture(gl, { width: TEXELS, height, internal, format: gl.RGBA, type, data: padded });
}
