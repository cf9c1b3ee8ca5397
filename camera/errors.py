"""The one error that is meant for the person at the screen, and the table of what damaged files raise instead."""

from __future__ import annotations

import csv
import errno
import lzma
import pickle
import struct
import sys
import tokenize
import zipfile
import zlib
from types import TracebackType


class InputError(ValueError):
    """Something the user gave cannot be used.

    ``str(error)`` is shown as it is: one sentence that says what was expected, what came and what to do.
    """


DAMAGED: tuple[type[BaseException], ...] = (
    zipfile.BadZipFile, zlib.error, lzma.LZMAError, struct.error, csv.Error, tokenize.TokenError, pickle.UnpicklingError,
    EOFError, OSError, ValueError, TypeError, LookupError, AttributeError, ArithmeticError, AssertionError, SyntaxError,
    NotImplementedError, RuntimeError, MemoryError, UnboundLocalError,
)  # fmt: skip
"""What Python's, numpy's, torch's and trimesh's readers raise over a damaged file. ValueError holds what is no UTF-8 and
numpy's bad shapes, LookupError lacking keys and places, ArithmeticError overflows, RuntimeError nesting without end."""

_OF_LIBRARIES = {
    "cv2": ("error",),
    "PIL.Image": ("DecompressionBombError",),
    "av.error": ("FFmpegError",),
    "safetensors": ("SafetensorError",),
}
"""Errors of libraries that are imported on first use, by module: where it is not loaded it has raised nothing."""

_FAULTS = {
    errno.ENOSPC: "The disk of this computer is full; free some space and try again.",
    errno.EDQUOT: "The disk quota of this computer is used up; free some space and try again.",
    errno.EFBIG: "The file would be larger than this computer allows; make the shot smaller or raise the limit.",
    errno.EROFS: "This computer's disk can only be read; set TMPDIR to a folder that can be written.",
    errno.EACCES: "A folder or file may not be used by Reshoot; correct its permissions, or set TMPDIR to another folder.",
    errno.EPERM: "A folder or file may not be used by Reshoot; correct its permissions, or set TMPDIR to another folder.",
    errno.EMFILE: "Too many files are open on this computer; try again in a minute.",
    errno.ENFILE: "Too many files are open on this computer; try again in a minute.",
    errno.EIO: "This computer's disk does not answer; try again, and check the disk.",
}


def damaged() -> tuple[type[BaseException], ...]:
    """`DAMAGED`, and what the libraries that are loaded raise."""
    loaded = [(sys.modules[module], names) for module, names in _OF_LIBRARIES.items() if module in sys.modules]
    return DAMAGED + tuple(getattr(module, name) for module, names in loaded for name in names if hasattr(module, name))


def fault(error: BaseException | None) -> str | None:
    """One sentence where ``error`` is of the computer rather than of a file: a full disk, a folder that cannot be written."""
    return _FAULTS.get(error.errno or 0) if isinstance(error, OSError) else None


class reading:
    """``with reading("room.zip is damaged; pack it again."):`` turns what a damaged file raises into that `InputError`.

    An `InputError` of the reader passes as it is; a fault of the computer is said as such, see `fault`.
    """

    def __init__(self, sentence: str) -> None:
        self.sentence = sentence

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: type | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if error is None or isinstance(error, InputError):
            return
        if words := fault(error):
            raise InputError(words) from error
        if isinstance(error, damaged()):
            raise InputError(self.sentence) from error
