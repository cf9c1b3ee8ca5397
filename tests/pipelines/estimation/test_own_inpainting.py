"""A user's own ONNX inpainting model. The models here are tiny and created on the fly: they paint a single colour."""

import sys

import numpy as np
import pytest
from PIL import Image

from camera.errors import InputError
from pipelines.__main__ import main
from pipelines.estimation.inpainting import inpainter_of, own_inpainter
from pipelines.media.video import read_video

onnx = pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")
TEAL = (0.0, 0.5, 0.5)


def tiny_model(folder, *, size=("h", "w"), levels=1.0, channels=(3, 1), last="painted"):
    """``image * (1 - mask) + teal * mask``, times ``levels``: the smallest possible inpainting model."""
    from onnx import TensorProto, helper, numpy_helper

    def array(name, values):
        return numpy_helper.from_array(np.array(values, np.float32), name)

    nodes = [
        helper.make_node("Sub", ["one", "mask"], ["outside"]),
        helper.make_node("Mul", ["image", "outside"], ["kept"]),
        helper.make_node("Mul", ["teal", "mask"], ["new"]),
        helper.make_node("Add", ["kept", "new"], ["both"]),
        helper.make_node("Mul", ["both", "levels"], ["painted"]),
        helper.make_node("ReduceMean", ["painted"], ["mean"], keepdims=0),
    ]
    inputs = [
        helper.make_tensor_value_info(name, TensorProto.FLOAT, [1, count, *size])
        for name, count in zip(("image", "mask"), channels)
    ]
    output = helper.make_tensor_value_info(last, TensorProto.FLOAT, None)
    constants = [array("one", 1.0), array("teal", np.reshape(TEAL, (1, 3, 1, 1))), array("levels", levels)]
    graph = helper.make_graph(nodes, "tiny", inputs, [output], constants)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
    onnx.save(model, folder / "tiny.onnx")
    return folder / "tiny.onnx"


@pytest.fixture
def picture():
    colour = np.random.default_rng(0).integers(60, 200, (27, 40, 3), dtype=np.uint8)
    holes = np.zeros((27, 40), bool)
    holes[8:20, 10:30] = True
    return colour, holes


@pytest.mark.parametrize(("size", "levels"), [(("h", "w"), 1.0), (("h", "w"), 255.0), ((64, 48), 255.0)])
def test_a_model_paints_whatever_its_size_and_range(tmp_path, picture, size, levels):
    colour, holes = picture
    made = inpainter_of(tiny_model(tmp_path, size=size, levels=levels))(colour, holes)
    inner = np.s_[11:17, 13:27]
    assert made.shape == colour.shape and made.dtype == np.uint8
    assert np.abs(made[inner].astype(int) - [0, 128, 128]).max() <= 1


def test_the_page_takes_the_one_it_was_started_with(tmp_path, monkeypatch, picture):
    monkeypatch.setenv("RESHOOT_INPAINT", str(tiny_model(tmp_path)))
    made = own_inpainter()
    assert made is not None and made(*picture)[14, 20].tolist() == [0, 128, 128]
    monkeypatch.delenv("RESHOOT_INPAINT")
    assert own_inpainter() is None


def test_the_command_paints_with_it_and_says_so(tmp_path, capsys, picture):
    Image.fromarray(picture[0]).resize((96, 64)).save(tmp_path / "p.png")
    depth = np.full((64, 96), 6.0, np.float32)
    depth[16:48, 32:64] = 2.0  # something near hides a part of the wall
    np.save(tmp_path / "d.npy", depth)
    arguments = ["preview", "dualcamctrl", "--image", str(tmp_path / "p.png"), "--depth", str(tmp_path / "d.npy")]
    arguments += [
        "--frames",
        "5",
        "--width",
        "96",
        "--height",
        "64",
        "--preset",
        "right",
        "--inpaint",
        str(tiny_model(tmp_path)),
    ]
    assert main([*arguments, "--out", str(tmp_path / "p.mp4")]) == 1
    assert "--inpaint works only with --holes completed" in capsys.readouterr().err
    assert main([*arguments, "--holes", "completed", "--out", str(tmp_path / "p.mp4")]) == 0
    assert "invented once for all frames, by your model." in capsys.readouterr().out
    last = read_video(tmp_path / "p.mp4")[0][-1].astype(int)
    assert (np.abs(last - [0, 128, 128]).max(axis=2) < 30).mean() > 0.02


def test_what_is_no_such_model_is_said(tmp_path, picture, monkeypatch):
    (tmp_path / "words.onnx").write_text("no model")
    with pytest.raises(InputError, match=r"words\.onnx must be an ONNX model that onnxruntime can open"):
        inpainter_of(tmp_path / "words.onnx")
    with pytest.raises(InputError, match=r"must take a picture \(1,3,H,W\) and holes.*mask \[1, 3, 'h', 'w'\]"):
        inpainter_of(tiny_model(tmp_path, channels=(3, 3)))
    with pytest.raises(InputError, match="must return a picture of 1x3x32x40 finite numbers; it returned"):
        inpainter_of(tiny_model(tmp_path, last="mean"))(*picture)
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    with pytest.raises(InputError, match="pip install onnxruntime"):
        inpainter_of(tmp_path / "words.onnx")
