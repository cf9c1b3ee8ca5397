"""The user's settings of a fit of splats. Imports no torch."""

from __future__ import annotations

from dataclasses import dataclass

from pipelines.settings import Settings, setting


@dataclass(frozen=True, kw_only=True)
class SplatSettings(Settings):
    """See `pipelines.reconstruct.gaussians.fit.fit`."""

    iterations: int = setting(0, "Steps", minimum=0, maximum=30_000, step=100, help="0: 1000 on a CPU, 7000 on a GPU.")
    longest_side: int = setting(
        0, "Longest side", minimum=0, maximum=1920, step=16, help="Longest side in pixels of the frames used for the fit; "
        "0: 192 on a CPU, full size on a GPU.",
    )  # fmt: skip
    most_splats: int = setting(
        0, "Most Gaussians", minimum=0, maximum=3_000_000, step=1000, help="0: 6000 on a CPU, 300,000 on a GPU.",
        advanced=True,
    )  # fmt: skip
    harmonics: int = setting(
        2,
        "Degree of colour",
        minimum=0,
        maximum=3,
        step=1,
        help="0: colours are the same from all directions.",
        advanced=True,
    )
    hold_back: int = setting(
        0, "Hold back every", minimum=0, maximum=20, step=1, help="Every n-th frame is held out of the fit and used to "
        "measure it; 0 uses all frames.",
    )  # fmt: skip
    confidence: str = setting(
        "none",
        "Weigh pixels",
        choices=("none", "linear", "upstream"),
        help="By the number of views that agree on their depth, if there is depth; upstream: as DimensionX's code converts "
        "confidence to weights, which is not monotonic.",
        advanced=True,
    )
    appearance: bool = setting(
        True,
        "Colours of each frame",
        help="Generated frames drift in colour: each gets its own correction.",
        advanced=True,
    )
    refine_poses: bool = setting(
        False, "Refine cameras", help="Small corrections, for videos whose cameras are only nominal."
    )
    opacity_weight: float = setting(
        0.0, "Thin out", minimum=0, maximum=0.1, step=0.001, help="Prefers fewer, clearer Gaussians.", advanced=True
    )
    scale_weight: float = setting(
        0.01,
        "Keep small",
        minimum=0,
        maximum=1,
        step=0.005,
        help="Prefers small Gaussians over large veils.",
        advanced=True,
    )
    lpips: float = setting(
        0.0,
        "LPIPS",
        minimum=0,
        maximum=1,
        step=0.05,
        help="Weight of perceptual similarity; needs the package lpips.",
        advanced=True,
    )
    background: str = setting("black", "Background", choices=("black", "white"), advanced=True)
    seed: int = setting(0, "Seed", minimum=0, maximum=2**32 - 1, advanced=True)
