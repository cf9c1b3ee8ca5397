"""Splits the denoisers of a pipeline between the processes of a group for one run."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from typing import Any

from diffusers.hooks.context_parallel import remove_context_parallel
from diffusers.models._modeling_parallel import ContextParallelConfig, ContextParallelOutput
from diffusers.models.autoencoders.vae import AutoencoderMixin
from torch import Tensor, nn

from camera.errors import InputError
from pipelines.runtime.parallel.attention import SplitAttention
from pipelines.runtime.parallel.branches import side_by_side
from pipelines.runtime.parallel.exchange import Group, gather_shares
from pipelines.runtime.parallel.frames import split_frames
from pipelines.runtime.parallel.plans import FramePlan, Plan, TokenPlan
from pipelines.runtime.parallel.rows import split_rows

BRANCHES = 2
"""Branches of guidance, with and without the condition; two GPUs compute them side by side."""


def plan_of(network: nn.Module) -> Plan | None:
    """How ``network`` is split; None if every process computes all of it."""
    return getattr(network, "parallel_plan", None)


@contextmanager
def split(networks: dict[str, nn.Module], group: Group) -> Iterator[None]:
    """A context in which every network with a plan computes this process's share, and decoders compute their share of the rows;
    other networks compute everything in every process.

    Raises `InputError` where no network can be split.
    """
    plans = {name: plan for name, network in networks.items() if (plan := plan_of(network)) is not None}
    if group.size > 1 and not plans:
        raise InputError("This method's networks cannot be split over several GPUs; use one.")
    with ExitStack() as undo:
        for network in networks.values() if group.size > 1 else ():
            if isinstance(network, AutoencoderMixin):
                undo.enter_context(split_rows(network, group))
        for name, plan in plans.items() if group.size > 1 else ():
            enter = partial(split_frames if isinstance(plan, FramePlan) else split_tokens, networks[name], plan, group)
            apart = plan.branches and group.size == BRANCHES
            undo.enter_context(side_by_side(networks[name], enter, group) if apart else enter())
        yield


@contextmanager
def split_tokens(network: Any, plan: TokenPlan, group: Group) -> Iterator[None]:
    """A context in which a transformer's sequence is split: by Ulysses (all heads of some tokens become some heads of all tokens), or,
    if the heads do not divide evenly, by gathering keys and values. Raises `InputError` for a kernel that cannot be split."""
    ring = not ulysses_fits(plan.heads, group.size)
    degrees: dict[str, Any] = (
        {"ring_degree": group.size, "ring_anything": True}
        if ring
        else {"ulysses_degree": group.size, "ulysses_anything": True}
    )
    config: Any = ContextParallelConfig(**degrees)
    splits = {name: part for name, part in plan.modules.items() if not isinstance(part, ContextParallelOutput)}
    try:
        network.enable_parallelism(config=config, cp_plan=splits)
    except ValueError as error:
        network._parallel_config = None
        raise InputError("This attention kernel does not run on several GPUs; choose Attention default.") from error
    processors = [module.processor for module in network.modules() if hasattr(module, "processor")]
    for processor in processors if ring else ():
        if isinstance(processor, SplitAttention):
            processor.gathered = lambda tokens, sequence: gather_shares(tokens, 1, config.lengths[sequence], group)
    handles = [network.register_forward_pre_hook(_lengths_of_call(plan, config, group), with_kwargs=True)]
    for name, part in plan.modules.items():
        if isinstance(part, ContextParallelOutput):
            handles.append(network.get_submodule(name).register_forward_hook(_gather(part.gather_dim, config, group)))
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()
        remove_context_parallel(network, splits)
        network._parallel_config = None
        for processor in processors:
            if hasattr(processor, "_parallel_config"):
                processor._parallel_config = None
            vars(processor).pop("gathered", None)


def _lengths_of_call(plan: TokenPlan, config: Any, group: Group) -> Any:
    def note(module: nn.Module, args: tuple, kwargs: dict[str, Any]) -> None:
        """Note the lengths, unless the sequences divide evenly: those need no exchange of lengths."""
        config.lengths = plan.lengths(*args, **kwargs)
        if config.ulysses_degree > 1:
            config.ulysses_anything = any(n % group.size for n in config.lengths)

    return note


def _gather(dim: int, config: Any, group: Group) -> Any:
    """Replaces diffusers' gathering, which needs a backend that gathers shares of different lengths; Gloo does not."""

    def whole(module: nn.Module, args: tuple, output: Tensor) -> Tensor:
        return gather_shares(output, dim, config.lengths[0], group)

    return whole


def ulysses_fits(heads: int, ranks: int) -> bool:
    """Whether every process gets the same number of heads."""
    return heads % ranks == 0
