// Run by node with three: opens Reshoot's glTF and prints what its camera sees. node in_three.mjs FOLDER
import { readFileSync } from "node:fs";
import * as THREE from "three";
import { GLTFLoader } from "three/examples/jsm/loaders/GLTFLoader.js";

const folder = process.argv[2];
const request = JSON.parse(readFileSync(`${folder}/request.json`));
const data = readFileSync(`${folder}/room.glb`);
const buffer = data.buffer.slice(data.byteOffset, data.byteOffset + data.byteLength);
globalThis.self = globalThis;

const gltf = await new GLTFLoader().parseAsync(buffer, "");
let mesh = null;
gltf.scene.traverse((each) => { if (each.isMesh) mesh = each; });
const camera = gltf.cameras[0];
const mixer = new THREE.AnimationMixer(gltf.scene);
const action = mixer.clipAction(gltf.animations[0]);
action.setLoop(THREE.LoopOnce);
action.clampWhenFinished = true;
action.play();
const place = mesh.geometry.getAttribute("position"), light = mesh.geometry.getAttribute("color");
const srgb = (value) => 255 * (value <= 0.0031308 ? 12.92 * value : 1.055 * value ** (1 / 2.4) - 0.055);

const pixels = [], colours = [];
for (let frame = 0; frame < request.frames; frame++) {
  mixer.setTime(frame / request.fps);
  gltf.scene.updateMatrixWorld(true);
  camera.updateProjectionMatrix();
  pixels.push(request.points.map((index) => {
    const point = new THREE.Vector3().fromBufferAttribute(place, index).applyMatrix4(mesh.matrixWorld).project(camera);
    return [(point.x + 1) / 2 * request.width - 0.5, (1 - point.y) / 2 * request.height - 0.5];
  }));
}
for (const index of request.points) colours.push([light.getX(index), light.getY(index), light.getZ(index)].map(srgb));
console.log(JSON.stringify({ [`room.glb in three.js r${THREE.REVISION}`]: { pixels, colours } }));
