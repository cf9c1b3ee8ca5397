"""Two processes compute the branches of guidance side by side: the results equal those of one process, and little data is exchanged."""

import pytest
import torch

from pipelines.runtime.parallel.branches import run_each, run_rows
from pipelines.runtime.parallel.exchange import Group
from pipelines.runtime.parallel.split import split
from tests.pipelines.methods.test_context_parallel import ROUNDING, denoise, networks_of, randn
from tests.pipelines.runtime.parallel.processes import computed

METHODS = ("gen3c", "genxd", "dimensionx", "dualcamctrl")


def answers(name, networks):
    """Both branches of one step, a split call, and both branches again."""
    found = {f"{name} first": _branches(name, networks), f"{name} split": denoise(networks, f"{name}/even")[0]}
    return found | {f"{name} again": _branches(name, networks)}


def _branches(name, networks):
    if name == "genxd":
        sample, ids = randn(2, 4, 15, 16, 24), torch.rand(2, 4, 2, generator=torch.Generator().manual_seed(7))
        motion, kind = torch.tensor([0.0, 3.0]), torch.tensor([2, 2])
        unet = networks["unet"]
        return run_rows(unet, 2, lambda place: unet(
            sample[place], torch.tensor(1.0), added_time_ids=ids[place], indicator=kind[place], motion_ids=motion[place]
        ))  # fmt: skip
    if name == "dimensionx":
        network = networks["text_transformer"]
        angles = randn(3 * 3 * 3, network.config.attention_head_dim, seed=9)
        x, text = randn(2, 3, network.config.in_channels, 6, 6), randn(2, 23, network.config.text_embed_dim, seed=3)
        return run_rows(network, 2, lambda place: network(
            hidden_states=x[place], encoder_hidden_states=text[place], timestep=torch.tensor([500, 500])[place],
            image_rotary_emb=(angles.cos(), angles.sin()), return_dict=False,
        )[0])  # fmt: skip
    shown = lambda: denoise(networks, f"{name}/odd")[0]  # noqa: E731
    return torch.stack(run_each(networks["transformer"], [shown, lambda: 2 * shown()]))


def outputs(group: Group) -> dict[str, torch.Tensor]:
    found = {}
    for name in METHODS:
        networks = networks_of(name)
        with torch.no_grad(), split(networks, group):
            found |= {key: part.contiguous() for key, part in answers(name, networks).items()}
            sent = len(group.sent)
            branches = _branches(name, networks)
            if group.size > 1:
                assert len(group.sent) == sent + 1 and group.sent[-1] == branches.nbytes // 2
        with torch.no_grad():
            found[f"{name} after"] = _branches(name, networks)
    return found


@pytest.fixture(scope="module")
def told(tmp_path_factory):
    return outputs(Group(0, 1)), *computed(outputs, tmp_path_factory.mktemp("ranks"))


@pytest.mark.parametrize("when", ["first", "split", "again", "after"])
@pytest.mark.parametrize("name", METHODS)
def test_branches_side_by_side(told, name, when):
    alone, first, second = (each[f"{name} {when}"] for each in told)
    assert alone.std() > 1e-3 and torch.equal(first, second)
    assert (first - alone).abs().max().item() <= ROUNDING
