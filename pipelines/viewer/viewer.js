// Draws the page's content along its camera path: points as discs, triangles, or Gaussian splats. WebGL2, no libraries.
// World axes are OpenCV's (x right, y down, z forward); pixel centres are at integers, as everywhere in Reshoot.
"use strict";

const about = JSON.parse(document.getElementById("about").textContent);
const packed = document.getElementById("data").textContent;
const raw = Uint8Array.from(atob(packed), (letter) => letter.charCodeAt(0));
const KINDS = { f4: Float32Array, f2: Uint16Array, u1: Uint8Array, u4: Uint32Array };
const array = (name) => {
  const { kind, offset, count } = about.arrays[name];
  return new KINDS[kind](raw.buffer, offset, count);
};
const canvas = document.querySelector("canvas");
const gl = canvas.getContext("webgl2", { antialias: false, alpha: false, preserveDrawingBuffer: true });
const path = about.path;
const frames = path.poses.length / 16;

// --- what every kind shares: a pixel of a point, and clip space of a pixel -------------------------------------------

const CAMERA = `#version 300 es
precision highp float;
precision highp int;
uniform mat4 view;   // camera from world
uniform vec4 lens;   // fx, fy, cx, cy in pixels
uniform vec2 size;   // width, height
const float NEAR = 0.01;
vec2 pixel(vec3 p) { return lens.xy * p.xy / p.z + lens.zw; }
vec4 clip(vec2 at, float depth) {
  vec2 half_pixel = (at + 0.5) / size * 2.0 - 1.0;
  return vec4(half_pixel.x, -half_pixel.y, 1.0 - 2.0 * NEAR / max(depth, NEAR), 1.0);
}
`;

function program(vertex, fragment) {
  const made = gl.createProgram();
  for (const [kind, text] of [[gl.VERTEX_SHADER, CAMERA + vertex], [gl.FRAGMENT_SHADER, fragment]]) {
    const shader = gl.createShader(kind);
    gl.shaderSource(shader, text);
    gl.compileShader(shader);
    if (!gl.getShaderParameter(shader, gl.COMPILE_STATUS)) throw new Error(gl.getShaderInfoLog(shader));
    gl.attachShader(made, shader);
  }
  gl.linkProgram(made);
  if (!gl.getProgramParameter(made, gl.LINK_STATUS)) throw new Error(gl.getProgramInfoLog(made));
  return made;
}

function attribute(made, name, data, width, normalised = false, divisor = 0) {
  const at = gl.getAttribLocation(made, name);
  const type = data instanceof Uint8Array ? gl.UNSIGNED_BYTE : data instanceof Uint32Array ? gl.UNSIGNED_INT : gl.FLOAT;
  const buffer = gl.createBuffer();
  gl.bindBuffer(gl.ARRAY_BUFFER, buffer);
  gl.bufferData(gl.ARRAY_BUFFER, data, divisor ? gl.DYNAMIC_DRAW : gl.STATIC_DRAW);
  gl.enableVertexAttribArray(at);
  if (type === gl.UNSIGNED_INT) gl.vertexAttribIPointer(at, width, type, 0, 0);
  else gl.vertexAttribPointer(at, width, type, normalised, 0, 0);
  gl.vertexAttribDivisor(at, divisor);
  return buffer;
}

function floats(texels, width, data, internal, type) {
  const rows = Math.ceil(texels / width);
  const padded = new data.constructor(width * rows * 4);
  padded.set(data);
  const texture = gl.createTexture();
  gl.bindTexture(gl.TEXTURE_2D, texture);
  gl.texImage2D(gl.TEXTURE_2D, 0, internal, width, rows, 0, gl.RGBA, type, padded);
  for (const name of [gl.TEXTURE_MIN_FILTER, gl.TEXTURE_MAG_FILTER]) gl.texParameteri(gl.TEXTURE_2D, name, gl.NEAREST);
  return texture;
}

const PLAIN = `#version 300 es
precision highp float;
in vec3 shade;
out vec4 painted;
void main() { painted = vec4(shade, 1.0); }`;

// --- the three kinds --------------------------------------------------------------------------------------------------

