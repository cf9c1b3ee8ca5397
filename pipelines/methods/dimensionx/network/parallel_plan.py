"""How CogVideoX's tokens are split between GPUs; diffusers contains no plan for it."""

from __future__ import annotations

from typing import Any, cast

from diffusers.models._modeling_parallel import ContextParallelInput, ContextParallelOutput
from diffusers.models.transformers.cogvideox_transformer_3d import CogVideoXTransformer3DModel
from torch import Tensor

from pipelines.runtime.parallel.attention import CogVideoXAttention
from pipelines.runtime.parallel.plans import TokenPlan

MODULES: dict[str, Any] = {
    "": {"image_rotary_emb": [ContextParallelInput(0, 2), ContextParallelInput(0, 2)]},
    "transformer_blocks.0": {
        "hidden_states": ContextParallelInput(1, 3),
        "encoder_hidden_states": ContextParallelInput(1, 3),
    },
    "proj_out": ContextParallelOutput(1, 3),
}
"""Every process has a share of the text and a share of the video; attention uses all of both."""


def make_splittable(transformer: CogVideoXTransformer3DModel) -> None:
    """Give ``transformer`` attention processors that support context parallelism, and its plan."""
    config: Any = transformer.config
    transformer.set_attn_processor(cast(Any, CogVideoXAttention()))
    area = config.patch_size**2

    def lengths(hidden_states: Tensor, encoder_hidden_states: Tensor, **_: Any) -> tuple[int, int]:
        frames = -(-hidden_states.shape[1] // (config.patch_size_t or 1))
        return frames * (hidden_states[0, 0, 0].numel() // area), encoder_hidden_states.shape[1]

    transformer.parallel_plan = TokenPlan(MODULES, lengths, config.num_attention_heads)  # type: ignore[assignment]
