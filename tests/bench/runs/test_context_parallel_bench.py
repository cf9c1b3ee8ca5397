"""Bytes sent between the processes of one shot: from tensor shapes, and as counted on Gloo."""

import pytest
import torch

from bench.runs.context_parallel import FULL, SMALL, count_by_shapes, count_on_gloo, of_full_size


def test_bytes_from_shapes_equal_bytes_sent(tmp_path):
    counted = count_on_gloo(tmp_path)
    for name, make in SMALL.items():
        networks, call = make()
        with torch.no_grad(), count_by_shapes(networks, 2) as sent:
            call()
        assert sum(sent) == counted[name] > 10_000, name


@pytest.mark.parametrize("ranks", [2, 8])
def test_full_size_gen3c_traffic_follows_the_papers_formula(ranks):
    tokens, width, layers, two_bytes = 16 * 44 * 80, 4096, 28, 2
    attention = layers * 4 * (tokens // ranks) * width * (ranks - 1) // ranks * two_bytes
    gathered = (ranks - 1) * (tokens // ranks) * 64 * two_bytes
    assert of_full_size(FULL["GEN3C, 121 frames of 1280 x 704"], ranks) == attention + gathered
