// Shaders, and helpers to run them.
import { SPLAT_SOURCES } from "./splat_shaders.js";

const HEAD = "#version 300 es\nprecision highp float;\nprecision highp int;\n";

// A further view replaces what other views have drawn only where it is nearer by the factor `advantage`.
const HELD = `
uniform highp sampler2D held;
uniform float advantage;
bool behindOthers() {
  return advantage > 1.0 && 1.0 - gl_FragCoord.z <= advantage * (1.0 - texelFetch(held, ivec2(gl_FragCoord.xy), 0).r);
}`;

// If the picture is drawn `fine` times as large each way, only the centres of its pixels are used.
const MIDDLE = `
uniform int fine;
bool beside() {
  return any(notEqual(ivec2(gl_FragCoord.xy) % fine, ivec2(fine / 2)));
}`;

// Every pixel of a view is a vertex; gl_VertexID says which. Depth on the screen is 1 - near / z, linear in inverse depth.
const PIXELS = `${HEAD}
uniform sampler2D depths;
uniform sampler2D colours;
uniform mat3 turn;
uniform vec3 shift;
uniform vec2 size;
uniform ivec2 grid;
uniform float near, far;
uniform int fine;
out vec3 shade;
out float behind, layer;
ivec2 pixel;
vec3 seenAt(ivec2 at, float depth) {
  return depth * (turn * vec3(at, 1.0)) + shift;
}
vec3 put() {
  pixel = ivec2(gl_VertexID % grid.x, gl_VertexID / grid.x);
  float depth = texelFetch(depths, pixel, 0).r;
  vec3 seen = seenAt(pixel, depth);
  behind = depth > 0.0 && seen.z > 1e-4 ? 0.0 : 1.0;
  layer = depth >= far ? 1.0 : 0.5;
  shade = texelFetch(colours, pixel, 0).rgb;
  vec2 corner = (2.0 * seen.xy + seen.z) / size - seen.z;
  gl_Position = vec4(corner.x, -corner.y, seen.z - 2.0 * near, seen.z);
  gl_PointSize = float(fine);
  return seen;
}`;

const SURFACE_VERTEX = `${PIXELS}
out vec2 place;
void main() {
  put();
  place = (vec2(pixel) + 0.5) / vec2(grid);
}`;

const SURFACE_FRAGMENT = `${HEAD}${MIDDLE}${HELD}
uniform sampler2D colours;
uniform bool merged;
in vec3 shade;
in vec2 place;
in float behind, layer;
out vec4 colour;
void main() {
  if (behind > 0.0 || beside() || behindOthers()) discard;
  colour = vec4(merged ? texture(colours, place).rgb : shade, layer);
}`;

// Borders of surfaces that run through pixel centres: the renderer on the server draws these pixels, but triangles here leave
// out those on their lower and right borders. `edge` is the line's position as a homogeneous pixel; along the line it is as
// inexact as corner positions, which some graphics cards round to a sixteenth of a pixel. A surface seen from behind has no
// border: its pixels run backwards. (A flat value is that of the line's last vertex.) way: 0 horizontal lines, 1 vertical
// lines, 2 their ends as points, since a line leaves out its last pixel.
const BORDER_VERTEX = `${PIXELS}
uniform int way;
out vec3 edge;
flat out int fromFront;
void main() {
  edge = put();
  ivec2 other = pixel - (way == 1 ? ivec2(0, 1) : ivec2(1, 0));
  vec3 before = seenAt(other, texelFetch(depths, max(other, ivec2(0)), 0).r);
  vec2 run = edge.xy / edge.z - before.xy / before.z;
  fromFront = way == 2 || (way == 1 ? run.y : run.x) > 0.0 ? 1 : 0;
}`;

const BORDER_FRAGMENT = `${HEAD}${MIDDLE}${HELD}
uniform vec2 size;
uniform int way;
in vec3 shade;
in vec3 edge;
in float behind, layer;
flat in int fromFront;
out vec4 colour;
void main() {
  vec2 at = gl_FragCoord.xy / float(fine);
  vec2 off = abs(edge.xy / edge.z + 0.5 - vec2(at.x, size.y - at.y));
  bool through = all(lessThan(off, vec2(way == 0 ? 7e-2 : 1e-3, way == 1 ? 7e-2 : 1e-3)));
  if (behind > 0.0 || fromFront == 0 || !through || beside() || behindOthers()) discard;
  colour = vec4(shade, layer);
}`;

// Triangles of objects: world positions, and the colours of their corners or a texture.
const OBJECT_VERTEX = `${HEAD}
layout(location = 0) in vec3 point;
layout(location = 1) in vec3 tint;
layout(location = 2) in vec2 uv;
uniform mat4 seenFromWorld;
uniform vec2 size;
uniform float near;
out vec3 shade;
out vec2 place;
out float behind, layer;
void main() {
  vec3 seen = (seenFromWorld * vec4(point, 1.0)).xyz;
  behind = seen.z > 1e-4 ? 0.0 : 1.0;
  layer = 0.5;
  shade = tint;
  place = uv;
  vec2 corner = (2.0 * seen.xy + seen.z) / size - seen.z;
  gl_Position = vec4(corner.x, -corner.y, seen.z - 2.0 * near, seen.z);
}`;

