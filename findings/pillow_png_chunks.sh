#!/usr/bin/env bash
# What one would guess: PngInfo.add(name, data) puts that chunk into the PNG, or says why not.
# What happens: public chunks that Pillow does not list itself (pHYs, sCAL, pCAL, mDCV, cLLI) are left out without a word; private
# ones, gAMA and cHRM are written.
# Why it matters: a test that adds such a chunk this way tests a file without it. Put the chunk into the bytes oneself, with its CRC.
set -euo pipefail
place=$(mktemp -d); trap 'rm -rf "$place"' EXIT
python3 -m venv "$place/env"
"$place/env/bin/pip" install -q "pillow==12.3.0"
"$place/env/bin/python" - <<'PY'
import io
import warnings

from PIL import Image
from PIL.PngImagePlugin import PngInfo

warnings.simplefilter("error")
kept, lost = [], []
for name in (b"gAMA", b"cHRM", b"vpAg", b"pHYs", b"sCAL", b"pCAL", b"mDCV", b"cLLI"):
    info, box = PngInfo(), io.BytesIO()
    info.add(name, bytes(8))
    Image.new("L", (4, 4)).save(box, "PNG", pnginfo=info)
    (kept if name in box.getvalue() else lost).append(name.decode())
print("written:", *kept, "| left out without a word:", *lost)
assert lost == ["pHYs", "sCAL", "pCAL", "mDCV", "cLLI"], lost
PY