function points() {
  const made = program(`
in vec3 position; in vec3 colour; in float radius;
out vec3 shade;
void main() {
  vec3 p = (view * vec4(position, 1.0)).xyz;
  shade = colour;
  gl_Position = p.z > NEAR ? clip(pixel(p), p.z) : vec4(2.0, 2.0, 2.0, 1.0);
  gl_PointSize = max(2.0 * min(radius * lens.x / p.z, 12.0), 1.0);
}`, `#version 300 es
precision highp float;
in vec3 shade;
out vec4 painted;
void main() {
  vec2 off = gl_PointCoord * 2.0 - 1.0;
  if (dot(off, off) > 1.0) discard;
  painted = vec4(shade, 1.0);
}`);
  attribute(made, "position", array("position"), 3);
  attribute(made, "colour", array("colour"), 3, true);
  attribute(made, "radius", array("radius"), 1);
  return { made, draw: () => gl.drawArrays(gl.POINTS, 0, array("radius").length) };
}

function mesh() {
  const made = program(`
in vec3 position; in vec3 colour;
out vec3 shade;
void main() {
  vec3 p = (view * vec4(position, 1.0)).xyz;
  shade = colour;
  vec2 at = lens.xy * p.xy + lens.zw * p.z;
  gl_Position = vec4((2.0 * (at.x + 0.5 * p.z) / size.x - p.z), -(2.0 * (at.y + 0.5 * p.z) / size.y - p.z), p.z - 2.0 * NEAR, p.z);
}`, PLAIN);
  attribute(made, "position", array("position"), 3);
  attribute(made, "colour", array("colour"), 3, true);
  const corners = gl.createBuffer();
  gl.bindBuffer(gl.ELEMENT_ARRAY_BUFFER, corners);
  gl.bufferData(gl.ELEMENT_ARRAY_BUFFER, array("index"), gl.STATIC_DRAW);
  return { made, draw: () => gl.drawElements(gl.TRIANGLES, array("index").length, gl.UNSIGNED_INT, 0) };
}

