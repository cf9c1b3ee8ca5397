"""Every event answers missing inputs (null for each input, no event data) with a readable sentence."""

from __future__ import annotations

import asyncio
import copy
import inspect
from concurrent.futures import ThreadPoolExecutor

import gradio as gr
import pytest

from camera.errors import InputError
from tabs.parts.event_values import choice_of, optional, read_event, triple, whole, words

_EVENTS = ("gr.EventData", "gr.SelectData")


def answer(function) -> str:
    """The sentence that a program gets, "" if it gets values."""
    try:
        given = [
            copy.deepcopy(each.value) if isinstance(each, gr.State) else each.preprocess(None)
            for each in function.inputs
        ]
    except (TypeError, ValueError):
        return ""  # Gradio checks this first, see tests/tabs/serving/test_own_words.py
    given += [gr.EventData(None, None) for each in _asked(function) if each.annotation in _EVENTS]
    try:
        values = function.fn(*given)
        if inspect.iscoroutine(values):
            _run(values)
        if inspect.isgenerator(values):
            next(values, None)
            values.close()
    except gr.Error as error:
        return str(error.message)
    return ""


def _run(coroutine) -> None:
    """Run in a separate thread: a browser that an earlier test opened has a loop in this one."""
    with ThreadPoolExecutor(1) as thread:
        thread.submit(asyncio.run, coroutine).result()


def _asked(function) -> list[inspect.Parameter]:
    return [each for each in inspect.signature(function.fn).parameters.values() if each.default is each.empty]


def test_nothing_at_all_is_answered_in_words(blocks, monkeypatch):
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    events = [fn for fn in blocks.fns.values() if fn.fn is not None]
    events = [fn for fn in events if not any("Request" in str(each.annotation) for each in _asked(fn))]
    assert len(events) > 250 and sum(each.annotation in _EVENTS for fn in events for each in _asked(fn)) >= 8
    answers = {fn.api_name: answer(fn) for fn in events}
    assert {
        name: words for name, words in answers.items() if "an internal error" in words or words.strip() == "None"
    } == {}


@pytest.mark.parametrize("sent", [None, [], "x", {}, {"at": 1}, {"at": 1e308, "turn": "abc"}, {"at": "1", "turn": [1, 2]},
                                  {"at": 10**400, "turn": [0, 0, 0]}, {"at": float("nan"), "turn": [0, 0, 0]}])  # fmt: skip
def test_what_no_page_sends_is_refused_in_words(sent):
    with pytest.raises(InputError, match="reload the page"):
        read_event(gr.EventData(None, sent), at=whole, turn=triple)


def test_what_a_page_sends_is_read():
    sent = {"at": 3, "frame": None, "turn": [1, 0.5, 0], "steps": ["undo"]}
    read = read_event(gr.EventData(None, sent), at=whole, frame=optional(whole), turn=triple, steps=words)
    assert read == [3, None, (1, 0.5, 0), ["undo"]]


@pytest.mark.parametrize(("chosen", "given"), [(None, "nothing"), ([], "a list"), ("c", "'c'")])
def test_a_choice_is_one_of_those_offered(chosen, given):
    assert choice_of({"a": 1, "b": 2}, "b", "It") == 2
    with pytest.raises(InputError, match=f"It must be one of a, b; got {given}"):
        choice_of({"a": 1, "b": 2}, chosen, "It")
