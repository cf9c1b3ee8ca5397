// Run by node with @babylonjs/core and @babylonjs/loaders: opens a GLB of splats in Babylon.js, without a graphics card, and prints what
// its loader hands to its renderer. node splats_in_babylon.mjs FILE.glb
import { readFileSync } from "node:fs";

globalThis.Worker ??= class { postMessage() {} terminate() {} }; // the splats are sorted in one
const { NullEngine } = await import("@babylonjs/core/Engines/nullEngine.js");
const { Scene } = await import("@babylonjs/core/scene.js");
const { LoadAssetContainerAsync } = await import("@babylonjs/core/Loading/sceneLoader.js");
const { GaussianSplattingMesh } = await import("@babylonjs/core/Meshes/GaussianSplatting/gaussianSplattingMesh.js");
const { Logger } = await import("@babylonjs/core/Misc/logger.js");
await import("@babylonjs/loaders/glTF/index.js");

Logger.LogLevels = Logger.ErrorLogLevel;
const given = new Map();
const update = GaussianSplattingMesh.prototype.updateDataAsync;
GaussianSplattingMesh.prototype.updateDataAsync = function (rows, harmonics, ...rest) {
  given.set(this, [rows.slice(0), harmonics?.map((each) => each.slice(0))]);
  return update.call(this, rows, harmonics, ...rest);
};
const scene = new Scene(new NullEngine());
scene.useRightHandedSystem = true;
await LoadAssetContainerAsync(new Uint8Array(readFileSync(process.argv[2])), scene, { pluginExtension: ".glb" });

const parts = [...given].map(([mesh, [rows, harmonics]]) => {
  const floats = new Float32Array(rows), bytes = new Uint8Array(rows), count = rows.byteLength / 32;
  const each = (make) => Array.from({ length: count }, (_, i) => make(i));
  return {
    world: Array.from(mesh.computeWorldMatrix(true).asArray()), // column by column
    means: each((i) => Array.from(floats.subarray(8 * i, 8 * i + 3))),
    scales: each((i) => Array.from(floats.subarray(8 * i + 3, 8 * i + 6))),
    rgba: each((i) => Array.from(bytes.subarray(32 * i + 24, 32 * i + 28))),
    quaternions: each((i) => Array.from(bytes.subarray(32 * i + 28, 32 * i + 32), (byte) => (byte - 127.5) / 127.5)), // wxyz
    rest: harmonics ? each((i) => harmonics.flatMap((texture) => Array.from(texture.subarray(16 * i, 16 * i + 16), (byte) => (byte - 128) / 128))) : [],
  };
});
process.stdout.write(`${JSON.stringify({ tool: `Babylon.js ${NullEngine.Version}`, parts })}\n`, () => process.exit(0));