// Zwicker's projection as Reshoot's own rasteriser has it: a blur of 0.3 square pixels, nothing fainter than 1/255.
function splats() {
  const { count, coefficients } = about;
  const made = program(`
uniform highp sampler2D shapes;   // 3 texels: mean and opacity; covariance xx xy xz yy; yz zz
uniform highp sampler2D colours;  // one texel a coefficient
uniform vec3 eye;
uniform int coefficients;
in uint which;
out vec2 off; flat out vec3 conic; flat out vec4 shade;
vec4 shape(int at) { return texelFetch(shapes, ivec2(at % 3072, at / 3072), 0); }
vec3 sh(int at) { return texelFetch(colours, ivec2(at % 2048, at / 2048), 0).xyz; }
vec3 radiance(int i, vec3 d) {
  int at = i * coefficients;
  vec3 c = 0.28209479177387814 * sh(at);
  float x = d.x, y = d.y, z = d.z, xx = x * x, yy = y * y, zz = z * z;
  if (coefficients > 1) c += 0.4886025119029199 * (-y * sh(at + 1) + z * sh(at + 2) - x * sh(at + 3));
  if (coefficients > 4) c += 1.0925484305920792 * (x * y * sh(at + 4) - y * z * sh(at + 5) - x * z * sh(at + 7))
    + 0.31539156525252005 * (2.0 * zz - xx - yy) * sh(at + 6) + 0.5462742152960396 * (xx - yy) * sh(at + 8);
  if (coefficients > 9) c += -0.5900435899266435 * (y * (3.0 * xx - yy) * sh(at + 9) + x * (xx - 3.0 * yy) * sh(at + 15))
    + 2.890611442640554 * x * y * z * sh(at + 10) + 0.3731763325901154 * z * (2.0 * zz - 3.0 * xx - 3.0 * yy) * sh(at + 12)
    - 0.4570457994644658 * (4.0 * zz - xx - yy) * (y * sh(at + 11) + x * sh(at + 13)) + 1.445305721320277 * z * (xx - yy) * sh(at + 14);
  return max(c + 0.5, 0.0);
}
void main() {
  int i = int(which);
  vec4 first = shape(3 * i), second = shape(3 * i + 1), third = shape(3 * i + 2);
  vec3 p = (view * vec4(first.xyz, 1.0)).xyz;
  gl_Position = vec4(2.0, 2.0, 2.0, 1.0);
  off = vec2(0.0); conic = vec3(1.0, 0.0, 1.0); shade = vec4(0.0);
  if (p.z <= NEAR) return;
  mat3 covariance = mat3(second.x, second.y, second.z, second.y, second.w, third.x, second.z, third.x, third.y);
  vec2 low = -(lens.zw + 0.5 + 0.15 * size) / lens.xy, high = (size - lens.zw - 0.5 + 0.15 * size) / lens.xy;
  vec2 aside = clamp(p.xy / p.z, low, high);
  mat3 turn = mat3(view);
  vec3 across = transpose(turn) * vec3(lens.x / p.z, 0.0, -lens.x * aside.x / p.z);
  vec3 down = transpose(turn) * vec3(0.0, lens.y / p.z, -lens.y * aside.y / p.z);
  float a = dot(across, covariance * across) + 0.3, b = dot(across, covariance * down), c = dot(down, covariance * down) + 0.3;
  vec2 reach = ceil(3.33 * sqrt(vec2(a, c)));
  off = vec2(float(gl_VertexID & 1), float(gl_VertexID >> 1)) * 2.0 - 1.0;
  off *= reach;
  conic = vec3(c, -b, a) / max(a * c - b * b, 1e-10);
  shade = vec4(radiance(i, normalize(first.xyz - eye)), first.w);
  gl_Position = clip(pixel(p) + off, p.z);
  gl_Position.z = 0.0;
}`, `#version 300 es
precision highp float;
in vec2 off; flat in vec3 conic; flat in vec4 shade;
out vec4 painted;
void main() {
  float exponent = 0.5 * (conic.x * off.x * off.x + conic.z * off.y * off.y) + conic.y * off.x * off.y;
  float alpha = min(shade.a * exp(-exponent), 0.999);
  if (exponent < 0.0 || alpha < 1.0 / 255.0) discard;
  painted = vec4(shade.rgb * alpha, alpha);
}`);
  const shapes = floats(3 * count, 3072, array("shapes"), gl.RGBA32F, gl.FLOAT);
  const colours = floats(count * coefficients, 2048, array("colours"), gl.RGBA16F, gl.HALF_FLOAT);
  const order = new Uint32Array(count);
  const buffer = attribute(made, "which", order, 1, false, 1);
  const data = array("shapes");
  const depths = new Float32Array(count);
  let sorted = "";

  // Farthest first: sixteen bits of depth, counted.
  function sort(view) {
    let near = Infinity, far = -Infinity;
    for (let i = 0; i < count; i++) {
      const at = 12 * i, depth = view[2] * data[at] + view[6] * data[at + 1] + view[10] * data[at + 2];
      depths[i] = depth;
      if (depth < near) near = depth;
      if (depth > far) far = depth;
    }
    const starts = new Uint32Array(65537), scale = 65535 / Math.max(far - near, 1e-9), bins = new Uint16Array(count);
    for (let i = 0; i < count; i++) {
      bins[i] = (far - depths[i]) * scale;
      starts[bins[i] + 1]++;
    }
    for (let i = 1; i < 65537; i++) starts[i] += starts[i - 1];
    for (let i = 0; i < count; i++) order[starts[bins[i]]++] = i;
    gl.bindBuffer(gl.ARRAY_BUFFER, buffer);
    gl.bufferSubData(gl.ARRAY_BUFFER, 0, order);
  }

  return {
    made,
    draw(view, eye) {
      const seen = view.join();
      if (seen !== sorted) sort(view), (sorted = seen);
      gl.activeTexture(gl.TEXTURE0); gl.bindTexture(gl.TEXTURE_2D, shapes);
      gl.activeTexture(gl.TEXTURE1); gl.bindTexture(gl.TEXTURE_2D, colours);
      gl.uniform1i(gl.getUniformLocation(made, "shapes"), 0);
      gl.uniform1i(gl.getUniformLocation(made, "colours"), 1);
      gl.uniform1i(gl.getUniformLocation(made, "coefficients"), coefficients);
      gl.uniform3fv(gl.getUniformLocation(made, "eye"), eye);
      gl.disable(gl.DEPTH_TEST); gl.enable(gl.BLEND); gl.blendFunc(gl.ONE, gl.ONE_MINUS_SRC_ALPHA);
      gl.drawArraysInstanced(gl.TRIANGLE_STRIP, 0, 4, count);
      gl.disable(gl.BLEND); gl.enable(gl.DEPTH_TEST);
    },
  };
}

// --- the camera: the path's, and what the hand adds ---------------------------------------------------------------------

