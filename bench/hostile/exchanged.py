"""Seeds of exchanged files: splats in every format, moves with keys, cut lists."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from bench.hostile.seed_values import MakeSeed, Seed, camera_path, seed_of_file, zip_files

SPLATS = 40


def _splats(kind: str) -> MakeSeed:
    def make(folder: Path) -> Seed:
        from pipelines.splats import formats
        from pipelines.splats.splats import Splats

        rng = np.random.default_rng(3)
        shapes = ((SPLATS, 3), (SPLATS, 4), (SPLATS, 3), (SPLATS,), (SPLATS, 4, 3))
        splats = Splats(*(rng.normal(-1, 1, size=shape).astype(np.float32) for shape in shapes))
        name = formats.NAMES[kind]
        return Seed(formats.encode(splats, kind), lambda copy: formats.read(copy, name))

    return make


def _seed_keyed_move(folder: Path) -> Seed:
    from camera.editing.keys import Key, KeyedMove
    from camera.editing.saved import read, write
    from camera.formats.parsing import json_value

    path = camera_path()
    keys = tuple(Key(path.sliced(slice(i, i + 1)), float(i)) for i in range(len(path)))
    data = json.dumps(write(KeyedMove(keys, float(len(path))))).encode()
    return Seed(data, lambda copy: read(json_value(copy, "move.json")))


def _seed_training(folder: Path) -> Seed:
    """Clips, captions and a table for training DimensionX; another reader covers the content of the clips."""
    from pipelines.methods.dimensionx.training.data import find_clips
    from pipelines.methods.dimensionx.training.uploads import collect_clips, find_source

    table = 'file,caption\r\na.mp4,a street\r\nsub/b.mp4,"a room, seen from afar"\r\n'
    data = zip_files({"clips.csv": table.encode(), "a.mp4": b"a", "a.txt": b"a street", "sub/b.mp4": b"b"})

    def read(file: Path) -> object:
        with TemporaryDirectory(dir=folder) as root:
            return find_clips(find_source(collect_clips([file], "name", Path(root)) / "clips"))

    return seed_of_file(folder, "clips.zip", data, read)


def all_exchanged() -> dict[str, MakeSeed]:
    kinds = ("ply", "splat", "compressed.ply", "spz", "sog", "glb")
    splats: dict[str, Callable[[Path], Seed]] = {f"splats {kind}": _splats(kind) for kind in kinds}
    return splats | {"keyed move": _seed_keyed_move, "training clips": _seed_training}
