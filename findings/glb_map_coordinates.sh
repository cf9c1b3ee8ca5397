#!/usr/bin/env bash
# A mesh in map coordinates loses its shape in a GLB, though every number in it is valid.
#
# One would guess: a sphere of one metre at UTM coordinates (500000, 4000000) comes back as a sphere from GLB.
# What happens: glTF's POSITION has 32 bits, whose steps at four million are 0.25 m, so the sphere becomes a heap of steps. The node's
#   translation, in JSON, has 64 bits and would have kept it.
# Why it matters: photogrammetry exports are often georeferenced. A writer should put the offset into the node; a reader should
#   subtract a middle in 64 bits before it makes 32-bit numbers.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m pip install --quiet --target "$folder" "trimesh==5.2.0" "numpy>=2,<3"
PYTHONPATH=$folder python3 - <<'PY'
import io, sys
import numpy as np, trimesh

sphere = trimesh.creation.icosphere(2, radius=1.0)
place = np.array([500_000, 4_000_000, 30.0])
far = sphere.copy()
far.apply_translation(place)


def back(scene):
    read = trimesh.load(io.BytesIO(scene.export(file_type="glb")), file_type="glb", force="mesh", process=False)
    return np.abs(np.asarray(read.vertices) - place - sphere.vertices).max()


in_node = trimesh.Scene()
in_node.add_geometry(sphere, transform=trimesh.transformations.translation_matrix(place))
baked, noded = back(trimesh.Scene(far)), back(in_node)
print("trimesh", trimesh.__version__, f"off by {baked:.3f} m with the place in the vertices, {noded:.1e} m with it in the node")
sys.exit(0 if baked > 0.05 and noded < 1e-5 else 1)
PY
