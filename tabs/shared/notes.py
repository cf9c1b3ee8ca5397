"""Notes on how a method frames and follows the move."""

from __future__ import annotations

from camera.errors import InputError
from pipelines.project.framing import framing_words, losses
from tabs.project.project import Project

EMPTY = "Choose an example or open a picture to see the path here."


def notes(project: Project) -> str:
    """How the method frames and follows the move, with its warnings. Errors of the move are shown here too, since a toast would
    appear at every typed letter."""
    try:
        framing = project.framing
    except InputError as error:
        return f"**{error}**"
    if framing is None or project.scene is None:
        return EMPTY
    if framing.path is None:
        return f"**{framing.why}**"
    scene, path, record = framing.scene, framing.path, project.record
    unit = "m" if scene.unit == "metres" else "scene units"
    steps = ((path.centres[1:] - path.centres[:-1]) ** 2).sum(axis=1) ** 0.5
    lines = [
        f"**{record.title}**: {len(path)} frames, {path.seconds:.1f} s, {path.width} x {path.height}, {steps.sum():.2f} {unit} long"
    ]
    lines += [framing_words(project.scene, scene, project.moves.fit), *losses(project.scene, record)]
    try:
        lines += [f"Note: {warning}" for warning in record.check(scene, path, record.settings())]
    except InputError as error:
        lines.append(f"{error}")
    return "  \n".join(lines)
