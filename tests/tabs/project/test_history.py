"""Edits of a project are undone and redone, step by step, under their names."""

from __future__ import annotations

from dataclasses import replace

import gradio as gr
import numpy as np
import pytest

from camera.path import pinhole
from camera.view import Scene, View
from pipelines import method
from pipelines.project.content import FILM_MOVES, Content, MoveSource
from tabs.parts.form import wrap_handler
from tabs.project import history
from tabs.project.history import History
from tabs.project.project import Project

GEN3C = method("gen3c")


def scene(name: str = "wall", side: int = 32) -> Scene:
    view = View.of(np.zeros((side, side, 3), np.uint8), np.full((side, side), 2.0), pinhole(side, side, 60))
    return Scene((view,), name=name)


def names(project: Project) -> list[str]:
    return [step.name for step in project.history.past]


def test_a_hundred_steps_of_all_kinds_are_undone_and_redone():
    project = Project().opened(scene())
    kept = [project.content]
    for number in range(120):
        kind = number % 3
        if kind == 0:
            project = (
                project.with_moves(GEN3C.moves(frames=9 + 8 * number))
                if number < 50
                else project.opened(scene(f"wall {number}"))
            )
        elif kind == 1:
            project = project.with_source(MoveSource(moves_from=FILM_MOVES, film_moves=f"arc {number}"))
        else:
            project = project.with_settings(GEN3C.settings(seed=number))
        project = replace(project, history=_later(project.history))
        kept.append(project.content)
    assert len(project.history.past) == 121
    for content in reversed(kept[:-1]):
        project = project.undone()
        assert project.content is content
    assert project.undone().scene is None and project.undone().undone().scene is None
    for content in kept[1:]:
        project = project.redone()
        assert project.content is content
    assert not project.history.future


def _later(done: History) -> History:
    """Pretend that the last edit was long ago, so that the next is a separate step."""
    return replace(done, past=(*done.past[:-1], replace(done.past[-1], at=-10.0)))


def test_steps_are_named_by_what_was_changed():
    project = Project().opened(scene("Reading room")).with_moves(GEN3C.moves(distance=0.5))
    project = project.with_settings(GEN3C.settings(seed=7)).with_source(MoveSource(moves_from=FILM_MOVES))
    assert names(project) == [
        "open Reading room",
        "change Movement distance",
        "change Seed of GEN3C",
        "move by film moves",
    ]


def test_a_slider_that_moves_on_is_one_step_and_what_changes_nothing_is_none():
    project = Project().opened(scene())
    for distance in (0.4, 0.5, 0.6):
        project = project.with_moves(GEN3C.moves(distance=distance))
    assert names(project) == ["open wall", "change Movement distance"]
    assert project.with_moves(GEN3C.moves(distance=0.6)) is project
    assert project.undone().moves.distance == GEN3C.moves().distance  # type: ignore[attr-defined]


def test_an_edit_after_undo_forgets_what_was_undone():
    project = Project().opened(scene()).with_settings(GEN3C.settings(seed=1)).undone()
    project = project.with_settings(GEN3C.settings(seed=2))
    assert project.redone().content is project.content


def test_many_large_scenes_are_forgotten_from_the_oldest_on(monkeypatch):
    monkeypatch.setattr(history, "MOST_BYTES", 5 * 32 * 32 * 7)
    done = History()
    for number in range(20):
        done = done.done(f"open {number}", Content(scene(str(number))), float(number))
    assert [step.name for step in done.past] == [f"open {number}" for number in range(15, 20)]


@pytest.mark.parametrize("as_method", [None, "genxd"])
def test_a_handler_makes_one_step_and_keeps_the_selected_method(as_method):
    before = Project().opened(scene("a"))

    def edits(project: Project):
        assert project.method == (as_method or "gen3c")
        return project.opened(scene("b")).with_source(MoveSource(film_moves="dolly 1")), "words"

    after, words = wrap_handler(edits, as_method)(before)
    assert names(after) == ["open a", "open b"] and after.method == "gen3c" and words == "words"
    assert wrap_handler(lambda project: project)(before) == gr.skip(), "nothing is stored over another event's change"
