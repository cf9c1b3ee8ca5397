// Projects world points and lines onto the stage's figure, whose axes are right, forward, up.
import { FULL_FRAME_MM, cross } from "../../drawing/cameras.js";

const RING = 48; // number of corners
const DEEP = 0.6; // depth of a frustum, in arrow lengths

// A function from a world point to pixels from the figure's corner; null while the figure is not drawn.
export function onScreen(plot) {
  const scene = plot._fullLayout?.scene?._scene;
  if (!scene?.glplot?.cameraParams) return null;
  const { model, view, projection } = scene.glplot.cameraParams;
  const [canvas, box] = [scene.glplot.canvas.getBoundingClientRect(), plot.getBoundingClientRect()];
  return ([x, y, z]) => {
    const local = [x, z, -y].map((value, axis) => value * scene.dataScale[axis]);
    const [a, b, , w] = [model, view, projection].reduce(times, [...local, 1]);
    return [canvas.left - box.left + (0.5 + (0.5 * a) / w) * canvas.width, canvas.top - box.top + (0.5 - (0.5 * b) / w) * canvas.height];
  };
}

// Multiplies a column-major matrix by a point.
const times = (point, matrix) => [0, 1, 2, 3].map((row) => point.reduce((sum, value, column) => sum + matrix[4 * column + row] * value, 0));

// A circle about a unit axis, right-handed.
export function ring(place, axis, radius) {
  const helper = Math.abs(axis[0]) < 0.8 ? [1, 0, 0] : [0, 1, 0];
  const first = cross(axis, helper).map((value, _, all) => value / Math.hypot(...all));
  const second = cross(axis, first);
  return Array.from({ length: RING + 1 }, (_, i) => {
    const [c, s] = [Math.cos((2 * Math.PI * i) / RING), Math.sin((2 * Math.PI * i) / RING)];
    return place.map((value, axis) => value + radius * (c * first[axis] + s * second[axis]));
  });
}

// Lines of a camera's frustum of depth `long`: four edges and the far side.
export function frustum(place, turn, mm, [width, height], long) {
  const [deep, half] = [DEEP * long, (DEEP * long * FULL_FRAME_MM) / (2 * mm)];
  const corner = (x, y) => {
    const local = [x * half, (y * half * height) / width, deep];
    return place.map((value, row) => value + turn[3 * row] * local[0] + turn[3 * row + 1] * local[1] + turn[3 * row + 2] * local[2]);
  };
  const corners = [corner(-1, -1), corner(1, -1), corner(1, 1), corner(-1, 1)];
  return [...corners.map((one) => [place, one]), [...corners, corners[0]]];
}
