"""Our glTF splats, and those of splat-transform, as the PlayCanvas engine and Babylon.js read them.

These tests need node and ``npm install playcanvas @babylonjs/core @babylonjs/loaders`` in ``RESHOOT_NODE`` or in a folder above this one.
"""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import numpy as np
import pytest
from exchanged_splats import some
from test_splat_exchange import GOLDEN

from bench.exchange.splat_engines import ENGINES, EngineSplats, open_in_engine
from pipelines.splats.formats import encode, read
from pipelines.splats.splats import Splats

UPRIGHT = np.diag([1.0, -1, -1, 1])
"""From the axes of 3DGS to those of glTF."""
BYTE, SIGNED = 1 / 255, 1 / 127


def opened(engine: str, data: bytes) -> EngineSplats:
    """Skip without node or the engine."""
    roots = [Path(given) for given in [os.environ.get("RESHOOT_NODE")] if given] + list(Path(__file__).parents)
    found = next((root for root in roots if (root / "node_modules" / ENGINES[engine]).is_dir()), None)
    if shutil.which("node") is None or found is None:
        pytest.skip(f"node or {ENGINES[engine]} is not installed")
    return open_in_engine(engine, data, found / "node_modules")


def unit(quaternions: np.ndarray) -> np.ndarray:
    return quaternions / np.linalg.norm(quaternions, axis=1, keepdims=True)


def compare(theirs: EngineSplats, ours: Splats, engine: str, *, rotations: bool = True) -> None:
    exact = engine == "playcanvas"
    assert len(theirs.means) == len(ours)
    np.testing.assert_allclose(theirs.scales, ours.scales, rtol=1e-6)
    np.testing.assert_allclose(
        theirs.colours, np.clip(0.5 + 0.28209479 * ours.sh[:, 0], 0, 1), atol=1e-6 if exact else BYTE
    )
    np.testing.assert_allclose(theirs.opacities, ours.opacities, atol=1e-6 if exact else BYTE)
    if rotations:
        dots = np.abs((unit(theirs.quaternions) * unit(ours.quaternions)).sum(axis=1))
        assert dots.min() > (1 - 1e-6 if exact else 1 - SIGNED**2)
    expected = ours.sh[:, 1:]
    assert expected.shape[1] in (8, 15)
    np.testing.assert_allclose(
        theirs.harmonics[:, : expected.shape[1]], np.clip(expected, -1, 1), atol=1e-7 if exact else SIGNED
    )


@pytest.mark.parametrize("degree", [2, 3])
@pytest.mark.parametrize("engine", ENGINES)
def test_an_engine_reads_the_splats_that_we_wrote(engine, degree):
    ours = some(degree=degree)
    theirs = opened(engine, encode(ours, "glb")).sorted_like(ours.means)
    np.testing.assert_array_equal(theirs.world, UPRIGHT)
    np.testing.assert_array_equal(theirs.means.astype(np.float32), ours.means)
    compare(theirs, ours, engine)


@pytest.mark.parametrize("engine", ENGINES)
def test_we_read_the_file_of_another_tool_as_an_engine_does(engine):
    """splat-transform writes no node transform, so file and world coordinates are equal. Its quaternions are not normalised, and
    Babylon.js clips their components to -1..1 (see findings/gltf_splats_rotations_of_any_length.sh); ours are normalised."""
    data = (GOLDEN / "splat-transform.glb").read_bytes()
    ours, _ = read(data, "room.glb", up="y-down")
    theirs = opened(engine, data).sorted_like(ours.means)
    np.testing.assert_array_equal(theirs.world, np.eye(4))
    np.testing.assert_allclose(theirs.means, ours.means, atol=1e-6)
    compare(theirs, ours, engine, rotations=engine == "playcanvas")
