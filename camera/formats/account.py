"""Accounts of files: records of which fields a reader used and which it ignored, so that nothing is dropped silently.

A reader takes fields, members and rows through an `Account`, and lists the fields that are known to have no effect::

    account = Account("transforms.json")
    values = account.fields({"fl_x": 500.0, "aabb_scale": 4, "mood": "blue"}, idle=("aabb_scale",))
    values["fl_x"]  # reading a field is using it
    account.left_out(2, 40, "pictures", "they have no pose")
    account.notes()
    # ['2 of 40 pictures of transforms.json are left out: they have no pose.',
    #  'transforms.json also holds aabb_scale, which changes nothing here.',
    #  'transforms.json also holds mood, which is not known and was not used.']

Fields that change geometry, scale, time or colour and are not supported are refused with `refusal`.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from typing import Any

from camera.errors import InputError

MOST_NAMED = 12
"""Maximum number of field names in one note; the rest are counted."""


class Fields(Mapping[str, Any]):
    """The fields of one record; reading a field marks it as used. ``in`` and iteration mark none."""

    def __init__(self, values: Mapping[str, Any], used: set[str]) -> None:
        self._values, self._used = values, used

    def __getitem__(self, key: str) -> Any:
        value = self._values[key]
        self._used.add(key)
        return value

    def __contains__(self, key: object) -> bool:
        return key in self._values

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)

    def use(self, *keys: str) -> None:
        """Mark these fields, if present, as used: they were read elsewhere, or only identify the format."""
        self._used.update(key for key in keys if key in self._values)

    def over(self, *below: Mapping[str, Any]) -> Fields:
        """These fields, with those of ``below`` as fallbacks; a fallback that is read counts as used in ``below``."""
        return _Stacked((self, *below))


class _Stacked(Fields):
    def __init__(self, layers: tuple[Mapping[str, Any], ...]) -> None:
        self._layers = layers
        super().__init__({key: None for layer in layers for key in layer}, set())

    def __getitem__(self, key: str) -> Any:
        values = [layer[key] for layer in self._layers if key in layer]
        if not values:
            raise KeyError(key)
        return values[0]


class Account:
    """The account of one file. ``name``: the file's name for the user. `notes` lists what was ignored."""

    def __init__(self, name: str) -> None:
        self.name = name
        self._sentences: list[str] = []
        self._used: dict[str, set[str]] = {}
        self._present: dict[str, dict[str, None]] = {}
        self._idle: dict[str, set[str]] = {}

    def fields(self, values: Mapping[str, Any], part: str = "", *, idle: Collection[str] = ()) -> Fields:
        """``values`` as `Fields`. ``part``: the kind of record, such as "frames"; records of one part are counted together.

        ``idle``: fields that are understood but have no effect here.
        """
        used = self._used.setdefault(part, set())
        self._present.setdefault(part, {}).update(dict.fromkeys(map(str, values)))
        self._idle.setdefault(part, set()).update(idle)
        return Fields(values, used)

    def say(self, sentence: str) -> None:
        """Add the reader's own note, once."""
        if sentence not in self._sentences:
            self._sentences.append(sentence)

    def left_out(self, count: int, total: int, things: str, why: str) -> None:
        """Note that ``count`` of ``total`` rows, frames or pictures are not used; no note for 0."""
        if count:
            verb = "is" if count == 1 else "are"
            self.say(f"{count} of {total} {things} of {self.name} {verb} left out: {why}.")

    def add(self, other: Account) -> None:
        """Append the notes of another file's account."""
        for sentence in other.notes():
            self.say(sentence)

    def notes(self) -> list[str]:
        """One sentence each: the reader's notes, ignored fields without effect, and unknown fields."""
        idle, unknown = [], []
        for part, present in self._present.items():
            for key in present:
                if key not in self._used[part]:
                    (idle if key in self._idle[part] else unknown).append(f"{key} ({part})" if part else key)
        ignored = [f"{self.name} also holds {_join_names(idle)}, which changes nothing here."] if idle else []
        if unknown:
            ignored.append(f"{self.name} also holds {_join_names(unknown)}, which is not known and was not used.")
        return [*self._sentences, *ignored]

    def text(self) -> str:
        """All notes as one line; empty without notes."""
        return " ".join(self.notes())


def refusal(field: str, where: str, meaning: str, do: str) -> InputError:
    """The error for an unsupported field that would change the result: its name, what it means and what to do."""
    return InputError(f"{field} of {where} means {meaning}, which cannot be followed here; {do}.")


def _join_names(names: list[str]) -> str:
    more = len(names) - MOST_NAMED
    return ", ".join(names[:MOST_NAMED]) + (f" and {more} more" if more > 0 else "")
