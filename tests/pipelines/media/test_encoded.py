"""Encoded pictures: their kind, size and parts are checked before OpenCV decodes them."""

import struct

import cv2
import numpy as np
import pytest

from camera.errors import InputError
from pipelines.media import encoded
from pipelines.media.encoded import decode_picture
from pipelines.media.image import png

COLOUR = np.arange(20 * 24 * 3, dtype=np.uint8).reshape(20, 24, 3)
WRONG = "The picture cannot be read; save it as PNG."


def test_a_whole_picture_comes_back():
    np.testing.assert_array_equal(decode_picture(png(COLOUR), cv2.IMREAD_COLOR, WRONG)[..., ::-1], COLOUR)
    deep = np.linspace(0, 65535, 20 * 24).astype(np.uint16).reshape(20, 24)
    data = cv2.imencode(".png", deep)[1].tobytes()
    np.testing.assert_array_equal(decode_picture(data, cv2.IMREAD_UNCHANGED, WRONG), deep)
    assert decode_picture(cv2.imencode(".jpg", COLOUR)[1].tobytes(), cv2.IMREAD_COLOR, WRONG).shape == COLOUR.shape


def test_a_part_that_promises_more_than_the_file_holds_is_refused_before_it_is_decoded(monkeypatch):
    data = bytearray(png(COLOUR))
    struct.pack_into(">I", data, data.index(b"IDAT") - 4, 2**31)
    monkeypatch.setattr(cv2, "imdecode", lambda *given: pytest.fail("decoded"))
    for damaged in (bytes(data), png(COLOUR)[:-12], b"", b"words"):
        with pytest.raises(InputError, match=WRONG):
            decode_picture(damaged, cv2.IMREAD_COLOR, WRONG)


def test_a_large_picture_is_refused_before_it_is_decoded(monkeypatch):
    monkeypatch.setattr(encoded, "MAX_MEGAPIXELS", 20 * 23 / 1_000_000)
    monkeypatch.setattr(cv2, "imdecode", lambda *given: pytest.fail("decoded"))
    with pytest.raises(InputError, match="24 x 20 pixels; scale it down"):
        decode_picture(png(COLOUR), cv2.IMREAD_COLOR, WRONG)
