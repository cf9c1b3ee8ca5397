"""Adam (Kingma and Ba 2015): torch's on a GPU, on a CPU one compiled pass over each parameter."""

from __future__ import annotations

from typing import Any

import torch

DECAY = (0.9, 0.999)


def adam(groups: list[dict[str, Any]], *, eps: float = 1e-8) -> torch.optim.Optimizer:
    """An optimiser of ``groups``, as for `torch.optim.Adam`, with the same state names; compiled for float32 parameters on a CPU."""
    tensors = [each for group in groups for each in group["params"]]
    if all(each.device.type == "cpu" and each.dtype == torch.float32 for each in tensors):
        return _Compiled(groups, {"lr": 1e-3, "eps": eps})
    return torch.optim.Adam(groups, eps=eps, betas=DECAY)


class _Compiled(torch.optim.Optimizer):
    @torch.no_grad()
    def step(self, closure: None = None) -> None:  # type: ignore[override]
        from pipelines.reconstruct.gaussians.adam_kernel import advance

        for group in self.param_groups:
            for tensor in group["params"]:
                if tensor.grad is None:
                    continue
                state = self.state[tensor]
                if "exp_avg" not in state:
                    state |= {"exp_avg": torch.zeros_like(tensor), "exp_avg_sq": torch.zeros_like(tensor)}
                state["step"] = state.get("step", torch.zeros(())) + 1
                steps = int(state["step"])
                gradient = tensor.grad.contiguous()
                arrays = (
                    each.view(-1).numpy() for each in (tensor.detach(), gradient, state["exp_avg"], state["exp_avg_sq"])
                )
                rate = group["lr"] / (1 - DECAY[0] ** steps)
                advance(*arrays, *DECAY, rate, 1 / (1 - DECAY[1] ** steps), group["eps"])
