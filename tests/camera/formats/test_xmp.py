"""RealityScan's XMP: axes and lens by hand, from Epic's own sample; files in name order; every field used or named."""

import io
import zipfile

import numpy as np
import pytest

from camera.errors import InputError
from camera.formats import read
from camera.formats.account import Account
from camera.path import CameraPath, pinhole

LIKE = CameraPath(np.eye(4)[None], pinhole(160, 90, 55), 160, 90)


def xmp(position="1 2 3", more="", rotation='xcr:Rotation="-1 0 0 0 0 -1 0 -1 0"') -> bytes:
    """As in Epic's sample: the rotation may be an attribute or an element, and the coefficients' name lacks a letter."""
    return f"""<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">
<rdf:Description xmlns:xcr="http://www.capturingreality.com/ns/xcr/1.1#" xcr:Version="3" {rotation} xcr:FocalLength35mm="18" {more}>
<xcr:Position>{position}</xcr:Position></rdf:Description></rdf:RDF></x:xmpmeta>""".encode()


def read_with_notes(data: bytes, name: str = "a.xmp") -> tuple[CameraPath, str]:
    account = Account(name)
    return read(name, data, like=LIKE, account=account), account.text()


@pytest.mark.parametrize("name", ["a.xmp", "a.xml", "blob"])
def test_a_camera_by_hand(name):
    path, notes = read_with_notes(xmp(), name)
    pose = path.world_from_camera[0]
    np.testing.assert_allclose(pose[:3, 3], [1, 2, 3])
    np.testing.assert_allclose(pose[:3, 2], [0, -1, 0], err_msg="it looks along -y, in a world with z up")
    np.testing.assert_allclose(pose[:3, 1], [0, 0, -1], err_msg="its picture's lower edge is below")
    assert path.intrinsics[0, 0, 0] == 80 and "160 x 90, the scene's" in notes


@pytest.mark.parametrize(
    ("more", "word"),
    [
        ('xcr:DistortionCoeficients="0.1 0 0 0 0 0"', "DistortionCoeficients"),
        ('xcr:Coordinates="relative"', "relative"),
        ('xcr:InMeshing="1"', "InMeshing"),
        ('xcr:Sparkle="1"', "Sparkle (xcr), which is not known"),
    ],
)
def test_other_fields_are_named(more, word):
    assert word in read_with_notes(xmp(more=more))[1]


def test_lens_fields_set_principal_point_and_aspect_ratio():
    k = read_with_notes(xmp(more='xcr:PrincipalPointU="0.1" xcr:PrincipalPointV="-0.05" xcr:AspectRatio="1.1"'))[
        0
    ].intrinsics[0]
    assert k[:2, 2] == pytest.approx([79.5 + 16, 44.5 - 8]) and k[1, 1] == pytest.approx(88)


def test_a_zip_is_read_in_name_order_and_counts_cameras_without_a_pose():
    box = io.BytesIO()
    with zipfile.ZipFile(box, "w") as archive:
        for number in (10, 9, 2):
            archive.writestr(f"x/{number}.xmp", xmp(position=f"{number} 0 0"))
        archive.writestr("x/11.xmp", xmp(rotation=""))
        archive.writestr("notes.md", "x")
    path, notes = read_with_notes(box.getvalue(), "a.zip")
    assert path.centres[:, 0].tolist() == [2, 9, 10]
    assert "1 of 4 cameras of a.zip is left out" in notes and "notes.md" in notes
    with pytest.raises(InputError, match="no camera with xcr:Rotation"):
        read_with_notes(xmp(rotation=""))
