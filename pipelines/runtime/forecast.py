"""Forecast of a run: memory mode, seconds, ZeroGPU quota, and what would fit if the run does not."""

from __future__ import annotations

import math
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

from camera.errors import InputError
from camera.path import CameraPath
from pipelines.options import AUTO, EXACT, FP8, FULL, INT8, MODES
from pipelines.shot import Shot

HEADROOM = 1.05
"""Safety factor on estimated memory."""

TINY_SECONDS, TINY_GIGABYTES = 20.0, 2.0


@dataclass(frozen=True)
class Choice:
    """A memory mode, the gigabytes it needs, and one sentence on why it was chosen."""

    mode: str
    gigabytes: float
    words: str


@dataclass(frozen=True)
class Quota:
    """ZeroGPU's daily seconds for one kind of visitor; also the longest single run."""

    visitor: str
    seconds: int


QUOTAS: tuple[Quota, ...] = (
    Quota("someone not logged in", 120),
    Quota("a free account", 300),
    Quota("a PRO account", 2400),
    Quota("an enterprise account", 3600),
)
LARGE, XLARGE = "large", "xlarge"
GPU_GIGABYTES = {LARGE: 48.0, XLARGE: 96.0}
QUOTA_FACTOR = {LARGE: 1.5, XLARGE: 2.0}
"""Quota seconds per requested second."""

_SPEED = {LARGE: 1.0, XLARGE: 1.3}
"""ZeroGPU's sizes against the reference GPU of the records; assumed, not measured."""
_SAFETY, _START_SECONDS = 1.3, 15.0


@dataclass(frozen=True)
class Forecast:
    """The forecast shown beside the button before a run.

    ``seconds`` on the reference GPU; ``gigabytes`` of the chosen ``mode``; ``words``: one or two sentences for the user;
    ``refusal``: why the run does not fit and what would fit, empty if it may start.
    """

    seconds: float
    gigabytes: float
    mode: str
    words: str
    refusal: str = ""
    weights_gigabytes: float = 0.0
    """Main memory needed for loading: the weights that the fastest mode holds on a GPU."""


# --- memory ---------------------------------------------------------------------------------------------------------


def choose(needs: Mapping[str, float], free: float, requested: str = AUTO) -> Choice:
    """The memory mode for a run that needs ``needs`` gigabytes per mode, on a device with ``free`` gigabytes.

    ``requested`` is used if it fits; "auto" is the fastest mode that fits and does not change the picture, 8 bits only if no
    other mode fits. Raises `InputError` with the gigabytes needed, those free, and a mode that would fit, if any.
    """
    fitting = [mode for mode in MODES if mode in needs and needs[mode] * HEADROOM <= free]
    if requested != AUTO:
        stored_as = FP8 if requested == INT8 and INT8 not in needs else requested
        need = needs.get(stored_as, needs.get(FULL, 0.0))
        if need * HEADROOM > free:
            other = f"; {fitting[0]} would fit with {needs[fitting[0]]:.1f} GB" if fitting else ""
            raise InputError(f"Memory mode {requested} needs about {need:.1f} GB, {free:.1f} GB are free{other}.")
        return Choice(requested, need, f"Memory mode {requested}, as requested: about {need:.1f} of {free:.1f} GB.")
    if not fitting:
        least = min(needs, key=lambda mode: needs[mode])
        raise InputError(f"This needs at least {needs[least]:.1f} GB of GPU memory ({least}), {free:.1f} GB are free.")
    mode = fitting[0]
    faster = [
        other for other in EXACT if other in needs and (mode not in EXACT or EXACT.index(other) < EXACT.index(mode))
    ]
    why = f"; {faster[-1]} would need {needs[faster[-1]]:.1f}" if faster else ", the fastest mode"
    return Choice(mode, needs[mode], f"Memory mode {mode}: needs about {needs[mode]:.1f} of {free:.1f} GB free{why}.")


