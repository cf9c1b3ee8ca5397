#!/usr/bin/env bash
# What one would guess: frames / stream.average_rate is how long a clip lasts.
# What happens: for a recording of uneven rate (screen, webcam) in Matroska, average_rate is what the encoder announced (30), while
# the eight frames of this file last 3.1 s by their stamps.
# Why it matters: a camera path that is played beside such a clip runs ten times too fast. Take the packets' stamps instead.
set -euo pipefail
place=$(mktemp -d); trap 'rm -rf "$place"' EXIT
python3 -m venv "$place/env"
"$place/env/bin/pip" install -q "av==17.1.0" "numpy>=2,<3"
"$place/env/bin/python" - "$place" <<'PY'
import sys
from fractions import Fraction

import av
import numpy as np

file = f"{sys.argv[1]}/screen.mkv"
with av.open(file, "w") as box:
    stream = box.add_stream("libx264", rate=30)
    stream.width, stream.height, stream.pix_fmt = 160, 120, "yuv420p"
    stream.time_base = stream.codec_context.time_base = Fraction(1, 1000)
    for i, at in enumerate([0, 33, 66, 99, 132, 1132, 2132, 3132]):
        frame = av.VideoFrame.from_ndarray(np.full((120, 160, 3), 30 * i, np.uint8), format="rgb24")
        frame.pts, frame.time_base = at, Fraction(1, 1000)
        box.mux(stream.encode(frame))
    box.mux(stream.encode())
with av.open(file) as box:
    stream = box.streams.video[0]
    rate = float(stream.average_rate)
    stamps = [float(frame.time) for frame in box.decode(stream)]
by_rate, by_stamps = len(stamps) / rate, stamps[-1] - stamps[0]
print(f"PyAV {av.__version__} | average_rate {rate:g} | frames / rate {by_rate:.2f} s | stamps {by_stamps:.2f} s")
sys.exit(0 if by_rate < 0.5 and by_stamps > 3 else 1)
PY
