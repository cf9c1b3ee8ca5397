// Gaussian splats as ellipses in the picture: same projection (EWA, Zwicker et al. 2001), blur (0.3 square pixels) and least alpha
// (1/255) as pipelines.splats.rasterizer.

const HEAD = "#version 300 es\nprecision highp float;\nprecision highp int;\n";

// The four corners of each splat, in the order of `which`. shapes: three texels per splat: position and opacity; covariance xx xy xz yy; yz zz.
const VERTEX = `${HEAD}
uniform highp sampler2D shapes;
uniform highp sampler2D colours;
uniform mat4 view; // camera from world
uniform mat3 lens;
uniform vec2 size;
uniform vec3 eye;
uniform int harmonics;
layout(location = 0) in uint which;
out vec2 off;
flat out vec3 conic;
flat out vec4 shade;
const float NEAR = 0.01, FAR = 1e10;
vec4 shapeOf(int at) { int w = textureSize(shapes, 0).x; return texelFetch(shapes, ivec2(at % w, at / w), 0); }
vec3 sh(int at) { int w = textureSize(colours, 0).x; return texelFetch(colours, ivec2(at % w, at / w), 0).rgb; }
vec3 radiance(int i, vec3 d) {
  int at = i * harmonics;
  vec3 c = 0.28209479177387814 * sh(at);
  float x = d.x, y = d.y, z = d.z, xx = x * x, yy = y * y, zz = z * z;
  if (harmonics > 1) c += 0.4886025119029199 * (z * sh(at + 2) - y * sh(at + 1) - x * sh(at + 3));
  if (harmonics > 4) c += 1.0925484305920792 * (x * y * sh(at + 4) - y * z * sh(at + 5) - x * z * sh(at + 7))
    + 0.31539156525252005 * (2.0 * zz - xx - yy) * sh(at + 6) + 0.5462742152960396 * (xx - yy) * sh(at + 8);
  if (harmonics > 9) c += 2.890611442640554 * x * y * z * sh(at + 10)
    - 0.5900435899266435 * (y * (3.0 * xx - yy) * sh(at + 9) + x * (xx - 3.0 * yy) * sh(at + 15))
    - 0.4570457994644658 * (4.0 * zz - xx - yy) * (y * sh(at + 11) + x * sh(at + 13))
    + 0.3731763325901154 * z * (2.0 * zz - 3.0 * xx - 3.0 * yy) * sh(at + 12) + 1.445305721320277 * z * (xx - yy) * sh(at + 14);
  return max(c + 0.5, 0.0);
}
void main() {
  int i = int(which);
  vec4 first = shapeOf(3 * i), second = shapeOf(3 * i + 1), third = shapeOf(3 * i + 2);
  vec3 p = (view * vec4(first.xyz, 1.0)).xyz;
  gl_Position = vec4(2.0, 2.0, 2.0, 1.0);
  off = vec2(0.0);
  conic = vec3(1.0, 0.0, 1.0);
  shade = vec4(0.0);
  if (p.z <= NEAR || p.z >= FAR || first.w * 255.0 < 1.0) return;
  vec2 focal = vec2(lens[0][0], lens[1][1]), centre = lens[2].xy + 0.5, slack = 0.15 * size;
  vec2 aside = clamp(p.xy / p.z, -(centre + slack) / focal, (size - centre + slack) / focal);
  mat3 turn = mat3(view);
  vec3 across = vec3(focal.x, 0.0, -focal.x * aside.x) / p.z * turn;
  vec3 down = vec3(0.0, focal.y, -focal.y * aside.y) / p.z * turn;
  mat3 spread = mat3(second.xyz, second.yw, third.x, second.z, third.xy);
  vec3 variance = vec3(dot(across, spread * across) + 0.3, dot(across, spread * down), dot(down, spread * down) + 0.3);
  vec2 reach = ceil(sqrt(2.0 * log(255.0 * first.w) * variance.xz));
  vec2 at = (lens * (p / p.z)).xy;
  if (any(lessThan(at + reach, vec2(-0.5))) || any(greaterThan(at - reach, size - 0.5))) return;
  off = (vec2(gl_VertexID & 1, gl_VertexID >> 1) * 2.0 - 1.0) * reach;
  conic = vec3(variance.z, -variance.y, variance.x) / max(variance.x * variance.z - variance.y * variance.y, 1e-10);
  shade = vec4(radiance(i, normalize(first.xyz - eye)), first.w);
  vec2 corner = (at + off + 0.5) / size * 2.0 - 1.0;
  gl_Position = vec4(corner.x, -corner.y, 0.0, 1.0);
}`;

const FRAGMENT = `${HEAD}
in vec2 off;
flat in vec3 conic;
flat in vec4 shade;
out vec4 light;
void main() {
  float exponent = 0.5 * (conic.x * off.x * off.x + conic.z * off.y * off.y) + conic.y * off.x * off.y;
  float alpha = min(shade.a * exp(-exponent), 0.999);
  if (exponent < 0.0 || alpha < 1.0 / 255.0) discard;
  light = vec4(shade.rgb * alpha, alpha);
}`;

const WHOLE_SCREEN = `${HEAD}
void main() {
  gl_Position = vec4(gl_VertexID == 1 ? 3.0 : -1.0, gl_VertexID == 2 ? 3.0 : -1.0, 0.0, 1.0);
}`;

// The blended picture: a pixel shows the splats if they hide at least half of what is behind them, otherwise it is a hole.
const COVERED = `${HEAD}
uniform sampler2D drawn;
layout(location = 0) out vec4 colour;
layout(location = 1) out vec4 inverse;
void main() {
  vec4 light = texelFetch(drawn, ivec2(gl_FragCoord.xy), 0);
  colour = light.a < 0.5 ? vec4(0.0) : vec4(clamp(light.rgb / light.a, 0.0, 1.0), 1.0);
  inverse = vec4(light.a < 0.5 ? 0.0 : 1.0, 0.0, 0.0, 1.0);
}`;

export const SPLAT_SOURCES = { splat: [VERTEX, FRAGMENT], covered: [WHOLE_SCREEN, COVERED] };