def smaller(path: CameraPath) -> Iterator[CameraPath]:
    """Less demanding versions of a path, starting with the smallest change: fewer frames, then a smaller picture, then both."""
    for share in (0.75, 0.5, 0.25):
        for frames in range(max(1, round(len(path) * share)), 0, -1):
            if len(path) * (share - 0.25) < frames:
                yield path.resampled(frames)
    for share in (0.75, 0.5):
        width, height = (max(64, round(side * share / 64) * 64) for side in (path.width, path.height))
        yield path.resized(width, height)
        yield path.resized(width, height).resampled(max(1, (len(path) // 2) // 4 * 4 + 1))


def what_fits(shot: Shot, free: float) -> str:
    """A sentence that names fewer frames or a smaller size that would fit into ``free`` gigabytes; empty if none was found."""
    for candidate in smaller(shot.left):
        try:
            needs = shot.method.estimate(candidate, shot.settings).gigabytes
            if min(needs.values()) * HEADROOM > free:
                continue
            scene = shot.scene.fitted(candidate.width, candidate.height, "stretch")
            shot.method.check(scene, candidate, shot.settings)
        except InputError:
            continue
        return f"{len(candidate)} frames of {candidate.width} x {candidate.height} would fit."
    return ""


# --- time and quota ---------------------------------------------------------------------------------------------------


def zerogpu_seconds(shot: Shot, *, size: str = LARGE) -> int:
    """GPU seconds to ask ZeroGPU for: the estimate with a margin and the worker's start."""
    seconds = TINY_SECONDS if shot.options.weights == "tiny" else shot.estimate().seconds
    return math.ceil(seconds / _SPEED[size] * _SAFETY + _START_SECONDS)


def quota_seconds(asked: float, *, size: str = LARGE) -> int:
    """Seconds that must be left in the visitor's daily quota for a run of ``asked`` seconds."""
    return math.ceil(asked * QUOTA_FACTOR[size])


def quota_words(asked: float, *, size: str = LARGE) -> str:
    """What a run costs a visitor, and who can start it."""
    cost = quota_seconds(asked, size=size)
    able = [quota for quota in QUOTAS if quota.seconds >= cost]
    if not able:
        return f"Needs {cost} s of GPU quota, more than any account has in a day ({QUOTAS[-1].seconds} s)."
    others = "" if able[0] == QUOTAS[-1] else " or more"
    return f"Takes {cost} s of your ZeroGPU quota; a day's quota of {able[0].visitor}{others} is enough."


def check_quota(asked: float, visitor: str, *, size: str = LARGE) -> None:
    """Raise a readable error for what ZeroGPU would refuse as an illegal duration. ``visitor``: a name in `QUOTAS`."""
    quota = next(quota for quota in QUOTAS if quota.visitor == visitor)
    cost = quota_seconds(asked, size=size)
    if cost > quota.seconds:
        raise InputError(
            f"This run needs {cost} s of ZeroGPU quota and {visitor} has at most {quota.seconds} s a day; "
            "use fewer steps, fewer frames or a smaller size, or log in with a larger quota."
        )


def in_words(seconds: float) -> str:
    """A duration in a readable form: 45 s, 3 min, 1.5 h."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"


def forecast(shot: Shot, *, free: float, on_gpu: bool) -> Forecast:
    """Forecast of a run on a device with ``free`` gigabytes; if the run does not fit, sets ``refusal`` instead of raising."""
    options = shot.options
    if options.weights == "tiny":
        return Forecast(TINY_SECONDS, TINY_GIGABYTES, FULL, "Tiny random networks: seconds, and noise for a picture.")
    estimate = shot.estimate()
    if not on_gpu:
        return _on_processor(estimate.seconds, estimate.gigabytes, free)
    try:
        choice = choose(estimate.gigabytes, free, options.memory)
    except InputError as error:
        advice = what_fits(shot, free) if options.memory == AUTO else ""
        refusal = f"{error} {advice}".strip()
        return Forecast(estimate.seconds, min(estimate.gigabytes.values()), options.memory, refusal, refusal)
    words = f"About {in_words(estimate.seconds)} on the reference GPU. {choice.words}"
    largest = max(estimate.gigabytes.values())
    return Forecast(estimate.seconds, choice.gigabytes, choice.mode, words, weights_gigabytes=largest)


def forecast_zerogpu(shot: Shot) -> Forecast:
    """Forecast of a run on ZeroGPU, including its cost in the visitor's quota."""
    size = zerogpu_size()
    forecast_on_gpu = forecast(shot, free=GPU_GIGABYTES[size], on_gpu=True)
    asked = zerogpu_seconds(shot, size=size)
    refusal = forecast_on_gpu.refusal
    if not refusal and quota_seconds(asked, size=size) > QUOTAS[-1].seconds:
        refusal = quota_words(asked, size=size) + " Use fewer steps, fewer frames or a smaller size."
    words = refusal or f"{forecast_on_gpu.words} {quota_words(asked, size=size)}"
    return replace(forecast_on_gpu, seconds=float(asked), words=words, refusal=refusal)


def zerogpu_size() -> str:
    """``$RESHOOT_ZEROGPU_SIZE``: large (48 GB, 1.5 times the quota), the default, or xlarge (96 GB, twice)."""
    size = os.environ.get("RESHOOT_ZEROGPU_SIZE", LARGE)
    if size not in GPU_GIGABYTES:
        raise ValueError(f"RESHOOT_ZEROGPU_SIZE must be {' or '.join(GPU_GIGABYTES)}, got {size!r}")
    return size


def _on_processor(seconds: float, needs: Mapping[str, float], free: float) -> Forecast:
    """Forecast without a GPU: networks are float32, so they need twice the records' gigabytes, all in main memory."""
    need = 2 * needs.get(FULL, max(needs.values()))
    if need * HEADROOM > free:
        refusal = (
            f"There is no GPU, and the processor would need about {need:.0f} GB of main memory, {free:.0f} GB are free; "
            "use a GPU, or try everything but the picture quality with tiny weights."
        )
        return Forecast(seconds, need, FULL, refusal, refusal)
    words = "There is no GPU: expect hours rather than minutes on the CPU."
    return Forecast(seconds, need, FULL, words, weights_gigabytes=need)
