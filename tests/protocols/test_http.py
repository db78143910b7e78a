"""POST and its answer, as plays."""

import pytest

from posthouse.protocols.exchange import ConnectionClosed, Exchange, LocalProtocolError, RemoteProtocolError
from posthouse.protocols.http import Response, post

from .plays import play

ASKED = """
    C: POST /in?a=b HTTP/1.1
    C: Host: hooks.example.org
    C: X-Team: blue
    C: Content-Length: 2
    C: Connection: close
    C:
    C- {}
"""


def asking(most: int = 100) -> Exchange[Response]:
    return post("hooks.example.org", "/in?a=b", {"X-Team": "blue"}, b"{}", most=most)


@pytest.mark.parametrize("pieces", [1, 7, None])
def test_an_answer_with_a_length_is_read_to_its_end(pieces: int | None) -> None:
    script = f"""{ASKED}
        S: HTTP/1.1 201 Created
        S: Content-Length: 5
        S: Retry-After: 7
        S:
        S- hello
    """
    response = play(asking(), script, pieces=pieces)
    assert (response.status, response.body, response.headers["retry-after"]) == (201, b"hello", "7")


def test_a_redirect_is_an_answer() -> None:
    script = f"""{ASKED}
        S: HTTP/1.1 302 Found
        S: Location: http://169.254.169.254/
        S: Content-Length: 0
        S:
    """
    assert play(asking(), script).status == 302


def test_chunks_are_put_together() -> None:
    script = f"""{ASKED}
        S: HTTP/1.1 200 OK
        S: Transfer-Encoding: chunked
        S:
        S: 3
        S: hel
        S: 2
        S: lo
        S: 0
        S:
    """
    assert play(asking(), script).body == b"hello"


def test_an_answer_without_a_length_ends_with_the_connection() -> None:
    script = f"""{ASKED}
        S: HTTP/1.0 200 OK
        S:
        S- hel
        (then)
        S- lo
        (closed)
    """
    assert play(asking(), script).body == b"hello"


def test_of_a_long_answer_the_beginning_is_read() -> None:
    script = f"""{ASKED}
        S: HTTP/1.1 200 OK
        S: Content-Length: 1000000000
        S:
        S- hello and more
    """
    assert play(asking(most=5), script).body == b"hello"


def test_interim_answers_are_passed_over_but_not_for_ever() -> None:
    script = f"""{ASKED}
        S: HTTP/1.1 103 Early Hints
        S:
        S: HTTP/1.1 204 No Content
        S:
    """
    assert play(asking(), script).status == 204
    endless = ASKED + "    S: HTTP/1.1 103 Early Hints\n    S:\n" * 20
    with pytest.raises(RemoteProtocolError, match="interim"):
        play(asking(), endless)


def test_no_answer_at_all_is_told_as_such() -> None:
    with pytest.raises(ConnectionClosed):
        play(asking(), ASKED + "    (closed)")
    with pytest.raises(RemoteProtocolError):
        play(asking(), f"{ASKED}    S- HTTP/1.1 200 O\n    (closed)")


@pytest.mark.parametrize("nonsense", ["220 mail.example.org ESMTP", "HTTP/1.1 abc", "\udcff\udcff"])
def test_what_is_no_http_is_told_as_such(nonsense: str) -> None:
    with pytest.raises(RemoteProtocolError):
        play(asking(), f"{ASKED}    S: {nonsense}\n    S:")


def test_endless_headers_are_cut_off() -> None:
    script = f"{ASKED}    S: HTTP/1.1 200 OK\n" + "".join(f"    S: X-{n}: {'a' * 500}\n" for n in range(400))
    with pytest.raises(RemoteProtocolError):
        play(asking(), script + "    S:", pieces=4000)


@pytest.mark.parametrize("header", [("X-A", "b\r\nX-C: d"), ("X A", "b"), ("X-A", "b\0")])
def test_a_line_break_in_a_header_gets_nowhere(header: tuple[str, str]) -> None:
    with pytest.raises(LocalProtocolError):
        play(post("hooks.example.org", "/", dict([header]), b"", most=10), "")
