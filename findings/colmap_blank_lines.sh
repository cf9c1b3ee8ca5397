#!/usr/bin/env bash
# COLMAP's text models lose cameras silently when blank lines are trimmed (pycolmap 4.2.1).
#
# One would guess: images.txt has two lines per image, the second lists 2D points and is empty in a model of cameras alone.
# An editor, a formatter or "\n".join(...) trims the last blank line, and everything before it is still complete; a reader
# takes the last camera with no points, or refuses the file.
# What happens: the last image is left out, without an error or a word. Where all blank lines are gone, every second line of
# cameras is read as points and one image of three remains, again without a word.
# Why it matters: camera paths are exchanged as such models. A path of 121 frames comes back with 120 (or 61) and errors per
# frame are computed over the wrong ones. Count the images that came back, or write a points line that is not empty.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
${PYTHON:-python3} -m venv "$work/venv"
"$work/venv/bin/python" -m pip install -q --disable-pip-version-check "pycolmap==4.2.1" "numpy<3"
"$work/venv/bin/python" - "$work" <<'PY'
import pathlib
import sys

import pycolmap

folder = pathlib.Path(sys.argv[1]) / "model"
folder.mkdir()
(folder / "cameras.txt").write_text("1 PINHOLE 64 48 50 50 32 24\n")
(folder / "points3D.txt").write_text("")
LINES = [f"{i} 1 0 0 0 0 0 {i} 1 frame{i}.png" for i in (1, 2, 3)]


def kept(images: str) -> int:
    (folder / "images.txt").write_text(images)
    return pycolmap.Reconstruction(str(folder)).num_images()


whole = kept("\n\n".join(LINES) + "\n\n")
trimmed = kept("\n\n".join(LINES) + "\n")
without = kept("\n".join(LINES) + "\n")
print(f"pycolmap {pycolmap.__version__}: {whole} images, {trimmed} with the last blank line trimmed, {without} without blank lines")
sys.exit((whole, trimmed, without) != (3, 2, 1))
PY
