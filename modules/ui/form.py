"""Controls named by schema path: bounds, steps, defaults and help come from the schema, values go back into it."""

import inspect
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Generic, TypeVar, get_args

import gradio as gr
from gradio.blocks import BlockContext
from gradio.components import Component
from pydantic import BaseModel, ValidationError
from pydantic.fields import FieldInfo

from modules.schema.errors import InvalidRequest
from modules.schema.paths import flat_name, leaves, nested_model
from modules.ui.language import Translate

Model = TypeVar("Model", bound=BaseModel)


class Form(Generic[Model]):
    """The controls of one request. Each is known to Gradio and to its API by its flat name (schema/paths.py).

    `prefix` sets its elements' ids apart from those of other tabs.
    """

    def __init__(self, model: type[Model], translate: Translate, prefix: str = "") -> None:
        self.model, self._translate, self.prefix = model, translate, prefix
        self._controls: dict[str, Component] = {}
        self._beside: dict[str, Component] = {}

    def add(self, path: str, control: Component) -> Component:
        """Take a control made elsewhere for the value at `path`."""
        field_at(self.model, path)
        self._controls[path] = control
        return control

    def add_beside(self, name: str, control: Component) -> None:
        """Take a control for what is no value of the request: handlers get it by that name, None where it is empty."""
        self._beside[name] = control

    def slider(self, path: str, **options: Any) -> gr.Slider:
        """A number between the schema's bounds."""
        field = field_at(self.model, path)
        low, high = bounds(field)
        step = _extra(field).get("step") or _multiple(field) or 1
        control = gr.Slider(**{**self._common(path, field), "minimum": low, "maximum": high, "step": step, **options})
        return self._keep(path, control)

    def number(self, path: str, **options: Any) -> gr.Number:
        """A whole number to type; what is out of bounds is refused at submit, by name."""
        return self._keep(path, gr.Number(**{**self._common(path), "precision": 0, **options}))

    def textbox(self, path: str, **options: Any) -> gr.Textbox:
        """A text."""
        common = self._common(path)
        placeholder = common.pop("info")
        return self._keep(path, gr.Textbox(**{**common, "placeholder": placeholder, **options}))

    def dropdown(self, path: str, choices: Sequence[str | tuple[str, str]], **options: Any) -> gr.Dropdown:
        """One of several names, or of (label, name) pairs."""
        return self._keep(path, gr.Dropdown(**{**self._common(path), "choices": list(choices), **options}))

    def checkbox(self, path: str, **options: Any) -> gr.Checkbox:
        """Yes or no."""
        return self._keep(path, gr.Checkbox(**{**self._common(path), **options}))

    @property
    def paths(self) -> set[str]:
        """Which values have a control."""
        return set(self._controls)

    def inputs(self) -> dict[str, Component | BlockContext]:
        """The controls by their names, for Gradio's inputs_kwargs."""
        return {**{self._name(path): control for path, control in self._controls.items()}, **self._beside}

    def control(self, path: str) -> Component:
        """The control of a value."""
        return self._controls[path]

    def read(self, values: Mapping[str, Any]) -> Model:
        """The request that the controls' values make. Raises InvalidRequest naming the control that is wrong."""
        tree: dict[str, Any] = {}
        for path in self._controls:
            *parents, last = path.split(".")
            branch = tree
            for parent in parents:
                branch = branch.setdefault(parent, {})
            if (value := values.get(self._name(path))) is not None:
                branch[last] = value
        try:
            return self.model.model_validate(tree)
        except ValidationError as error:
            first = error.errors()[0]
            path = ".".join(str(part) for part in first["loc"])
            label = getattr(self._controls.get(path), "label", None) or path
            raise InvalidRequest(f"{label}: {first['msg']}.", path) from None

    def write(self, request: Model) -> dict[Component, Any]:
        """The controls' updates that show a request."""
        return {control: self.shown(path, _value(request, path)) for path, control in self._controls.items()}

    def shown(self, path: str, value: Any) -> Any:
        """The update of a control that shows a value; one for a list of nested values holds it as JSON."""
        if _is_list_of_values(field_at(self.model, path)):
            value = json.dumps([one.model_dump(mode="json") for one in value], ensure_ascii=False)
        return gr.update(value=value)

    def handler(self, function: Callable[[Mapping[str, Any]], Iterator[Any]]) -> Callable[..., Iterator[Any]]:
        """A Gradio handler with one named parameter a control, whose defaults are the schema's: so the page's API
        has named, optional parameters."""

        def handle(**values: Any) -> Iterator[Any]:
            yield from function(values)

        handle.__doc__ = function.__doc__
        parameters = [
            inspect.Parameter(self._name(path), inspect.Parameter.KEYWORD_ONLY, default=_default(self.model, path))
            for path in self._controls
        ]
        parameters += [inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=None) for name in self._beside]
        handle.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
        return handle

    def _common(self, path: str, field: FieldInfo | None = None) -> dict[str, Any]:
        field = field or field_at(self.model, path)
        return {
            "label": self._translate(field.title or path),
            "info": self._translate(field.description or ""),
            "value": _default(self.model, path),
            "elem_id": self.prefix + path.replace(".", "-"),
        }

    def _name(self, path: str) -> str:
        return flat_name(self.model, path)

    def _keep(self, path: str, control: Any) -> Any:
        self._controls[path] = control
        return control


def field_at(model: type[BaseModel], path: str) -> FieldInfo:
    """The schema's field at a path such as "sampling.steps". Raises KeyError when there is none."""
    first, _, rest = path.partition(".")
    field = model.model_fields[first]
    if not rest:
        return field
    inner = nested_model(field)
    assert inner is not None
    return field_at(inner, rest)


def leaf_paths(model: type[BaseModel]) -> Iterator[str]:
    """The paths of all values that a person may give: not `task`, and not what is decided at submit."""
    return (path for path, _ in leaves(model) if path != "task")


def bounds(field: FieldInfo) -> tuple[float, float]:
    """The least and the greatest value that the schema allows."""
    low = next(mark.ge for mark in field.metadata if hasattr(mark, "ge"))
    high = next(mark.le for mark in field.metadata if hasattr(mark, "le"))
    return low, high


def _multiple(field: FieldInfo) -> float | None:
    return next((mark.multiple_of for mark in field.metadata if hasattr(mark, "multiple_of")), None)


def _is_list_of_values(field: FieldInfo) -> bool:
    kinds = get_args(field.annotation)
    return bool(kinds) and isinstance(kinds[0], type) and issubclass(kinds[0], BaseModel)


def _extra(field: FieldInfo) -> Mapping[str, Any]:
    return field.json_schema_extra if isinstance(field.json_schema_extra, dict) else {}


def _value(request: BaseModel, path: str) -> Any:
    value: Any = request
    for part in path.split("."):
        value = getattr(value, part)
    return value


def _default(model: type[BaseModel], path: str) -> Any:
    return _value(model(), path)
