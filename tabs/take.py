"""`tabs.project.project` under its name before all tabs shared one project, for one version more: a `Take` was drawn by its caller."""

from __future__ import annotations

import warnings
from dataclasses import dataclass, replace

from pipelines.method import Method, Moves
from pipelines.project.content import FILM_MOVES, KEYFRAMES, METHOD_MOVES, PATH_FILE, SOURCES
from tabs.project.project import Project, forget

__all__ = ["FILM_MOVES", "KEYFRAMES", "METHOD_MOVES", "PATH_FILE", "SOURCES", "Take", "forget"]

warnings.warn("tabs.take is tabs.project.project now; the old name goes with the next version.", DeprecationWarning, 2)


@dataclass(frozen=True, eq=False)
class Take(Project):
    """A `Project` created from method, moves and source together; its ``path`` and ``framed`` follow from them."""

    def drawn(self, method: Method, moves: Moves, source: str, film: str = "", *, as_given: bool = False) -> Project:
        """The take with the path that ``method`` makes from ``source``, one of `SOURCES`. Raises `InputError` if there is none."""
        described = replace(self.content.source, moves_from=source, film_moves=film, path_as_given=as_given)
        drawn = replace(self, method=method.name).with_source(described).with_moves(moves)
        drawn.ready()
        return drawn