const hand = { yaw: 0, pitch: 0, right: 0, down: 0, ahead: 0 };
let frame = 0, playing = false, shape = null;

function pose(at) {
  const m = path.poses.slice(16 * at, 16 * at + 16), [sy, cy, sp, cp] = [Math.sin(hand.yaw), Math.cos(hand.yaw), Math.sin(hand.pitch), Math.cos(hand.pitch)];
  const local = [[cy, sy * sp, sy * cp], [0, cp, -sp], [-sy, cy * sp, cy * cp]];
  const step = [hand.right, hand.down, hand.ahead];
  const turned = [0, 1, 2].map((row) => [0, 1, 2].map((column) => [0, 1, 2].reduce((sum, k) => sum + m[4 * row + k] * local[k][column], 0)));
  const eye = [0, 1, 2].map((row) => m[4 * row + 3] + turned[row].reduce((sum, value, k) => sum + value * step[k], 0));
  return { turned, eye };
}

function draw() {
  const { turned, eye } = pose(frame), l = path.lenses.slice(9 * frame, 9 * frame + 9), view = new Float32Array(16);
  for (let row = 0; row < 3; row++) {
    for (let column = 0; column < 3; column++) view[4 * column + row] = turned[column][row];
    view[12 + row] = -(turned[0][row] * eye[0] + turned[1][row] * eye[1] + turned[2][row] * eye[2]);
  }
  view[15] = 1;
  gl.viewport(0, 0, path.width, path.height);
  gl.clearColor(0, 0, 0, 1);
  gl.clear(gl.COLOR_BUFFER_BIT | gl.DEPTH_BUFFER_BIT);
  gl.enable(gl.DEPTH_TEST);
  gl.useProgram(shape.made);
  gl.uniformMatrix4fv(gl.getUniformLocation(shape.made, "view"), false, view);
  gl.uniform4f(gl.getUniformLocation(shape.made, "lens"), l[0], l[4], l[2], l[5]);
  gl.uniform2f(gl.getUniformLocation(shape.made, "size"), path.width, path.height);
  shape.draw(view, eye);
}

function show(at) {
  frame = Math.min(Math.max(Math.round(at), 0), frames - 1);
  slider.value = frame;
  told.textContent = `${frame + 1} / ${frames}`;
  draw();
}

const [play, slider, told, home] = ["play", "slider", "told", "home"].map((name) => document.getElementById(name));
canvas.width = path.width;
canvas.height = path.height;
slider.max = frames - 1;
shape = { points, mesh, splats }[about.kind]();
slider.oninput = () => { playing = false; show(+slider.value); };
play.onclick = () => {
  playing = !playing;
  const begun = performance.now(), from = frame >= frames - 1 ? 0 : frame;
  const step = (now) => {
    if (!playing) return void (play.textContent = "Play");
    const at = from + ((now - begun) / 1000) * path.fps;
    if (at >= frames - 1) playing = false;
    show(at);
    requestAnimationFrame(step);
  };
  play.textContent = "Pause";
  requestAnimationFrame(step);
};
home.onclick = () => { Object.keys(hand).forEach((name) => (hand[name] = 0)); draw(); };
canvas.onpointerdown = (event) => canvas.setPointerCapture(event.pointerId);
canvas.onpointermove = (event) => {
  if (!event.buttons) return;
  const share = 1 / canvas.clientHeight;
  if (event.shiftKey || event.buttons & 2) {
    hand.right -= event.movementX * share * about.distance;
    hand.down -= event.movementY * share * about.distance;
  } else {
    hand.yaw -= event.movementX * share;
    hand.pitch = Math.min(Math.max(hand.pitch + event.movementY * share, -1.5), 1.5);
  }
  draw();
};
canvas.oncontextmenu = (event) => event.preventDefault();
canvas.onwheel = (event) => { event.preventDefault(); hand.ahead -= Math.sign(event.deltaY) * 0.05 * about.distance; draw(); };
window.onkeydown = (event) => {
  const step = { a: ["right", -1], d: ["right", 1], w: ["ahead", 1], s: ["ahead", -1], q: ["down", 1], e: ["down", -1] }[event.key];
  if (step) { hand[step[0]] += step[1] * 0.05 * about.distance; draw(); }
  if (event.key === " " && event.target === document.body) { event.preventDefault(); play.click(); }
};
show(0);
document.body.dataset.ready = "yes";
