"""The user's own keyframes, and the zips that contain them."""

import numpy as np
import pytest

from camera.errors import InputError
from pipelines.methods.i2v3d.keyframes.files import PaintedKeyframes


def test_a_keyframe_is_left_out_where_the_video_can_run_past_it():
    painted = PaintedKeyframes(
        (0, 20, 40, 60), np.zeros((4, 8, 8, 3), np.uint8) + np.arange(4, dtype=np.uint8)[:, None, None, None]
    )
    fewer = painted.without(20)
    assert fewer.indices == (0, 40, 60) and fewer.pictures[:, 0, 0, 0].tolist() == [0, 2, 3]
    with pytest.raises(InputError, match="61 frames apart"):
        fewer.without(40)
    with pytest.raises(InputError, match="needs the first and the last keyframe"):
        painted.without(0)
    with pytest.raises(InputError, match="no keyframe at frame 7"):
        painted.without(7)
