#!/usr/bin/env bash
# Vertex colours in a GLB that trimesh writes look too light in viewers.
#
# One would guess: a mesh painted (128, 64, 191) is (128, 64, 191) in every viewer.
# What happens: trimesh stores the painted bytes as COLOR_0. glTF 2.0 says that COLOR_0 is linear light, so three.js and Blender show
#   (188, 137, 224). The part also gets no material, and glTF's default is a metal that is seen from one side.
# Why it matters: colours of reconstructed points and meshes are compared by eye in such viewers. Writers should store light in at least
#   16 bits, with KHR_materials_unlit and doubleSided; readers have to guess what 8-bit colours mean.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m pip install --quiet --target "$folder" "trimesh==5.2.0" "numpy>=2,<3"
PYTHONPATH=$folder python3 - <<'PY'
import json, sys
import numpy as np, trimesh

painted = np.array([128, 64, 191, 255], np.uint8)
mesh = trimesh.Trimesh([[0, 0, 0], [1, 0, 0], [0, 1, 0]], [[0, 1, 2]], vertex_colors=np.tile(painted, (3, 1)), process=False)
data = trimesh.Scene(mesh).export(file_type="glb")
length = int.from_bytes(data[12:16], "little")
about = json.loads(data[20 : 20 + length])
part = about["meshes"][0]["primitives"][0]
accessor = about["accessors"][part["attributes"]["COLOR_0"]]
view = about["bufferViews"][accessor["bufferView"]]
stored = np.frombuffer(data, np.uint8, 3, 28 + length + view["byteOffset"])
light = stored / 255
shown = np.round(255 * np.where(light <= 0.0031308, 12.92 * light, 1.055 * light ** (1 / 2.4) - 0.055)).astype(int)
print("trimesh", trimesh.__version__, "stores", stored.tolist(), "which glTF shows as", shown.tolist())
print("material of the part:", part.get("material", "none"))
sys.exit(0 if stored.tolist() == [128, 64, 191] and shown.tolist() == [188, 137, 224] and "material" not in part else 1)
PY
