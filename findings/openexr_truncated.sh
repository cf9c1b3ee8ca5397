#!/usr/bin/env bash
# What one would guess: OpenEXR's Python reader raises an error for a file that breaks off in the middle.
# What happens: OpenEXR.File(...) returns normally; the part that could not be read is missing from its channels, and only a
# line on standard output says so.
# Why it matters: a depth map cut off by a full disk or a broken download looks like a file without depth, so that a reader which
# falls back to another channel takes colours for metres. Compare with the header (header_only=True), which still lists them.
set -euo pipefail
place=$(mktemp -d); trap 'rm -rf "$place"' EXIT
python3 -m venv "$place/env"
"$place/env/bin/pip" install -q "OpenEXR==3.5.2" "numpy>=2,<3"
"$place/env/bin/python" - "$place" <<'PY'
import sys
from importlib.metadata import version
from pathlib import Path

import numpy as np
import OpenEXR

file = Path(sys.argv[1], "depth.exr")
noise = np.random.default_rng(0).random((64, 64)).astype(np.float32)
OpenEXR.File({"compression": OpenEXR.ZIP_COMPRESSION, "type": OpenEXR.scanlineimage}, {"Z": noise}).write(str(file))
whole = file.read_bytes()
file.write_bytes(whole[: len(whole) // 2])
listed = [each.name for each in OpenEXR.File(str(file), header_only=True).parts[0].header["channels"]]
try:
    parts = OpenEXR.File(str(file), separate_channels=True).parts
except Exception as error:
    print("OpenEXR", version("OpenEXR"), "raises now:", error)
    sys.exit(1)
read = [name for part in parts for name in part.channels]
print("OpenEXR", version("OpenEXR"), "| header lists", listed, "| read without an error:", read)
sys.exit(0 if listed == ["Z"] and read == [] else 1)
PY
