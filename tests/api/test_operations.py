"""The catalogue of what clients may ask for."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from api.contract import OPERATIONS
from posthouse.api.operations import Catalogue, Operation, known_operations


def test_every_operation_of_the_clients_is_known() -> None:
    known = known_operations().operations
    assert len(known) == 847
    assert [sum(operation.tier == tier for operation in known) for tier in (1, 2, 3)] == [106, 204, 537]


@pytest.mark.parametrize("name", OPERATIONS)
def test_the_catalogue_and_the_contract_agree(name: str) -> None:
    wanted = OPERATIONS[name]
    found = known_operations().find(wanted["method"], wanted["path"])
    assert found == Operation(wanted["method"], wanted["path"], name, wanted["tier"])


def test_every_operation_is_found_by_a_path_of_its_own() -> None:
    catalogue = known_operations()
    for operation in catalogue.operations:
        segments = ["x1" if part.startswith("{") else part for part in operation.path.split("/")]
        assert catalogue.find(operation.method, "/".join(segments)) == operation


def catalogue(*operations: str) -> Catalogue:
    return Catalogue(Operation(method, path, name=path, tier=1) for method, path in map(str.split, operations))


def test_a_literal_is_preferred_to_a_parameter() -> None:
    known = catalogue("GET /emails/{id}", "GET /emails/latest", "GET /emails/{id}/html")
    assert known.find("GET", "/emails/latest") == Operation("GET", "/emails/latest", "/emails/latest", 1)
    found = known.find("GET", "/emails/latest/html")
    assert found
    assert found.path == "/emails/{id}/html"


def test_a_literal_without_the_method_leaves_it_to_a_parameter() -> None:
    known = catalogue("DELETE /emails/{id}", "GET /emails/latest")
    found = known.find("DELETE", "/emails/latest")
    assert found
    assert found.path == "/emails/{id}"
    assert known.methods("/emails/latest") == ("DELETE", "GET")


@pytest.mark.parametrize("path", ["", "/", "emails", "/emails/", "/emails//html", "/emails/1/", "/nowhere"])
def test_what_is_no_path_of_ours_is_not_found(path: str) -> None:
    known = catalogue("GET /emails", "GET /emails/{id}", "GET /emails/{id}/html")
    assert known.find("GET", path) is None
    assert known.methods(path) == ()


@settings(max_examples=100, deadline=None)
@given(st.text(max_size=60) | st.lists(st.sampled_from(["emails", "x", "", "{id}"]), max_size=2000).map("/".join))
def test_any_path_can_be_looked_up(path: str) -> None:
    known_operations().find("GET", path)
    known_operations().methods(path)
