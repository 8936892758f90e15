"""Reading the project's TOML files: every error is one line with file, key, range and unit."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, Final, TypeVar, get_args, get_origin

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError
from pydantic.fields import FieldInfo

__all__ = ["Figure", "FileError", "FileModel", "Name", "NotSupported", "bounded", "load_toml", "parse_toml"]

ORIGINS: Final = ("published", "computed", "assumed")
"""Where a figure of a vehicle may come from."""

_LONGEST: Final = 80
"""What an error line quotes of a key or a value."""


class FileError(Exception):
    """A file that cannot be used: one line that names file, key, range and unit; exit status 2."""


class NotSupported(FileError):
    """A rig cannot fly what a case asks for; each file is good by itself."""


class FileModel(BaseModel):
    """Base of everything that is read from TOML: unknown keys are errors, values do not change.

    Types are TOML's own: a whole number may stand for a number, but no truth value or string does.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False, strict=True)


def _plain(name: str) -> str:
    """Refuse what could not be part of a file's name everywhere."""
    if re.fullmatch(r"[A-Za-z0-9_-]{1,64}", name) is None:
        raise ValueError(f"{_shown(name)} is not a name (1 to 64 letters, digits, _ and -)")
    return name


Name = Annotated[str, AfterValidator(_plain)]
"""A name that files and folders are called by."""


def _untag(value: Any) -> Any:
    """Take the value out of `{ value = 1.0, origin = "published", note = "..." }`."""
    if not isinstance(value, dict) or "value" not in value:
        raise ValueError(
            'must be written { value = ..., origin = "published|computed|assumed", note = "..." }'
        )
    unknown = set(value) - {"value", "origin", "note"}
    if unknown:
        raise ValueError(f"has an unknown key {sorted(unknown)[0]!r}")
    if value.get("origin") not in ORIGINS:
        raise ValueError(f"origin must be one of {', '.join(ORIGINS)}")
    return value["value"]


Figure = Annotated[float, BeforeValidator(_untag)]
"""A figure of a vehicle: a number written with its origin."""


def bounded(low: float, high: float, unit: str, *, default: Any = ...) -> Any:
    """Return the field of a number from `low` to `high` (both allowed), in `unit`."""
    return Field(default, ge=low, le=high, json_schema_extra={"unit": unit})


Model = TypeVar("Model", bound=FileModel)


def load_toml(path: Path, model: type[Model]) -> Model:
    """Read the file `path` as a `model`; raise FileError with one line when it cannot be used."""
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise FileError(f"{path}: no such file") from None
    except (OSError, UnicodeDecodeError) as error:
        raise FileError(f"{path}: cannot be read: {error}") from None
    return parse_toml(text, str(path), model)


def parse_toml(text: str, name: str, model: type[Model]) -> Model:
    """Read TOML `text` as a `model`; `name` is the file's name for the error."""
    try:
        data = _frozen(tomllib.loads(text))
    except RecursionError:
        raise FileError(f"{name}: broken TOML: nested too deeply") from None
    except ValueError as error:  # TOMLDecodeError, and numbers of thousands of digits
        raise FileError(f"{name}: broken TOML: {error}") from None
    try:
        return model.model_validate(data)
    except ValidationError as error:
        raise FileError(f"{name}: {_first_line(error, model)}") from None


def _frozen(value: Any) -> Any:
    """Return parsed TOML with its arrays as tuples."""
    if isinstance(value, dict):
        return {key: _frozen(inner) for key, inner in value.items()}
    return tuple(_frozen(inner) for inner in value) if isinstance(value, list) else value


def _shown(value: object) -> str:
    """Return a value as an error line quotes it."""
    text = repr(value)
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 3]}..."


def _first_line(error: ValidationError, model: type[BaseModel]) -> str:
    """Say the first error of a file in one line: key, what is wrong, range and unit."""
    errors = error.errors()
    # a misspelt key is reported as such, not as the missing key that it was meant to be
    first = next((e for e in errors if e["type"] == "extra_forbidden"), errors[0])
    parts = [str(part) for part in first["loc"] if not str(part).startswith("function-")]
    key = _shown(".".join(part for part in parts if part != "[key]"))
    if first["type"] == "extra_forbidden":
        return f"unknown key {key}"
    if first["type"] == "missing":
        return f"key {key} is missing{_range_of(model, first['loc'])}"
    text = first["msg"].removeprefix("Value error, ")
    if not parts:
        return text
    if first["type"] == "value_error":
        return f"key {key}: {text}"
    value = _shown(first["input"])
    return f"key {key} = {value}: {text[0].lower()}{text[1:]}{_range_of(model, first['loc'])}"


def _range_of(model: type[BaseModel], loc: tuple[int | str, ...]) -> str:
    """Return ' (allowed: low to high unit)' for the value at `loc`, or '' where none is stated."""
    annotation: Any = model
    notes: list[Any] = []
    for part in loc:
        annotation, notes = _inside(annotation, part, notes)
    annotation, inner = _bare(annotation)
    bounds: dict[str, Any] = {}
    unit = ""
    for note in _flat([*notes, *inner]):
        bounds[type(note).__name__] = note
        extra = note.json_schema_extra if isinstance(note, FieldInfo) else None
        unit = str(extra.get("unit", unit)) if isinstance(extra, dict) else unit
    if "Ge" not in bounds or "Le" not in bounds:
        return ""
    allowed = f"{bounds['Ge'].ge:g} to {bounds['Le'].le:g} {unit}".rstrip()
    return f" (allowed: {allowed})"


def _flat(notes: Sequence[Any]) -> list[Any]:
    """Return notes on a type, those that a field holds included."""
    found = []
    for note in notes:
        found += [note, *note.metadata] if isinstance(note, FieldInfo) else [note]
    return found


def _bare(annotation: Any) -> tuple[Any, list[Any]]:
    """Strip `Annotated` and `| None` from a type; return it with the notes that were on it."""
    notes: list[Any] = []
    while True:
        arguments = get_args(annotation)
        if get_origin(annotation) is Annotated:
            annotation, notes = arguments[0], [*notes, *arguments[1:]]
        elif type(None) in arguments:
            annotation = next(a for a in arguments if a is not type(None))
        else:
            return annotation, notes


def _inside(annotation: Any, part: int | str, notes: list[Any]) -> tuple[Any, list[Any]]:
    """Return type and notes of what `part` names in a value; those of the value where `part` is no key."""
    bare, _ = _bare(annotation)
    arguments = get_args(bare)
    if isinstance(part, str) and isinstance(bare, type) and issubclass(bare, BaseModel):
        for name, field in bare.model_fields.items():
            if part == (field.alias or name):
                return field.annotation, [field]
    elif isinstance(part, str) and get_origin(bare) is dict:
        return arguments[1], []
    elif isinstance(part, int) and get_origin(bare) is tuple:
        return (arguments[0] if arguments[-1] is Ellipsis else arguments[part]), []
    return annotation, notes
