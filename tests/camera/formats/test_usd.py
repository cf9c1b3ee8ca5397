"""Cameras of USD files: units, up axis, apertures and offsets, animation of parent prims, no external references."""

import sys

import numpy as np
import pytest

from camera.errors import InputError
from camera.formats import read
from camera.formats.account import Account
from camera.path import CameraPath, pinhole

Usd = pytest.importorskip("pxr.Usd")
LIKE = CameraPath(np.eye(4)[None], pinhole(160, 90, 55), 160, 90)


CLIPS = "(clips = { dictionary default = { asset[] assetPaths = [@/etc/other.usda@] } })"


def usda(head: str = "", camera: str = "", around: str = "", more: str = "") -> bytes:
    return f"""#usda 1.0
({head})
def Xform "crane"
{{
    {around}
    def Camera "shot"
    {{
        float focalLength = 18
        float horizontalAperture = 36
        float verticalAperture = 20.25
        {camera}
    }}
}}
{more}
""".encode()


def read_with_notes(data: bytes, name: str = "a.usda") -> tuple[CameraPath, str]:
    account = Account(name)
    return read(name, data, like=LIKE, account=account), account.text()


MOVED = 'double3 xformOp:translate.timeSamples = { 0: (0, 0, 0), 12: (100, 0, 0) }\nuniform token[] xformOpOrder = ["xformOp:translate"]'


def test_an_animated_crane_in_centimetres_moves_the_camera_in_metres():
    path, notes = read_with_notes(usda("timeCodesPerSecond = 12\nframesPerSecond = 24", around=MOVED))
    assert len(path) == 25 and path.fps == 24 and path.seconds == pytest.approx(25 / 24)
    np.testing.assert_allclose(path.centres[:, 0], np.linspace(0, 1, 25), atol=1e-12)
    assert "the centimetre, is taken" in notes
    assert path.intrinsics[0, 0, 0] == pytest.approx(80) and path.intrinsics[0, :2, 2].tolist() == [79.5, 44.5]
    np.testing.assert_allclose(path.world_from_camera[0, :3, :3], np.eye(3), atol=1e-12)


def test_z_up_becomes_y_up():
    place = 'double3 xformOp:translate = (1, 2, 3)\nuniform token[] xformOpOrder = ["xformOp:translate"]'
    path, notes = read_with_notes(usda('upAxis = "Z"\nmetersPerUnit = 1', around=place))
    # z-up (1, 2, 3) is 1 right, 3 up and 2 forward: up is -y and forward is z here
    np.testing.assert_allclose(path.centres[0], [1, -3, 2], atol=1e-12)
    assert "z axis" in notes and "stands still" in notes
    # it looked along -z, straight down; that is +y here
    np.testing.assert_allclose(path.world_from_camera[0, :3, 2], [0, 1, 0], atol=1e-12)


def test_aperture_offsets_move_the_principal_point_and_other_aspect_ratios_are_reported():
    path, _ = read_with_notes(
        usda("metersPerUnit = 1", "float horizontalApertureOffset = 9\nfloat verticalApertureOffset = 4.5")
    )
    assert path.intrinsics[0, :2, 2] == pytest.approx([79.5 - 40, 44.5 + 20])
    _, notes = read_with_notes(usda("metersPerUnit = 1", more='def Camera "other" {}').replace(b"20.25", b"36"))
    assert "width to height 1" in notes and "2 cameras" in notes


@pytest.mark.parametrize("field", ["float fStop = 2.8", "float2 clippingRange = (1, 9)", "float lookThrough = 1"])
def test_every_camera_attribute_is_used_or_named(field):
    _, notes = read_with_notes(usda("metersPerUnit = 1", field))
    assert field.split()[1] in notes


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (usda(camera='token projection = "orthographic"'), "parallel rays"),
        (usda(more='def "x" (references = @/etc/other.usda@) {}'), "The reference to other.usda"),
        (usda("subLayers = [@../b.usda@]"), "The reference to b.usda"),
        (usda(more=f'def "x" {CLIPS} {{}}'), "Value clips"),
        (usda(more=f'def "x"\n{{\nvariantSet "v" = {{\n"a" {CLIPS} {{\n}}\n}}\n}}'), "Value clips"),
        (b"#usda 1.0\n", "holds no camera"),
        (b"#usda 1.0\ndef {", "not a complete USD file"),
        (usda(camera="float focalLength = 0").replace(b"float focalLength = 18\n", b""), "above 0"),
    ],
)
def test_unsupported_usd_is_refused(data, words):
    with pytest.raises(InputError, match=words):
        read_with_notes(data)


def test_without_usd_core_the_error_names_the_package(monkeypatch):
    monkeypatch.setitem(sys.modules, "pxr.Usd", None)
    with pytest.raises(InputError, match="pip install usd-core"):
        read_with_notes(usda())


def test_binary_usd_is_read_too(tmp_path):
    (tmp_path / "a.usda").write_bytes(usda("metersPerUnit = 1", around=MOVED))
    Usd.Stage.Open(str(tmp_path / "a.usda")).Export(str(tmp_path / "a.usdc"))
    path, _ = read_with_notes((tmp_path / "a.usdc").read_bytes(), "blob")
    np.testing.assert_allclose(path.centres[-1], [100, 0, 0])
