"""What the outside may rely on, whole: one JSON file a model, and the official Python client reads each of them.

After a change that is meant, write the files anew with `POSTHOUSE_GOLDEN=write pytest tests/api` and read the
difference.
"""

import json
import os
from pathlib import Path
from types import SimpleNamespace

import mailslurp_client
import pytest

from api.contract import NAMED_OTHERWISE
from api.samples import CANARY, bare_answers, whole_answers
from posthouse.api.wire.common import WireModel

GOLDEN = Path(__file__).with_name("golden")


def name_of(answer: WireModel) -> str:
    return type(answer).__name__


@pytest.mark.parametrize("answer", [*whole_answers()], ids=name_of)
def test_an_answer_looks_as_it_always_did(answer: WireModel) -> None:
    file = GOLDEN / f"{name_of(answer)}.json"
    said = json.dumps(json.loads(answer.model_dump_json()), indent=2, ensure_ascii=False) + "\n"
    if os.environ.get("POSTHOUSE_GOLDEN") == "write":
        file.write_text(said, "utf-8")
    assert said == file.read_text("utf-8")


def test_there_is_no_golden_file_without_a_model() -> None:
    assert {file.stem for file in GOLDEN.iterdir()} == {name_of(answer) for answer in whole_answers()}


@pytest.mark.parametrize("answer", [*whole_answers(), *bare_answers()], ids=name_of)
def test_the_official_client_understands_an_answer(answer: WireModel) -> None:
    name = {ours: theirs for theirs, ours in NAMED_OTHERWISE.items()}.get(name_of(answer), name_of(answer))
    client = mailslurp_client.ApiClient()
    read = client.deserialize(SimpleNamespace(data=answer.model_dump_json()), name)
    assert type(read).__name__ == name


@pytest.mark.parametrize("answer", [*whole_answers(), *bare_answers()], ids=name_of)
def test_no_answer_holds_a_password(answer: WireModel) -> None:
    assert CANARY not in answer.model_dump_json()
    assert CANARY not in repr(answer)
