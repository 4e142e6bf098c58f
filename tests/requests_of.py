"""Random requests, made from the schema: a new field is drawn without a change here."""

from typing import Any, Literal, Union, get_args, get_origin

from hypothesis import settings
from hypothesis import strategies as st
from pydantic import BaseModel
from pydantic.fields import FieldInfo

CALM = settings(deadline=None, derandomize=True, database=None)
"""The same examples each time, however slow the machine is."""

TEXTS = st.one_of(
    st.text(st.characters(exclude_categories=["Cs"]), max_size=60),
    st.text(st.sampled_from('ab ,:"\\\n\r\t[]{}()|_éığ🏚'), max_size=30),
    st.sampled_from(
        [
            "Negative prompt: x",
            "a\nNegative prompt: b\nSteps: 20, Sampler: none, Seed: 3",
            " a ",
            "Steps: 1, Seed: 2, a: b",
        ]
    ),
)
"""Texts, and those that look like what surrounds them."""


def requests_of(model: type[BaseModel]) -> st.SearchStrategy[Any]:
    """Any value of a model that its own rules allow."""
    fields = {name: _values(field.annotation, field) for name, field in model.model_fields.items()}
    return st.fixed_dictionaries(fields).filter(lambda values: _allowed(model, values)).map(model.model_validate)


def _allowed(model: type[BaseModel], values: dict[str, Any]) -> bool:
    try:
        model.model_validate(values)
    except ValueError:
        return False
    return True


def _values(annotation: Any, field: FieldInfo) -> st.SearchStrategy[Any]:
    if get_origin(annotation) is Literal:
        return st.sampled_from(get_args(annotation))
    if get_origin(annotation) in (Union, type(int | None)):
        return st.one_of(*(_values(part, field) for part in get_args(annotation) if part is not type(None)))
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return requests_of(annotation)
    if annotation is bool:
        return st.booleans()
    if any(getattr(mark, "pattern", None) for mark in field.metadata):  # a digest, or none
        return st.sampled_from(["", "0123456789abcdef" * 4])
    marks = {
        name: getattr(mark, name)
        for mark in field.metadata
        for name in ("ge", "le", "multiple_of")
        if hasattr(mark, name)
    }
    step = marks.get("multiple_of", 1)
    if annotation is int:
        return st.integers(-(-marks["ge"] // step), marks["le"] // step).map(lambda count: count * step)
    if annotation is float:
        return st.floats(marks["ge"], marks["le"])
    if annotation is str:
        return TEXTS
    return st.just(field.get_default(call_default_factory=True))
