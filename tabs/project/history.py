"""Undo and redo: past contents of a project, each with the name of the edit that followed it."""

from __future__ import annotations

from dataclasses import dataclass, replace

from camera.view import Scene
from pipelines.project.content import Content

MOST_STEPS = 200
MOST_BYTES = 256 << 20
"""Maximum bytes of scenes, and of data stored by methods, that only the history references; beyond it the oldest steps are dropped."""
SAME_STEP_SECONDS = 1.0
"""Changes of one control within this time form one step."""


@dataclass(frozen=True, eq=False)
class Step:
    """``name`` of an edit, as in "change Distance", and the content on its other side: before it for past steps, after it for
    undone steps. ``at``: time in seconds of a monotonic clock."""

    name: str
    content: Content
    at: float = 0.0


@dataclass(frozen=True, eq=False)
class History:
    """``past`` and ``future``, the nearest step last. Contents share their arrays, so a step needs only some hundred bytes."""

    past: tuple[Step, ...] = ()
    future: tuple[Step, ...] = ()

    def done(self, name: str, before: Content, at: float, *, merges: bool = False) -> History:
        """The history after an edit of ``before``; with ``merges`` it is joined with a very recent edit of the same name."""
        last = self.past[-1] if self.past else None
        if merges and last is not None and last.name == name and at - last.at < SAME_STEP_SECONDS:
            return History((*self.past[:-1], replace(last, at=at)))
        return History(_trim((*self.past, Step(name, before, at))))

    def as_one(self, since: History) -> History:
        """Join all edits after ``since`` into one, under the name of the first."""
        count = len(since.past)
        if len(self.past) <= count + 1 or self.past[:count] != since.past:
            return self
        return replace(self, past=self.past[: count + 1])

    def undone(self, now: Content) -> tuple[Content, History]:
        """The content before the last edit; with an empty past, ``now`` and the same history."""
        if not self.past:
            return now, self
        step = self.past[-1]
        return step.content, History(self.past[:-1], (*self.future, Step(step.name, now)))

    def redone(self, now: Content) -> tuple[Content, History]:
        """The content after the edit that was undone last."""
        if not self.future:
            return now, self
        step = self.future[-1]
        return step.content, History((*self.past, Step(step.name, now)), self.future[:-1])


def _trim(past: tuple[Step, ...]) -> tuple[Step, ...]:
    """The newest steps within `MOST_STEPS` and `MOST_BYTES` of scenes; at least the last one."""
    counted: set[int] = set()
    size = 0
    for count, step in enumerate(reversed(past)):
        for data in step.content.kept.values():
            if id(data) not in counted:
                counted.add(id(data))
                size += len(data)
        scene = step.content.scene
        if scene is not None and id(scene) not in counted:
            counted.add(id(scene))
            size += _bytes(scene)
        if count and (count >= MOST_STEPS or size > MOST_BYTES):
            return past[len(past) - count :]
    return past


def _bytes(scene: Scene) -> int:
    splats = getattr(scene, "splats", None)
    own = sum(array.nbytes for array in vars(splats).values()) if splats is not None else 0
    return own + sum(view.colour.nbytes + view.depth.nbytes for view in (*scene.views, *scene.others))
