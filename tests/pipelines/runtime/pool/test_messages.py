"""Messages of a replica arrive unchanged, whatever they contain."""

import numpy as np
import pytest

from pipelines.runtime.pool.messages import pack, pack_event, unpack, unpack_event


@pytest.mark.parametrize(
    "event",
    [
        ("clip", b"PK\n\x00 of any bytes"),
        ("clip", b""),
        ("failed", "It broke:\nin two lines"),
        ("progress", {"phase": "Denoising", "step": 1, "steps": 2, "preview": None, "seconds_left": 0.1}),
        ("report", {"method": "gen3c", "phases": [{"name": "a", "seconds": 1.5}], "revisions": {}}),
    ],
)
def test_an_event_arrives(event):
    number, kind, value, payload = unpack(pack_event(7, event))
    assert number == 7 and unpack_event(kind, value, payload) == event


def test_an_early_frame_arrives_to_the_bit():
    frame = np.random.default_rng(0).integers(0, 255, (6, 10, 3), np.uint8)
    for sent in (frame, frame[::-1, ::2]):
        _, kind, value, payload = unpack(pack_event(1, ("progress", {"phase": "a", "preview": sent})))
        name, progress = unpack_event(kind, value, payload)
        assert name == "progress" and np.array_equal(progress["preview"], sent)


def test_a_job_of_any_bytes_arrives():
    assert unpack(pack(3, "shoot", {"name": "a\nb"}, b"\n\n")) == (3, "shoot", {"name": "a\nb"}, b"\n\n")
