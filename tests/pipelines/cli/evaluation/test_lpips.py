"""LPIPS with random weights, labelled as such: values by hand, agreement with the package lpips, and refused inputs."""

import numpy as np
import pytest
import torch

from camera.errors import InputError
from pipelines.cli.evaluation.lpips import ALEXNET, VGG16, Lpips, Stack, lpips_of, read_lpips

SIZES = {
    "alex": ((0, 64, 3, 11), (3, 192, 64, 5), (6, 384, 192, 3), (8, 256, 384, 3), (10, 256, 256, 3)),
    "vgg": tuple(
        (number, out, into, 3)
        for (number, _, _), out, into in zip(
            VGG16.convolutions,
            (64, 64, 128, 128, 256, 256, 256, 512, 512, 512, 512, 512, 512),
            (3, 64, 64, 128, 128, 256, 256, 256, 512, 512, 512, 512, 512),
        )
    ),
}
PRINTED = {"alex": 0.5283241, "vgg": 0.6962206}
"""What lpips 0.1.4 (with torchvision 0.28.0) printed for `seeded` weights and `pictures`."""


def seeded(network: str) -> dict[str, torch.Tensor]:
    """RANDOM weights of full size: a single row of random numbers, repeated to save time."""
    random, state = np.random.RandomState(7), {}
    row = random.standard_normal(9973).astype(np.float32)

    def draw(*shape: int, scale: float) -> torch.Tensor:
        return torch.from_numpy(scale * np.resize(np.roll(row, random.randint(9973)), shape))

    for number, out, into, side in SIZES[network]:
        state[f"features.{number}.weight"] = draw(out, into, side, side, scale=(2 / (into * side * side)) ** 0.5)
        state[f"features.{number}.bias"] = draw(out, scale=0.1)
    compared = (ALEXNET if network == "alex" else VGG16).compared
    widths = [out for number, out, _, _ in SIZES[network] if number in compared]
    return state | {f"lin{i}.model.1.weight": draw(1, width, 1, 1, scale=1).abs() for i, width in enumerate(widths)}


def pictures() -> tuple[np.ndarray, np.ndarray]:
    random = np.random.RandomState(3)
    first, second = (random.randint(0, 256, (64, 80, 3)).astype(np.uint8) for _ in range(2))
    return first, (0.6 * first + 0.4 * second).astype(np.uint8)


@pytest.mark.parametrize("network", ["alex", "vgg"])
def test_random_weights_give_what_the_package_prints(network):
    found = lpips_of(seeded(network))
    assert found.distance(*pictures()) == pytest.approx(PRINTED[network], rel=2e-6)
    assert found.distance(pictures()[0], pictures()[0]) == 0


def test_the_formula_by_hand():
    """One layer that passes red and green through unchanged."""
    weight = torch.zeros(2, 3, 1, 1)
    weight[0, 0], weight[1, 1] = 1.0, 1.0
    one = Lpips("RANDOM", Stack(((0, 1, 0),), (), (0,)), {0: (weight, torch.zeros(2))}, (torch.tensor([2.0, 3.0]),))
    red, green = np.zeros((40, 40, 3), np.uint8), np.zeros((40, 40, 3), np.uint8)
    red[..., 0], green[..., 1] = 255, 255
    # black is below the mean, so the rectified features of red are (1, 0) and those of green (0, 1): 2 (1 - 0)^2 + 3 (0 - 1)^2
    assert one.distance(red, green) == pytest.approx(5, rel=1e-6)
    red[:20] = green[:20]
    assert one.distance(red, green) == pytest.approx(2.5, rel=1e-6)


def test_weights_are_read_from_a_folder_and_what_is_missing_is_said(tmp_path):
    state = seeded("alex")
    with pytest.raises(InputError, match="no LPIPS weights"):
        read_lpips(tmp_path)
    torch.save({key: value for key, value in state.items() if key.startswith("features")}, tmp_path / "alexnet.pth")
    with pytest.raises(InputError, match="no heads for AlexNet"):
        read_lpips(tmp_path)
    torch.save({key: value for key, value in state.items() if key.startswith("lin")}, tmp_path / "alex.pth")
    assert read_lpips(tmp_path).network == "AlexNet"
    with pytest.raises(InputError, match="no AlexNet or VGG-16"):
        read_lpips(tmp_path / "alex.pth")
    with pytest.raises(InputError, match="31 pixels"):
        read_lpips(tmp_path).distance(np.zeros((20, 40, 3), np.uint8), np.zeros((20, 40, 3), np.uint8))
    del state["features.8.bias"]
    with pytest.raises(InputError, match="lacks bias of layer 8"):
        lpips_of(state)
