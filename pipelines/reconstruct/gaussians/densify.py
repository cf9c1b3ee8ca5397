"""The Gaussians of a fit: their parameters with Adam, and adaptive density control (Kerbl et al. 2023, section 5)."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from pipelines.reconstruct.gaussians.adam import adam
from pipelines.splats.rasterizer import Gaussians, axes
from pipelines.splats.splats import Splats

RATES = {
    "means": 1.6e-4, "quaternions": 1e-3, "log_scales": 5e-3, "logit_opacities": 5e-2, "sh_constant": 2.5e-3,
    "sh_directed": 2.5e-3 / 20,
}  # fmt: skip
"""Learning rates of Adam, as in 3DGS. That of the means is in extents of the scene and decays to a hundredth at the end."""
LONG, MOST_HASTE = 7000, 8.0
"""Fits of fewer steps than LONG use larger learning rates, by the root of the ratio, at most MOST_HASTE times."""
STEEP = 2e-4
"""Mean gradient of the loss by the image position (in half sides of the picture) above which a Gaussian is cloned or split."""
SMALL, LARGE = 0.01, 0.1
"""As shares of the extent, or of the distance if larger: Gaussians up to SMALL are cloned, larger ones split; above LARGE they are pruned."""
FAINT = 0.005
RESET_OPACITY = 0.01
SHRINK = 1.6
"""A split Gaussian becomes two that are smaller by this factor."""


def step_factor(iterations: int) -> float:
    """Learning rates of a fit relative to those of 3DGS."""
    return min(max((LONG / iterations) ** 0.5, 1.0), MOST_HASTE)


class Densifier:
    """Parameters, their optimiser, and their gradient statistics since the last densification."""

    def __init__(
        self, splats: Splats, *, extent: float, middle: Tensor, generator: torch.Generator, haste: float = 1.0
    ) -> None:
        self.extent, self.middle, self.generator = extent, middle, generator
        device = middle.device
        start = Gaussians.of(splats, device)
        tensors = {**start._asdict(), "sh_constant": start.sh[:, :1], "sh_directed": start.sh[:, 1:]}
        self.parameters = {name: tensors[name].clone().requires_grad_() for name in RATES}
        rates = {name: rate * haste * (extent if name == "means" else 1) for name, rate in RATES.items()}
        self._rate_of_means = rates["means"]
        self.adam = adam(
            [{"params": [tensor], "lr": rates[name], "name": name} for name, tensor in self.parameters.items()], eps=1e-15
        )  # fmt: skip
        self._forget()

    def __len__(self) -> int:
        return len(self.parameters["means"])

    def gaussians(self, degree: int) -> Gaussians:
        """The Gaussians for rendering, with harmonics up to ``degree``."""
        p = self.parameters
        sh = torch.cat([p["sh_constant"], p["sh_directed"]], dim=1)[:, : (degree + 1) ** 2]
        return Gaussians(p["means"], p["quaternions"], p["log_scales"], p["logit_opacities"], sh)

    def splats(self) -> Splats:
        with torch.no_grad():
            return self.gaussians(round((self.parameters["sh_directed"].shape[1] + 1) ** 0.5) - 1).splats()

    def step(self, share: float) -> None:
        """One step of Adam; ``share``: completed share of the fit."""
        for group in self.adam.param_groups:
            if group["name"] == "means":
                group["lr"] = self._rate_of_means * 0.01**share
        self.adam.step()
        self.adam.zero_grad(set_to_none=True)

    @torch.no_grad()
    def observe(self, gradient: Tensor, visible: Tensor, width: int, height: int) -> None:
        """Accumulate the loss gradient (N,2) with respect to the image positions of the Gaussians that are ``visible`` (N,) in a picture."""
        self.gradients += (gradient * gradient.new_tensor([width / 2, height / 2])).norm(dim=1) * visible
        self.views += visible

    @torch.no_grad()
    def densify(self, room: int) -> None:
        """Clone and split the Gaussians with the largest gradients, adding at most ``room``."""
        pull = self.gradients / self.views.clamp(min=1)
        room = min(max(room, 0), len(self))
        chosen = pull > STEEP
        if int(chosen.sum()) > room:
            strongest = torch.topk(pull, room).indices
            chosen = torch.zeros_like(chosen).index_fill_(0, strongest, True)
        large = self._sizes() > SMALL
        clone, split = chosen & ~large, chosen & large
        added = {
            name: torch.cat([tensor[clone], self._halves(name, split)]) for name, tensor in self.parameters.items()
        }
        self._keep(~split, added)

    @torch.no_grad()
    def prune(self, *, large_too: bool) -> None:
        """Remove the faint Gaussians and, with ``large_too``, those that are too large."""
        drop = self.parameters["logit_opacities"].sigmoid() < FAINT
        if large_too:
            drop |= self._sizes() > LARGE
        if not drop.all():
            self._keep(~drop)

    @torch.no_grad()
    def reset_opacities(self) -> None:
        """Reset opacities to at most `RESET_OPACITY`: needed Gaussians recover, floaters do not."""
        opacity = self.parameters["logit_opacities"]
        opacity.clamp_(max=math.log(RESET_OPACITY / (1 - RESET_OPACITY)))
        for moments in self.adam.state[opacity].values():
            if moments.shape == opacity.shape:
                moments.zero_()

    def _sizes(self) -> Tensor:
        """(N,): the longest axis, as a share of the extent or of the distance from the cameras, whichever is larger."""
        distance = (self.parameters["means"] - self.middle).norm(dim=1)
        return self.parameters["log_scales"].amax(dim=1).exp() / distance.clamp(min=self.extent)

    def _halves(self, name: str, split: Tensor) -> Tensor:
        """Two smaller Gaussians per split one, at positions sampled from it, otherwise unchanged."""
        tensor = self.parameters[name][split]
        if name == "log_scales":
            tensor = tensor - math.log(SHRINK)
        twice = torch.cat([tensor, tensor])
        if name != "means":
            return twice
        spread = axes(self.parameters["quaternions"][split], self.parameters["log_scales"][split])
        drawn = torch.randn(2, len(tensor), 3, 1, generator=self.generator).to(tensor)
        return twice + (spread @ drawn).reshape(-1, 3)

    def _keep(self, keep: Tensor, added: dict[str, Tensor] | None = None) -> None:
        """Keep only the Gaussians of a mask, append others, and adapt the optimiser's state."""
        for group in self.adam.param_groups:
            old = group["params"][0]
            more = added[group["name"]] if added else old.detach()[:0]
            new = torch.cat([old.detach()[keep], more]).requires_grad_()
            state = self.adam.state.pop(old, {})
            for key in ("exp_avg", "exp_avg_sq"):
                if key in state:
                    state[key] = torch.cat([state[key][keep], torch.zeros_like(more)])
            self.adam.state[new] = state
            group["params"] = [new]
            self.parameters[group["name"]] = new
        self._forget()

    def _forget(self) -> None:
        self.gradients = torch.zeros(len(self), device=self.middle.device)
        self.views = torch.zeros(len(self), device=self.middle.device)
