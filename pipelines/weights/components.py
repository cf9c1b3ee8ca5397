"""Networks from diffusers and transformers, loaded in the same way for real, tiny and random weights."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from pipelines.method import Checkpoint
from pipelines.weights.checkpoints import build_random, from_folder
from pipelines.weights.hub import Weights, folder_of


def component(
    weights: Weights,
    kind: Any,
    checkpoint: Checkpoint,
    *,
    tiny: Mapping[str, Any],
    full: Mapping[str, Any],
    subfolder: str = "",
    dropped: Sequence[str] = (),
    **options: Any,
) -> Any:
    """A network of class ``kind``, loaded once and shared by all methods that use it.

    Real weights come from ``checkpoint``/``subfolder`` and must fit exactly, except for ``dropped`` (see `from_folder`, which
    also receives ``options``); otherwise the network has the configuration ``tiny`` or ``full`` and random values.
    """

    def load() -> Any:
        if weights.mode == "real":
            folder = folder_of(weights.files(checkpoint))
            return from_folder(
                kind,
                folder,
                subfolder=subfolder,
                dtype=weights.dtype,
                source=checkpoint.repo,
                dropped=dropped,
                **options,
            )
        return build_random(kind, tiny if weights.mode == "tiny" else full, seed=weights.seed, dtype=weights.dtype)

    return weights.shared((kind.__name__, f"{checkpoint.repo}@{checkpoint.revision}", subfolder), load)


def byte_tokenizer(vocabulary: int, *, max_length: int = 512, pad: str = "<pad>", end: str = "</s>") -> Any:
    """A real fast tokenizer that needs no files: one token per byte (at most ``vocabulary``, at least 300 ids).

    For tiny and random weights, whose text encoders have no vocabulary.
    """
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors
    from transformers import PreTrainedTokenizerFast

    if vocabulary < 300:
        raise ValueError(f"bytes and special tokens need 300 numbers, the text encoder has {vocabulary}")
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    numbers = {token: number for number, token in enumerate([pad, end, *alphabet])}
    tokenizer = Tokenizer(models.BPE(vocab=numbers, merges=[]))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.post_processor = processors.TemplateProcessing(single=f"$A {end}", special_tokens=[(end, numbers[end])])
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, pad_token=pad, eos_token=end, model_max_length=max_length, padding_side="right"
    )
