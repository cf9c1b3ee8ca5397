// Objects of a scene: their triangles in world coordinates at every time, ready to draw.
import { inversePose, multiplied } from "./cameras.js";
import { texture } from "./programs.js";

export class ObjectsOf {
  // objects: {moments, pieces} of readObjects. A piece that does not move has the points of one time only.
  constructor(gl, { moments, pieces }) {
    Object.assign(this, { gl, moments, pieces: pieces.map((piece) => uploaded(gl, piece)) });
  }

  forget() {
    const { gl } = this;
    for (const { vao, buffers, picture } of this.pieces) {
      gl.deleteVertexArray(vao);
      buffers.forEach((buffer) => gl.deleteBuffer(buffer));
      if (picture) gl.deleteTexture(picture);
    }
  }

  draw({ program, places }, pose, lens, { size, fine, near }, { frame, frames }) {
    const { gl } = this;
    const moment = Math.round((frame / Math.max(frames - 1, 1)) * (this.moments - 1));
    const [fx, skew, cx, , fy, cy, , , w] = lens;
    const projection = [fx, skew, cx, 0, 0, fy, cy, 0, 0, 0, w, 0, 0, 0, 0, 1];
    const seen = multiplied(projection, inversePose(pose), 4);
    gl.useProgram(program);
    gl.uniform2f(places.size, ...size);
    gl.uniform1i(places.fine, fine);
    gl.uniform1f(places.near, near);
    gl.uniform1i(places.colours, 0);
    gl.uniform1i(places.held, 2);
    gl.uniformMatrix4fv(places.seenFromWorld, true, seen);
    gl.activeTexture(gl.TEXTURE0);
    for (const piece of this.pieces) {
      gl.bindVertexArray(piece.vao);
      if (piece.moves) {
        gl.bindBuffer(gl.ARRAY_BUFFER, piece.buffers[0]);
        gl.bufferSubData(gl.ARRAY_BUFFER, 0, piece.points, moment * piece.length, piece.length);
      }
      gl.uniform1i(places.merged, piece.picture ? 1 : 0);
      gl.bindTexture(gl.TEXTURE_2D, piece.picture);
      gl.drawElements(gl.TRIANGLES, piece.count, gl.UNSIGNED_INT, 0);
    }
  }
}

function uploaded(gl, { points, colours, triangles, uv, texture: picture }) {
  const length = colours.length; // three numbers per corner
  const vao = gl.createVertexArray();
  gl.bindVertexArray(vao);
  const buffers = [];
  const attribute = (place, data, size, type, normalized) => {
    buffers.push(gl.createBuffer());
    gl.bindBuffer(gl.ARRAY_BUFFER, buffers.at(-1));
    gl.bufferData(gl.ARRAY_BUFFER, data, gl.STATIC_DRAW);
    gl.enableVertexAttribArray(place);
    gl.vertexAttribPointer(place, size, type, normalized, 0, 0);
  };
  attribute(0, points.subarray(0, length), 3, gl.FLOAT, false);
  attribute(1, colours, 3, gl.UNSIGNED_BYTE, true);
  if (uv) attribute(2, uv, 2, gl.FLOAT, false);
  buffers.push(gl.createBuffer());
  gl.bindBuffer(gl.ELEMENT_ARRAY_BUFFER, buffers.at(-1));
  gl.bufferData(gl.ELEMENT_ARRAY_BUFFER, triangles, gl.STATIC_DRAW);
  gl.bindVertexArray(null);
  const shape = { internal: gl.RGBA8, format: gl.RGBA, type: gl.UNSIGNED_BYTE, filter: gl.LINEAR };
  const drawn = picture ? texture(gl, { ...shape, width: picture.width, height: picture.height, data: picture }) : null;
  return { vao, buffers, points, length, count: triangles.length, moves: points.length > length, picture: drawn };
}
