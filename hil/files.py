"""Reading the project's TOML files: every error is one line with file, key, range and unit."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Annotated, Any, Final, TypeVar

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError
from pydantic.fields import FieldInfo

__all__ = ["Figure", "FileError", "FileModel", "bounded", "load_toml", "parse_toml"]

ORIGINS: Final = ("published", "computed", "assumed")
"""Where a figure of a vehicle may come from."""


class FileError(Exception):
    """A file that cannot be used: one line that names file, key, range and unit; exit status 2."""


class FileModel(BaseModel):
    """Base of everything that is read from TOML: unknown keys are errors, values do not change."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


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
        data = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise FileError(f"{name}: broken TOML: {error}") from None
    try:
        return model.model_validate(data)
    except ValidationError as error:
        raise FileError(f"{name}: {_first_line(error, model)}") from None


def _first_line(error: ValidationError, model: type[BaseModel]) -> str:
    """Say the first error of a file in one line: key, what is wrong, range and unit."""
    errors = error.errors()
    # a misspelt key is reported as such, not as the missing key that it was meant to be
    first = next((e for e in errors if e["type"] == "extra_forbidden"), errors[0])
    key = ".".join(str(part) for part in first["loc"] if not str(part).startswith("function-"))
    if first["type"] == "extra_forbidden":
        return f"unknown key {key!r}"
    if first["type"] == "missing":
        return f"key {key!r} is missing{_range_of(model, first['loc'])}"
    text = first["msg"].removeprefix("Value error, ")
    if not key:
        return text
    if first["type"] == "value_error":
        return f"key {key!r}: {text}"
    return f"key {key!r} = {first['input']!r}: {text[0].lower()}{text[1:]}{_range_of(model, first['loc'])}"


def _range_of(model: type[BaseModel], loc: tuple[int | str, ...]) -> str:
    """Return ' (allowed: low to high unit)' for the field at `loc`, or '' where none is stated."""
    field = _field_at(model, loc)
    if field is None:
        return ""
    bounds = {type(m).__name__: m for m in field.metadata}
    extra = field.json_schema_extra if isinstance(field.json_schema_extra, dict) else {}
    if "Ge" not in bounds or "Le" not in bounds:
        return ""
    return f" (allowed: {bounds['Ge'].ge:g} to {bounds['Le'].le:g} {extra.get('unit', '')})"


def _field_at(model: type[BaseModel], loc: tuple[int | str, ...]) -> FieldInfo | None:
    """Follow `loc` through nested models, lists and dictionaries to the field it names."""
    found: FieldInfo | None = None
    here: type[BaseModel] | None = model
    for part in loc:
        if isinstance(part, str) and here is not None:
            by_alias = {(f.alias or name): f for name, f in here.model_fields.items()}
            if part in by_alias:
                found = by_alias[part]
                here = _model_in(found.annotation)
    return found


def _model_in(annotation: Any) -> type[BaseModel] | None:
    """Return the model inside an annotation such as `list[Model]` or `dict[str, Model] | None`."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    for argument in getattr(annotation, "__args__", ()):
        inner = _model_in(argument)
        if inner is not None:
            return inner
    return None
