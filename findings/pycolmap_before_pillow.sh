#!/usr/bin/env bash
# A process that imports pycolmap before Pillow is killed when Pillow saves a PNG (pycolmap 4.2.1, Pillow 12.3.0, Linux).
#
# One would guess: two wheels that each bring their own libraries do not meet, and the order of imports does not matter.
# What happens: pycolmap's wheel shows other modules the zlib it was linked with, which is of another build than Pillow's.
# Where it is loaded first, Image.save("a.png") frees memory that was laid out by the other one: "double free or
# corruption" or "free(): invalid pointer", and the process ends. With Pillow first, the same lines work.
# Why it matters: a script that reads a model and then saves the pictures of its cameras dies without a Python error, a
# server with all its visitors. Import PIL.Image (or what imports it) before pycolmap, or write the model in a process of
# its own.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
${PYTHON:-python3} -m venv "$work/venv"
"$work/venv/bin/python" -m pip install -q --disable-pip-version-check "pycolmap==4.2.1" "pillow==12.3.0" "numpy<3"
saves='import io; [Image.new("RGB", (160, 120)).save(io.BytesIO(), "PNG") for _ in range(3)]; print("saved")'
"$work/venv/bin/python" -c "from PIL import Image; import pycolmap; $saves"
if timeout 60 "$work/venv/bin/python" -c "import pycolmap; from PIL import Image; $saves" 2>"$work/said"; then
    echo "pycolmap first: it works too"
    exit 1
fi
echo "pycolmap first: $(head -1 "$work/said")"