const WHOLE_SCREEN = `${HEAD}
void main() {
  gl_Position = vec4(gl_VertexID == 1 ? 3.0 : -1.0, gl_VertexID == 2 ? 3.0 : -1.0, 0.0, 1.0);
}`;

// Holes one pixel wide between two opposite neighbours take the farther of the two (camera.render.inpaint.close_cracks).
const CLOSE_CRACKS = `${HEAD}
uniform sampler2D drawn;
uniform highp sampler2D deep;
uniform ivec2 extent;
uniform int fine;
layout(location = 0) out vec4 colour;
layout(location = 1) out vec4 inverse;
vec4 drawnAt(ivec2 at) { return texelFetch(drawn, fine * at + fine / 2, 0); }
float depthAt(ivec2 at) { return texelFetch(deep, fine * at + fine / 2, 0).r; }
void main() {
  ivec2 at = ivec2(gl_FragCoord.xy);
  colour = drawnAt(at);
  float depth = depthAt(at);
  if (colour.a == 0.0) {
    float best = -1.0;
    ivec2 steps[4] = ivec2[](ivec2(1, 0), ivec2(0, 1), ivec2(1, 1), ivec2(-1, 1));
    for (int i = 0; i < 4; i++) {
      ivec2 a = at - steps[i], b = at + steps[i];
      if (any(lessThan(min(a, b), ivec2(0))) || any(greaterThanEqual(max(a, b), extent))) continue;
      vec4 first = drawnAt(a), second = drawnAt(b);
      if (first.a == 0.0 || second.a == 0.0) continue;
      float da = depthAt(a), db = depthAt(b);
      if (max(da, db) <= best) continue;
      best = max(da, db);
      colour = da >= db ? first : second;
      depth = best;
    }
  }
  inverse = vec4(1.0 - depth, 0.0, 0.0, 1.0);
}`;

// Two pictures with closed cracks: the second fills the holes of the first.
const BEHIND = `${HEAD}
uniform sampler2D front, back;
uniform highp sampler2D frontInverse, backInverse;
layout(location = 0) out vec4 colour;
layout(location = 1) out vec4 inverse;
void main() {
  ivec2 at = ivec2(gl_FragCoord.xy);
  colour = texelFetch(front, at, 0);
  bool hole = colour.a == 0.0;
  if (hole) colour = texelFetch(back, at, 0);
  inverse = hole ? texelFetch(backInverse, at, 0) : texelFetch(frontInverse, at, 0);
}`;

// The picture on the canvas, whose pixels are `share` times the picture's; holes in the hole colour.
const SHOW = `${HEAD}
uniform sampler2D drawn;
uniform vec3 hole;
uniform vec2 share;
out vec4 colour;
void main() {
  vec4 texel = texelFetch(drawn, ivec2(gl_FragCoord.xy * share), 0);
  colour = vec4(texel.a == 0.0 ? hole : texel.rgb, 1.0);
}`;

// Pull: every 2x2 block becomes the mean of its background (0.9 of the farthest and beyond); alpha is inverse depth, 0 in holes.
const PULL = `${HEAD}
uniform sampler2D finer;
uniform highp sampler2D inverses;
uniform bool first;
out vec4 colour;
vec4 texel(ivec2 at) {
  at = min(at, textureSize(finer, 0) - 1);
  vec4 found = texelFetch(finer, at, 0);
  if (first && found.a > 0.0) found.a = max(texelFetch(inverses, at, 0).r, 1e-7);
  return found;
}
void main() {
  ivec2 at = 2 * ivec2(gl_FragCoord.xy);
  vec4 four[4] = vec4[](texel(at), texel(at + ivec2(1, 0)), texel(at + ivec2(0, 1)), texel(at + ivec2(1, 1)));
  float farthest = 1e30;
  for (int i = 0; i < 4; i++) if (four[i].a > 0.0) farthest = min(farthest, four[i].a);
  vec4 sum = vec4(0.0);
  for (int i = 0; i < 4; i++) if (four[i].a > 0.0 && four[i].a * 0.9 <= farthest) sum += vec4(four[i].rgb, 1.0);
  colour = sum.a > 0.0 ? vec4(sum.rgb / sum.a, farthest) : vec4(0.0);
}`;

