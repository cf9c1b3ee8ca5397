"""Values that a training yields to its observers; cheap to import."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from pipelines.method import Progress


@dataclass(frozen=True)
class TrainingStep(Progress):
    """A step of training with its mean ``loss`` and learning ``rate``."""

    loss: float = float("nan")
    rate: float = 0.0


@dataclass(frozen=True)
class Sample:
    """A sample video after ``step`` training steps."""

    file: Path
    step: int


@dataclass(frozen=True)
class TrainedWeights:
    """The result of a training: the file that the app uses, the loss of the last step, and files for other uses."""

    file: Path
    loss: float
    further: tuple[Path, ...] = ()
