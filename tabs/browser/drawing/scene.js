// Reads the scene that the server packs once (tabs/browser/scene_file.py): a header in JSON, then pictures and depths.
import { inverseLens } from "./cameras.js";
import { readSplats } from "./splats.js";

export async function fetched(url) {
  const answer = await fetch(url);
  if (!answer.ok) throw new Error(`A part of the scene did not come: ${answer.status}`);
  return answer.arrayBuffer();
}

// The header, and the data at an offset given in it.
function opened(bytes) {
  const length = new DataView(bytes).getUint32(4, true);
  const header = JSON.parse(new TextDecoder().decode(new Uint8Array(bytes, 8, length)));
  return { header, part: ([at, size]) => new Uint8Array(bytes, 8 + length + at, size) };
}

const picture = (bytes) =>
  createImageBitmap(new Blob([bytes]), { colorSpaceConversion: "none", premultiplyAlpha: "none" });

export async function readScene(bytes) {
  const { header, part } = opened(bytes);
  const view = async (each) => ({
    ...each,
    inverseLens: inverseLens(each.lens),
    depth: await depthOf(part(each.depth), each.width * each.height),
    picture: await picture(part(each.colour)),
  });
  const splats = header.splats ? readSplats(header.splats, part) : null;
  const [views, others] = await Promise.all([header.views, header.others].map((each) => Promise.all(each.map(view))));
  return { ...header, splats, views, others };
}

export async function readObjects(bytes) {
  const { header, part } = opened(bytes);
  const numbers = async (place, Kind) => (place ? new Kind(await inflated(part(place))) : null);
  const piece = async (each) => ({
    points: await numbers(each.points, Float32Array),
    colours: await numbers(each.colours, Uint8Array),
    triangles: await numbers(each.triangles, Uint32Array),
    uv: await numbers(each.uv, Float32Array),
    texture: each.texture ? await picture(part(each.texture)) : null,
  });
  return { moments: header.moments, pieces: await Promise.all(header.pieces.map(piece)) };
}

async function inflated(packed) {
  const stream = new Blob([packed]).stream().pipeThrough(new DecompressionStream("deflate"));
  return new Response(stream).arrayBuffer();
}

// Float32, with its four bytes in four planes.
async function depthOf(packed, count) {
  const planes = new Uint8Array(await inflated(packed));
  const woven = new Uint8Array(4 * count);
  for (let plane = 0; plane < 4; plane++) for (let i = 0; i < count; i++) woven[4 * i + plane] = planes[plane * count + i];
  return new Float32Array(woven.buffer);
}
