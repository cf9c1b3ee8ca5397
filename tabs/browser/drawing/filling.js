// Steps after the surfaces are drawn: closes cracks, then shows holes (or other pictures of the place in them) or fills them
// from the background (pull and push over an image pyramid), and averages several pictures.
import { texture } from "./programs.js";

export class Filling {
  // `size`: picture size, [width, height].
  constructor(gl, program, size) {
    const exact = Boolean(gl.getExtension("EXT_color_buffer_float"));
    const whole = exact && gl.getExtension("EXT_float_blend"); // light is summed in 32 bits if the graphics card can, else in 16
    Object.assign(this, { gl, program, exact, light: whole ? gl.RGBA32F : gl.RGBA16F, frame: gl.createFramebuffer(), levels: [] });
    this.make(...size);
  }

  forget() {
    const { gl } = this;
    const all = [this.closed, this.inverse, this.sum, this.done, ...(this.spare ?? []), ...this.levels.flatMap(({ pulled, pushed }) => [pulled, pushed])];
    for (const each of all) if (each) gl.deleteTexture(each);
    gl.deleteFramebuffer(this.frame);
  }

  make(width, height) {
    const { gl, exact } = this;
    const shape = { width, height };
    const bytes = { internal: gl.RGBA8, format: gl.RGBA, type: gl.UNSIGNED_BYTE };
    const half = exact ? { internal: gl.RGBA16F, format: gl.RGBA, type: gl.HALF_FLOAT } : bytes;
    const single = exact ? { internal: gl.R32F, format: gl.RED, type: gl.FLOAT } : bytes;
    Object.assign(this, { size: [width, height], closed: texture(gl, { ...shape, ...bytes }), done: texture(gl, { ...shape, ...bytes }) });
    this.inverse = texture(gl, { ...shape, ...single });
    this.sum = null;
    for (let [w, h] = [width, height]; Math.min(w, h) > 1; ) {
      [w, h] = [(w + 1) >> 1, (h + 1) >> 1];
      const made = () => texture(gl, { width: w, height: h, ...half });
      this.levels.push({ size: [w, h], pulled: made(), pushed: made() });
    }
  }

  // Closes cracks in `target` and shows it on the canvas, or leaves it in `closed` (`done` if holes are filled).
  finish(target, { filled, hole, canvas }) {
    const { gl } = this;
    if (target.blended) this.pass("covered", [this.closed, this.inverse], this.size, { drawn: target.colour }, () => {});
    else this.close(target, [this.closed, this.inverse]);
    if (target.behind) this.putBehind(target.behind);
    if (filled) this.fill();
    if (canvas) this.onCanvas("show", filled ? this.done : this.closed, (places) => gl.uniform3f(places.hole, ...hole));
  }

  close(target, textures) {
    const { gl } = this;
    this.pass("cracks", textures, this.size, { drawn: target.colour, deep: target.depth }, (places) => {
      gl.uniform2i(places.extent, ...this.size);
      gl.uniform1i(places.fine, target.fine);
    });
  }

  // Draws `behind` in the holes of `closed`.
  putBehind(behind) {
    const { gl, exact, size } = this;
    const [width, height] = size;
    const kind = { internal: gl.RGBA8, format: gl.RGBA, type: gl.UNSIGNED_BYTE };
    const deep = exact ? { internal: gl.R32F, format: gl.RED, type: gl.FLOAT } : kind;
    this.spare ??= [kind, deep, kind, deep].map((each) => texture(gl, { width, height, ...each }));
    const [back, backInverse, both, bothInverse] = this.spare;
    this.close(behind, [back, backInverse]);
    const reads = { front: this.closed, frontInverse: this.inverse, back, backInverse };
    this.pass("behind", [both, bothInverse], size, reads, () => {});
    this.spare = [back, backInverse, this.closed, this.inverse];
    Object.assign(this, { closed: both, inverse: bothInverse });
  }

  // Draws the picture on the canvas, which may have more pixels.
  onCanvas(name, drawn, set) {
    const { gl, size } = this;
    const shown = [gl.canvas.width, gl.canvas.height];
    this.pass(name, null, shown, { drawn }, (places) => {
      gl.uniform2f(places.share, size[0] / shown[0], size[1] / shown[1]);
      set(places);
    });
  }

  // A texture of the picture's size for blended light.
  floating() {
    const { gl, exact, size } = this;
    const kind = exact ? { internal: gl.RGBA16F, format: gl.RGBA, type: gl.HALF_FLOAT } : { internal: gl.RGBA8, format: gl.RGBA, type: gl.UNSIGNED_BYTE };
    return texture(gl, { width: size[0], height: size[1], ...kind });
  }

  fill() {
    const { gl, levels } = this;
    let finer = this.closed;
    levels.forEach((level, number) => {
      this.pass("pull", [level.pulled], level.size, { finer, inverses: this.inverse }, (places) => gl.uniform1i(places.first, number === 0 ? 1 : 0));
      finer = level.pulled;
    });
    let coarser = finer;
    for (let number = levels.length - 2; number >= 0; number--) {
      const { pulled, pushed, size } = levels[number];
      this.pass("push", [pushed], size, { finer: pulled, coarser }, (places) => gl.uniform1i(places.last, 0));
      coarser = pushed;
    }
    this.pass("push", [this.done], this.size, { finer: this.closed, coarser }, (places) => gl.uniform1i(places.last, 1));
  }

  add({ hole, first, filled }) {
    const { gl } = this;
    const [width, height] = this.size;
    this.sum ??= texture(gl, { width, height, internal: this.light, format: gl.RGBA, type: this.light === gl.RGBA32F ? gl.FLOAT : gl.HALF_FLOAT });
    if (first) {
      this.into([this.sum], this.size);
      gl.clearColor(0, 0, 0, 0);
      gl.clear(gl.COLOR_BUFFER_BIT);
    }
    gl.enable(gl.BLEND);
    gl.blendFunc(gl.ONE, gl.ONE);
    this.pass("add", [this.sum], this.size, { drawn: filled ? this.done : this.closed }, (places) => {
      gl.uniform3f(places.hole, ...hole);
    });
    gl.disable(gl.BLEND);
  }

  develop() {
    this.onCanvas("develop", this.sum, () => {});
  }

  into(textures, size) {
    const { gl } = this;
    gl.bindFramebuffer(gl.FRAMEBUFFER, textures ? this.frame : null);
    if (textures) {
      [0, 1].forEach((i) => gl.framebufferTexture2D(gl.FRAMEBUFFER, gl.COLOR_ATTACHMENT0 + i, gl.TEXTURE_2D, textures[i] ?? null, 0));
      gl.drawBuffers(textures.map((_, i) => gl.COLOR_ATTACHMENT0 + i));
    }
    gl.viewport(0, 0, ...size);
  }

  // Runs a program over every pixel of `textures` (null: the canvas), reading the named textures.
  pass(name, textures, size, reads, set) {
    const { gl } = this;
    const { program, places } = this.program(name);
    this.into(textures, size);
    gl.useProgram(program);
    Object.entries(reads).forEach(([label, each], unit) => {
      gl.activeTexture(gl.TEXTURE0 + unit);
      gl.bindTexture(gl.TEXTURE_2D, each);
      gl.uniform1i(places[label], unit);
    });
    set(places);
    gl.drawArrays(gl.TRIANGLES, 0, 3);
  }
}
