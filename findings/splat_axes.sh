#!/bin/sh
# One .ply of splats, converted by one tool, lies in three different axes: as it is, turned about z, or (by others) turned about x.
#
# What one would guess: SPZ and glTF say which way is up (y), so a converter from 3DGS's .ply (y down) turns by half a turn about x,
#   as Niantic's own SPZ library does.
# What happens: splat-transform 3.7.0 writes SPZ with the .ply's own numbers (y down), and glTF turned by half a turn about z: upright,
#   but left and right, front and back are exchanged against files that were turned about x.
# Why it matters: a reader cannot tell. A scene opens upside down, or a camera path that fits the .ply looks the other way in the .glb.
#   Say the reading and let it be chosen; compare in pictures, not in headers.
set -eu
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
cd "$place"
npm init -y >/dev/null
npm install --silent --no-save --ignore-scripts @playcanvas/splat-transform@3.7.0 >/dev/null 2>&1
python3 - <<'PYTHON'
import struct

names = ["x", "y", "z", "f_dc_0", "f_dc_1", "f_dc_2", "opacity", "scale_0", "scale_1", "scale_2", "rot_0", "rot_1", "rot_2", "rot_3"]
header = "\n".join(["ply", "format binary_little_endian 1.0", "element vertex 1", *(f"property float {n}" for n in names), "end_header", ""])
open("a.ply", "wb").write(header.encode() + struct.pack("<14f", 1, 2, 3, 0, 0, 0, 0, -3, -3, -3, 1, 0, 0, 0))
PYTHON
tool="node node_modules/@playcanvas/splat-transform/bin/cli.mjs -q"
$tool --spz-version 3 a.ply a.spz
$tool a.ply a.glb
python3 - <<'PYTHON'
import gzip, json, struct

raw = gzip.decompress(open("a.spz", "rb").read())
spz = [int.from_bytes(raw[16 + 3 * i : 19 + 3 * i], "little", signed=True) / (1 << raw[13]) for i in range(3)]
data = open("a.glb", "rb").read()
length = struct.unpack_from("<I", data, 12)[0]
about = json.loads(data[20 : 20 + length])
glb = list(struct.unpack_from("<3f", data, 28 + length + about["bufferViews"][0]["byteOffset"]))
print(".ply (1, 2, 3); .spz", spz, "; .glb", glb, "node", about["nodes"][0])
raise SystemExit(0 if spz == [1, 2, 3] and glb == [-1, -2, 3] else "It writes other axes now: this finding is out of date.")
PYTHON
