"""The look of a rehearsal: aperture, focus and shutter angle. Off by default."""

from __future__ import annotations

from dataclasses import dataclass

from camera.errors import InputError, reading
from camera.objects.scene import subject_distance
from camera.render.exposure import Exposure
from camera.view import Scene
from pipelines.settings import Settings, setting


@dataclass(frozen=True, kw_only=True)
class Look(Settings):
    """The user's settings, which `exposure_of` converts to numbers. Methods never receive them, because they expect pinhole cameras."""

    aperture: float = setting(
        0.0, "Aperture (f-stop)", minimum=0, maximum=64, step=0.1, help="2.8 is f/2.8; 0 for none: everything is sharp"
    )
    focus: str = setting(
        "", "Focus", help="distance in scene units, or x,y,z of a point that focus follows; empty for the subject"
    )
    shutter: float = setting(
        0.0, "Shutter angle", minimum=0, maximum=360, step=15, help="degrees of a frame's time; 180 is usual in film, 0 for none"
    )  # fmt: skip

    def __post_init__(self) -> None:
        super().__post_init__()
        self.numbers()

    @property
    def is_off(self) -> bool:
        return self.aperture == 0 and self.shutter == 0

    def numbers(self) -> tuple[float, ...]:
        """The numbers in ``focus``: none, a distance, or a point. Raises `InputError` for anything else."""
        with reading(f"Focus is a distance, or x,y,z of a point, or empty; got {self.focus!r:.40}."):
            numbers = tuple(float(part) for part in self.focus.split(",")) if self.focus.strip() else ()
            if len(numbers) not in (0, 1, 3) or not all(abs(number) < 1e9 for number in numbers):
                raise ValueError("no focus")
        if len(numbers) == 1 and numbers[0] <= 0:
            raise InputError(f"Focus must be in front of the camera, at a distance above 0; got {self.focus}.")
        return numbers


def exposure_of(look: Look, scene: Scene) -> Exposure | None:
    """The exposure for ``scene``, focused on its subject unless ``look`` sets a focus; None if it is off."""
    if look.is_off:
        return None
    numbers = look.numbers()
    distance = numbers[0] if len(numbers) == 1 else subject_distance(scene.first)
    point = (numbers[0], numbers[1], numbers[2]) if len(numbers) == 3 else None
    return Exposure(distance, look.aperture, look.shutter, point)
