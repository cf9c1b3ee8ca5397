// Run by node with playcanvas: opens a GLB of splats in the PlayCanvas engine, without a graphics card, and prints what the engine holds.
// node splats_in_playcanvas.mjs FILE.glb
import { readFileSync } from "node:fs";
import * as pc from "playcanvas";

const none = () => {};
const element = { width: 8, height: 8, style: {}, addEventListener: none, removeEventListener: none, getBoundingClientRect: () => ({}), getContext: () => null };
globalThis.window ??= globalThis;
globalThis.document ??= { addEventListener: none, removeEventListener: none, createElement: () => element, body: { appendChild: none } };
globalThis.addEventListener ??= none;
globalThis.removeEventListener ??= none;
globalThis.Worker ??= class { postMessage() {} terminate() {} };

const app = new pc.AppBase(element);
const options = new pc.AppOptions();
options.graphicsDevice = new pc.NullGraphicsDevice(element);
options.componentSystems = [pc.GSplatComponentSystem];
options.resourceHandlers = [pc.ContainerHandler, pc.TextureHandler];
app.init(options);

const data = readFileSync(process.argv[2]);
const contents = data.buffer.slice(data.byteOffset, data.byteOffset + data.byteLength);
const asset = new pc.Asset("file", "container", { url: "file.glb", contents });
app.assets.add(asset);
asset.on("error", (error) => { console.error(error); process.exit(1); });
asset.on("load", () => {
  const entity = asset.resource.instantiateRenderEntity();
  app.root.addChild(entity);
  const parts = entity.findComponents("gsplat").map((component) => {
    const splats = app.assets.get(component.asset?.id ?? component.asset).resource.gsplatData;
    const column = (name) => Array.from(splats.getProp(name));
    const columns = (...names) => { const found = names.map(column); return found[0].map((_, i) => found.map((each) => each[i])); };
    const rest = splats.elements[0].properties.filter((each) => each.name.startsWith("f_rest_")).map((each) => each.name);
    return {
      world: Array.from(component.entity.getWorldTransform().data), // column by column
      means: columns("x", "y", "z"), scales: columns("scale_0", "scale_1", "scale_2"), opacities: column("opacity"),
      quaternions: columns("rot_0", "rot_1", "rot_2", "rot_3"), // wxyz
      constant: columns("f_dc_0", "f_dc_1", "f_dc_2"), rest: rest.length ? columns(...rest) : [], // red's, then green's, then blue's
    };
  });
  process.stdout.write(`${JSON.stringify({ tool: `PlayCanvas engine ${pc.version}`, parts })}\n`, () => process.exit(0));
});
app.assets.load(asset);
