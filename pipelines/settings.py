"""Self-describing settings: each field declares its default, range, label and help once.

Controls in the page, named API parameters, command-line options, validation and tables are all read from here.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import MISSING, Field, asdict, dataclass, field, fields
from typing import Any

from camera.errors import InputError


@dataclass(frozen=True)
class Control:
    """How one setting is shown and which values it allows; bounds are inclusive.

    ``file``: a text that is the path of a file on this computer; a result or a link names the file but does not carry it.
    """

    label: str
    minimum: float | None = None
    maximum: float | None = None
    step: float | None = None
    choices: tuple[str, ...] | None = None
    help: str = ""
    advanced: bool = False
    lines: int = 1
    file: bool = False


def setting(
    default: Any,
    label: str,
    *,
    minimum: float | None = None,
    maximum: float | None = None,
    step: float | None = None,
    choices: tuple[str, ...] | None = None,
    help: str = "",
    advanced: bool = False,
    lines: int = 1,
    file: bool = False,
) -> Any:
    """A dataclass field with its `Control`; the type of the setting is the type of ``default``."""
    control = Control(label, minimum, maximum, step, choices, help, advanced, lines, file)
    return field(default=default, metadata={"control": control})


@dataclass(frozen=True, kw_only=True)
class Settings:
    """Base of all settings; creation checks every value against its control and raises `InputError`."""

    def __post_init__(self) -> None:
        for declared in fields(self):
            object.__setattr__(self, declared.name, _check(declared, getattr(self, declared.name)))

    @classmethod
    def controls(cls) -> dict[str, Control]:
        return {declared.name: declared.metadata["control"] for declared in fields(cls)}

    @classmethod
    def defaults(cls) -> dict[str, Any]:
        return {declared.name: declared.default for declared in fields(cls)}

    @classmethod
    def files(cls) -> tuple[str, ...]:
        """Names of the settings that are file paths on this computer."""
        return tuple(name for name, control in cls.controls().items() if control.file)

    @classmethod
    def of(cls, values: Mapping[str, Any]) -> Settings:
        """Create settings from named values, as read from a file; raises `InputError` for unknown names."""
        unknown = sorted(set(values) - set(cls.controls()))
        if unknown:
            raise InputError(f"Unknown setting {unknown[0]!r}; known are {', '.join(cls.controls())}.")
        return cls(**values)

    def values(self) -> dict[str, Any]:
        return asdict(self)


def _check(declared: Field, value: Any) -> Any:
    control: Control = declared.metadata["control"]
    kind = type(declared.default)
    if declared.default is MISSING:
        raise TypeError(f"setting {declared.name} needs a default")
    if control.choices is not None:
        if value not in control.choices:
            raise InputError(f"{control.label} must be one of {', '.join(control.choices)}; got {value!r}.")
        return value
    if kind is str or kind is bool:
        if not isinstance(value, kind):
            raise InputError(f"{control.label} must be {'text' if kind is str else 'on or off'}; got {value!r}.")
        return value
    return _number(control, kind, value)


def _number(control: Control, kind: type, value: Any) -> int | float:
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise InputError(f"{control.label} must be a number; got {value!r}.")
    low = control.minimum if control.minimum is not None else -1e300
    high = control.maximum if control.maximum is not None else 1e300
    if not low <= value <= high:  # also refuses NaN
        raise InputError(f"{control.label} must lie between {control.minimum} and {control.maximum}; got {value}.")
    if kind is int and value != int(value):
        raise InputError(f"{control.label} must be a whole number; got {value}.")
    return kind(value)
