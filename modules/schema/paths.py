"""What the values of a request are called where there is one level of names: by controls, options, parameters."""

from collections.abc import Iterator

from pydantic import BaseModel
from pydantic.fields import FieldInfo


def flat_name(model: type[BaseModel], path: str) -> str:
    """ "sampling.steps" -> "steps", "hires.steps" -> "hires_steps": a nested model whose field in the schema is marked
    with `prefix` lends its name."""
    first, _, rest = path.partition(".")
    if not rest:
        return first
    field = model.model_fields[first]
    inner = nested_model(field)
    assert inner is not None
    name = flat_name(inner, rest)
    marks = field.json_schema_extra
    return f"{first}_{name}" if isinstance(marks, dict) and "prefix" in marks else name


def leaves(model: type[BaseModel], prefix: str = "") -> Iterator[tuple[str, FieldInfo]]:
    """The paths of all values that can be given, those of nested models too, with their fields. What is marked with
    `resolved` is not given as a value: it is decided when a request is submitted, or follows from files."""
    for name, field in model.model_fields.items():
        marks = field.json_schema_extra
        if isinstance(marks, dict) and "resolved" in marks:
            continue
        if (inner := nested_model(field)) is not None:
            yield from leaves(inner, f"{prefix}{name}.")
        else:
            yield prefix + name, field


def nested_model(field: FieldInfo) -> type[BaseModel] | None:
    """The model of a field whose values are fields again."""
    kind = field.annotation
    return kind if isinstance(kind, type) and issubclass(kind, BaseModel) else None
