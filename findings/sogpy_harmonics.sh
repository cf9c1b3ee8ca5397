#!/bin/sh
# sogpy 1.0.2 exchanges colours and coefficients of the spherical harmonics in the SOG files that it writes.
#
# What one would guess: the package that converts 3DGS .ply files to PlayCanvas' SOG keeps the harmonics, as its list of features says.
# What happens: a .ply holds them channel by channel (all of red, then green, then blue), a SOG picture holds one pixel of red, green and
#   blue for each coefficient. sogpy writes three neighbours of the .ply's order into one pixel: the first pixel gets red's first three
#   coefficients as its red, green and blue.
# Why it matters: colours are right from the front and drift as the camera moves, which looks like a bad fit. Without harmonics the
#   file is right.
set -eu
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
python3 -m pip install -q --disable-pip-version-check --target "$place" sogpy==1.0.2 "numpy>=2,<3" scipy pillow 2>/dev/null
cd "$place"
PYTHONPATH="$place" python3 - <<'PYTHON'
import contextlib, io, json, zipfile
import numpy as np
from PIL import Image
from SogPython import convert_ply_to_sog

names = ["x", "y", "z", "f_dc_0", "f_dc_1", "f_dc_2", *(f"f_rest_{i}" for i in range(9)), "opacity",
         "scale_0", "scale_1", "scale_2", "rot_0", "rot_1", "rot_2", "rot_3"]
count = 2000
rows = np.zeros((count, len(names)), "<f4")
rows[:, :3] = np.random.default_rng(0).normal(size=(count, 3))
rows[:, names.index("rot_0")] = 1
for channel, value in enumerate((0.1, 0.2, 0.3)):  # every coefficient of red 0.1, of green 0.2, of blue 0.3
    rows[:, 6 + 3 * channel : 9 + 3 * channel] = value + np.random.default_rng(1).normal(0, 1e-3, (count, 3))
header = "\n".join(["ply", "format binary_little_endian 1.0", f"element vertex {count}",
                    *(f"property float {name}" for name in names), "end_header", ""])
open("a.ply", "wb").write(header.encode() + rows.tobytes())
with contextlib.redirect_stdout(io.StringIO()):
    convert_ply_to_sog("a.ply", "a.sog")
archive = zipfile.ZipFile("a.sog")
book = np.array(json.loads(archive.read("meta.json"))["shN"]["codebook"])
pixels = np.array(Image.open(io.BytesIO(archive.read("shN_centroids.webp"))).convert("RGBA"))
first = book[pixels[0, :3, :3]].round(1)
print("written: red 0.1, green 0.2, blue 0.3 in each of three coefficients; the file holds, coefficient by coefficient:")
print(first)
raise SystemExit(0 if np.allclose(first, [[0.1] * 3, [0.2] * 3, [0.3] * 3]) else "It keeps them now: this finding is out of date.")
PYTHON