// Push: empty pixels of the finer level are interpolated bilinearly from the background of the coarser.
const PUSH = `${HEAD}
uniform sampler2D finer;
uniform sampler2D coarser;
uniform bool last;
out vec4 colour;
void main() {
  ivec2 at = ivec2(gl_FragCoord.xy);
  colour = texelFetch(finer, at, 0);
  if (colour.a > 0.0) { if (last) colour.a = 1.0; return; }
  ivec2 most = textureSize(coarser, 0) - 1;
  ivec2 a = min(at / 2, most);
  ivec2 b = clamp(a + 2 * (at % 2) - 1, ivec2(0), most);
  vec4 four[4] = vec4[](texelFetch(coarser, a, 0), texelFetch(coarser, ivec2(b.x, a.y), 0),
                        texelFetch(coarser, ivec2(a.x, b.y), 0), texelFetch(coarser, b, 0));
  float weights[4] = float[](9.0, 3.0, 3.0, 1.0);
  float farthest = 1e30;
  for (int i = 0; i < 4; i++) if (four[i].a > 0.0) farthest = min(farthest, four[i].a);
  vec4 sum = vec4(0.0);
  float total = 0.0;
  for (int i = 0; i < 4; i++) if (four[i].a > 0.0 && four[i].a * 0.9 <= farthest) {
    sum += weights[i] * four[i];
    total += weights[i];
  }
  colour = total > 0.0 ? sum / total : vec4(0.0);
  if (last) colour.a = 1.0;
}`;

// Adds one of several pictures that are averaged: linear light is summed, not the encoded values.
const ADD = `${HEAD}
uniform sampler2D drawn;
uniform vec3 hole;
out vec4 colour;
void main() {
  vec4 texel = texelFetch(drawn, ivec2(gl_FragCoord.xy), 0);
  colour = vec4(pow(texel.a == 0.0 ? hole : texel.rgb, vec3(2.2)), 1.0);
}`;

const DEVELOP = `${HEAD}
uniform sampler2D drawn;
uniform vec2 share;
out vec4 colour;
void main() {
  vec4 light = texelFetch(drawn, ivec2(gl_FragCoord.xy * share), 0);
  colour = vec4(pow(light.rgb / light.a, vec3(1.0 / 2.2)), 1.0);
}`;

const SOURCES = {
  ...SPLAT_SOURCES,
  surface: [SURFACE_VERTEX, SURFACE_FRAGMENT],
  border: [BORDER_VERTEX, BORDER_FRAGMENT],
  object: [OBJECT_VERTEX, SURFACE_FRAGMENT],
  cracks: [WHOLE_SCREEN, CLOSE_CRACKS],
  behind: [WHOLE_SCREEN, BEHIND],
  show: [WHOLE_SCREEN, SHOW],
  pull: [WHOLE_SCREEN, PULL],
  push: [WHOLE_SCREEN, PUSH],
  add: [WHOLE_SCREEN, ADD],
  develop: [WHOLE_SCREEN, DEVELOP],
};

function compiled(gl, kind, source) {
  const shader = gl.createShader(kind);
  gl.shaderSource(shader, source);
  gl.compileShader(shader);
  return shader;
}

// A program compiled on first use, with the locations of its uniforms.
export function programs(gl) {
  const made = {};
  return (name) => (made[name] ??= linked(gl, ...SOURCES[name]));
}

function linked(gl, vertex, fragment) {
  const program = gl.createProgram();
  for (const [kind, source] of [[gl.VERTEX_SHADER, vertex], [gl.FRAGMENT_SHADER, fragment]])
    gl.attachShader(program, compiled(gl, kind, source));
  gl.linkProgram(program);
  if (!gl.getProgramParameter(program, gl.LINK_STATUS)) {
    const logs = gl.getAttachedShaders(program).map((shader) => gl.getShaderInfoLog(shader));
    throw new Error(`A shader does not run here: ${gl.getProgramInfoLog(program)} ${logs.join(" ")}`);
  }
  const places = {};
  for (let i = 0; i < gl.getProgramParameter(program, gl.ACTIVE_UNIFORMS); i++) {
    const { name } = gl.getActiveUniform(program, i);
    places[name] = gl.getUniformLocation(program, name);
  }
  return { program, places };
}

export function texture(gl, { width, height, internal, format, type, data = null, filter = gl.NEAREST }) {
  const made = gl.createTexture();
  gl.bindTexture(gl.TEXTURE_2D, made);
  gl.pixelStorei(gl.UNPACK_ALIGNMENT, 1);
  gl.pixelStorei(gl.UNPACK_COLORSPACE_CONVERSION_WEBGL, gl.NONE);
  gl.texImage2D(gl.TEXTURE_2D, 0, internal, width, height, 0, format, type, data);
  for (const which of [gl.TEXTURE_MIN_FILTER, gl.TEXTURE_MAG_FILTER]) gl.texParameteri(gl.TEXTURE_2D, which, filter);
  for (const which of [gl.TEXTURE_WRAP_S, gl.TEXTURE_WRAP_T]) gl.texParameteri(gl.TEXTURE_2D, which, gl.CLAMP_TO_EDGE);
  return made;
}
