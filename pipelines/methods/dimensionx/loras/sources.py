"""Sources of a director's LoRA: repositories on the Hub, the user's own file, or random numbers (tiny and random weights)."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import huggingface_hub as hub
import torch
from diffusers.models.transformers.cogvideox_transformer_3d import CogVideoXTransformer3DModel
from huggingface_hub.errors import LocalEntryNotFoundError

from camera.errors import InputError, describe_unreachable
from camera.trajectories.dimensionx import DIRECTORS
from pipelines.method import Checkpoint
from pipelines.methods.dimensionx.loras.directors import REPOSITORY, find_file
from pipelines.methods.dimensionx.loras.layouts import TARGETS, LoraFile, cast, read_lora
from pipelines.methods.dimensionx.method import checkpoint
from pipelines.weights.hub import Weights

TINY_RANK, RANK = 4, 256


def read_director(weights: Weights, id: str, transformer: CogVideoXTransformer3DModel) -> LoraFile:
    """The LoRA of a director by its id, or of the user's own file by its path, in the compute dtype."""
    if id not in DIRECTORS:
        return cast(read_lora(id, layers_may_differ=True), weights.dtype)
    if weights.mode != "real":
        return untrained_lora(transformer, id, TINY_RANK if weights.mode == "tiny" else RANK, weights)
    repository = checkpoint(REPOSITORY[id])
    file = find_file(id, repository_files(weights, repository)).file
    return cast(read_lora(weights.files(replace(repository, files=(file,)))[file]), weights.dtype)


def repository_files(weights: Weights, repository: Checkpoint) -> list[str]:
    """Names of a repository's files: from the local folder, the Hub, or the cache."""
    local = weights.folder / repository.repo if weights.folder else None
    if local and local.is_dir():
        return _names(local)
    try:
        return hub.HfApi().list_repo_files(repository.repo, revision=repository.revision)
    except Exception as error:  # after any error of the hub, try the cache
        try:
            cached = hub.snapshot_download(repository.repo, revision=repository.revision, local_files_only=True)
        except (LocalEntryNotFoundError, OSError, ValueError):
            raise InputError(
                f"The files of {repository.repo} could not be listed ({describe_unreachable(error)}) and are not in the cache; check "
                "the network and start again, or give the director's LoRA as a file."
            ) from error
        return _names(Path(cached))


def untrained_lora(transformer: CogVideoXTransformer3DModel, name: str, rank: int, weights: Weights) -> LoraFile:
    """Random numbers in the shape of a director, deterministic for a name and seed, and strong enough to have an effect."""
    generator = torch.Generator().manual_seed(weights.seed + sum(map(ord, name)))
    tensors = {}
    for module, layer in transformer.named_modules():
        if module.startswith("transformer_blocks.") and module.split(".", 3)[-1] in TARGETS:
            shapes = {"A": (rank, layer.in_features), "B": (layer.out_features, rank)}
            for side, shape in shapes.items():
                tensors[f"{module}.lora_{side}.weight"] = (
                    torch.randn(shape, generator=generator).to(weights.dtype) * 0.3
                )
    return LoraFile(name, tensors, rank, None)


def _names(folder: Path) -> list[str]:
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())
