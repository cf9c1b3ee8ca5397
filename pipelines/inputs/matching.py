"""Matches pictures with cameras by the longest common end of their paths, never by a base name that is not unique."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from pathlib import PurePosixPath

from camera.errors import InputError


def match_names(pictures: Sequence[str], cameras: Sequence[str]) -> dict[str, int]:
    """The index into ``cameras`` (names from their file, "" for none) for each of ``pictures`` (paths).

    Pictures that match no camera are missing from the result. If no base name matches at all, names are compared without
    suffix, and then every picture must match. Raises `InputError` if a picture matches several cameras, or a camera several
    pictures, equally well.
    """
    parts = [_parts(name) for name in cameras]
    shown = {picture: _parts(picture) for picture in pictures}
    known = {each[-1] for each in parts if each}
    if not any(each[-1] in known for each in shown.values()):
        parts = [_without_suffix(each) for each in parts]
        shown = {picture: _without_suffix(each) for picture, each in shown.items()}
        if not {each[-1] for each in shown.values()} <= {each[-1] for each in parts if each}:
            return {}
    by_base: dict[str, list[int]] = defaultdict(list)
    for index, each in enumerate(parts):
        if each:
            by_base[each[-1]].append(index)
    chosen: dict[str, int] = {}
    for picture, each in shown.items():
        scores = {index: common_end(each, parts[index]) for index in by_base.get(each[-1], ())}
        if scores:
            chosen[picture] = _best(scores, picture, cameras)
    return _one_each(chosen, shown, parts, cameras)


def common_end(first: Sequence[str], second: Sequence[str]) -> int:
    """The number of trailing path components that two paths share."""
    count = 0
    for a, b in zip(reversed(first), reversed(second)):
        if a != b:
            break
        count += 1
    return count


def _best(scores: dict[int, int], picture: str, cameras: Sequence[str]) -> int:
    most = max(scores.values())
    best = [index for index, score in scores.items() if score == most]
    if len(best) > 1:
        raise InputError(
            f"The picture {picture} could belong to several cameras, {cameras[best[0]]} and {cameras[best[1]]}; open the "
            "pictures in their folders, in one zip."
        )
    return best[0]


def _one_each(
    chosen: dict[str, int], shown: dict[str, tuple[str, ...]], parts: Sequence[tuple[str, ...]], cameras: Sequence[str]
) -> dict[str, int]:
    """One picture per camera: of several, the one with the longest common end."""
    rivals: dict[int, list[str]] = defaultdict(list)
    for picture, index in chosen.items():
        rivals[index].append(picture)
    result = {}
    for index, pictures in rivals.items():
        scores = {picture: common_end(shown[picture], parts[index]) for picture in pictures}
        best = [picture for picture, score in scores.items() if score == max(scores.values())]
        if len(best) > 1:
            raise InputError(
                f"The camera {cameras[index]} matches several pictures, {best[0]} and {best[1]}; open one folder of pictures, "
                "or all of them in their folders, in one zip."
            )
        result[best[0]] = index
    return {picture: result[picture] for picture in chosen if picture in result}


def _parts(name: str) -> tuple[str, ...]:
    return tuple(part for part in name.replace("\\", "/").split("/") if part not in ("", "."))


def _without_suffix(parts: tuple[str, ...]) -> tuple[str, ...]:
    return (*parts[:-1], PurePosixPath(parts[-1]).stem) if parts else parts
