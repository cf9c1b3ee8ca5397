"""A training's loss as a curve."""

from __future__ import annotations

from collections.abc import Sequence

SHOWN_EVERY = 0.5
"""Interval between status updates of a training, in seconds; steps of tiny networks are faster."""


CANCELLED = "Cancelled. The training is saved: train again with the same files and settings to resume it."


def loss_curve(losses: Sequence[float], *, points: int = 240, width: int = 600, height: int = 90) -> str:
    """The losses of all steps as a small SVG in HTML, averaged to at most ``points``; empty for fewer than two."""
    if len(losses) < 2:
        return ""
    size = -(-len(losses) // points)
    means = [sum(part) / len(part) for part in (losses[i : i + size] for i in range(0, len(losses), size))]
    low, high = min(means), max(means)
    across, up = width / max(len(means) - 1, 1), (height - 4) / ((high - low) or 1.0)
    line = " ".join(f"{i * across:.1f},{height - 2 - (mean - low) * up:.1f}" for i, mean in enumerate(means))
    words = f"Loss from {high:.4f} (top) to {low:.4f} (bottom), {means[-1]:.4f} now"
    return (
        f'<figure style="margin:0"><svg viewBox="0 0 {width} {height}" width="100%" height="{height}" '
        f'preserveAspectRatio="none" role="img" aria-label="{words}"><polyline points="{line}" fill="none" '
        f'stroke="var(--color-accent)" stroke-width="1.5" vector-effect="non-scaling-stroke"/></svg>'
        f'<figcaption class="told">{words}</figcaption></figure>'
    )
