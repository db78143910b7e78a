"""Every model of the wire, held against what the clients expect of it: names, types, words, what may be null."""

from importlib import import_module
from pkgutil import iter_modules
from typing import Any

import pytest

from api.contract import ALWAYS_NULL, ANYTHING, KEYS_OF_OURS, MODELS, NAMED_OTHERWISE, NOT_OURS
from api.samples import bare_answers, whole_answers
from posthouse.api import wire
from posthouse.api.wire.common import WireModel

TYPES = {"str": "string", "int": "integer", "float": "number", "bool": "boolean", "datetime": "string"}

MODULES = [import_module(f"{wire.__name__}.{found.name}") for found in iter_modules(wire.__path__)]


def our_model(name: str) -> type[WireModel]:
    ours = NAMED_OTHERWISE.get(name, name)
    found = [getattr(module, ours) for module in MODULES if hasattr(module, ours)]
    assert found, f"nothing on our wire is called {ours}"
    model: type[WireModel] = found[0]
    return model


def fields(name: str) -> dict[str, dict[str, Any]]:
    return {field["name"]: field for field in MODELS[name]["fields"]}


def answered() -> list[str]:
    return [name for name, model in MODELS.items() if "response" in model["used"] and name not in NOT_OURS]


def asked() -> list[str]:
    return [name for name, model in MODELS.items() if "request" in model["used"] and name not in ANYTHING]


class Shape:
    """One property of a JSON schema, with its references followed."""

    def __init__(self, schema: dict[str, Any], definitions: dict[str, Any]) -> None:
        options = schema.get("anyOf", [schema])
        anything = not {"anyOf", "type", "$ref"} & set(schema)
        self.nullable = anything or any(option.get("type") == "null" for option in options)
        kinds = [option for option in options if option.get("type") != "null"]
        assert len(kinds) <= 1
        self.model = None
        kind = kinds[0] if kinds else {}
        while "$ref" in kind:
            self.model = kind["$ref"].rpartition("/")[2]
            kind = definitions[self.model]
        self.type = kind.get("type")
        self.words = set(kind.get("enum", ()))
        self.format = kind.get("format")
        self.items = Shape(kind["items"], definitions) if isinstance(kind.get("items"), dict) else None


def shapes(model: type[WireModel], mode: Any) -> tuple[dict[str, Shape], set[str]]:
    schema = model.model_json_schema(mode=mode)
    definitions = schema.get("$defs", {})
    properties = {name: Shape(value, definitions) for name, value in schema["properties"].items()}
    return properties, set(schema.get("required", ()))


def check_type(shape: Shape, wanted: str, where: str) -> None:
    if wanted.startswith("list["):
        assert shape.type == "array", where
        assert shape.items is not None, where
        check_type(shape.items, wanted.removeprefix("list[").removesuffix("]"), where)
    elif wanted.startswith("dict("):
        assert shape.type == "object", where
    elif wanted == "object":
        assert shape.type is None, where
    elif wanted in TYPES:
        assert shape.type == TYPES[wanted], where
        if wanted == "datetime":
            assert shape.format == "date-time", where
    else:
        assert shape.model == NAMED_OTHERWISE.get(wanted, wanted), where


@pytest.mark.parametrize("name", answered())
def test_an_answer_has_the_keys_the_types_and_the_words_that_clients_know(name: str) -> None:
    ours, always_there = shapes(our_model(name), "serialization")
    theirs = fields(name)
    assert set(ours) - set(theirs) == KEYS_OF_OURS.get(name, set())
    assert set(theirs) <= set(ours)
    for key, field in theirs.items():
        where = f"{name}.{key}"
        assert key in always_there, f"{where} may be left out of an answer"
        shape = ours[key]
        if (name, key) in ALWAYS_NULL:
            assert shape.nullable, where
            assert shape.type is None, where
            continue
        if not field["nullable"]:
            assert not shape.nullable, f"{where} may never be null"
        check_type(shape, field["type"], where)
        if "enum" in field:
            assert shape.words, f"{where} must be one of {field['enum']}"
            assert shape.words <= set(field["enum"]), f"{where} could say what no client knows"


@pytest.mark.parametrize("name", asked())
def test_a_request_may_say_all_that_clients_can_say(name: str) -> None:
    ours, required = shapes(our_model(name), "validation")
    theirs = fields(name)
    assert set(ours) - set(theirs) == KEYS_OF_OURS.get(name, set())
    assert set(theirs) <= set(ours)
    assert required == {key for key, field in theirs.items() if field["required"]}
    for key, field in theirs.items():
        where = f"{name}.{key}"
        shape = ours[key]
        check_type(shape, field["type"], where)
        if not field["required"]:
            assert shape.nullable, f"{where}: JavaScript sends null where the user did"
        if "enum" in field:
            assert shape.words == set(field["enum"]), where


def test_every_model_that_we_answer_with_has_a_sample() -> None:
    assert {type(answer).__name__ for answer in whole_answers()} == {
        NAMED_OTHERWISE.get(name, name) for name in answered()
    } - {"SendEmailOptions", "SendEmailBodyPart"}


@pytest.mark.parametrize("answer", [*whole_answers(), *bare_answers()], ids=lambda it: type(it).__name__)
def test_what_may_not_be_null_is_not(answer: WireModel) -> None:
    name = type(answer).__name__
    said = answer.model_dump(mode="json")
    for key, field in fields({ours: theirs for theirs, ours in NAMED_OTHERWISE.items()}.get(name, name)).items():
        assert key in said
        if not field["nullable"]:
            assert said[key] is not None, key
