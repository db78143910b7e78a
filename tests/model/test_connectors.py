"""What a change of settings means for a stored password."""

from dataclasses import replace

import pytest

from posthouse.model.connectors import ImapSettings, Proxy, Security, exposed_by

SAFE = ImapSettings(host="a", port=993, security=Security.TLS, tls_protocols=("TLSv1.3",))
BARE = replace(SAFE, port=143, security=Security.PLAIN, tls_trust="*", proxy=Proxy(host="p", port=1))


@pytest.mark.parametrize(
    ("change", "word"),
    [
        ({"host": "b"}, "server"),
        ({"security": Security.PLAIN}, "encryption"),
        ({"tls_trust": "*"}, "certificate"),
        ({"tls_protocols": ("TLSv1.2", "TLSv1.3")}, "TLS version"),
        ({"proxy": Proxy(host="p", port=1, enabled=False)}, "proxy"),
    ],
)
def test_a_password_that_could_reach_somebody_else_is_exposed(change: dict[str, object], word: str) -> None:
    assert exposed_by(SAFE, replace(SAFE, **change)) == word  # type: ignore[arg-type]


def test_other_changes_and_more_protection_expose_nothing() -> None:
    assert exposed_by(SAFE, replace(SAFE, port=1, username="x", folder="y", enabled=False)) == ""
    assert exposed_by(SAFE, replace(SAFE, security=Security.STARTTLS)) == ""
    assert exposed_by(BARE, replace(SAFE, proxy=None)) == exposed_by(BARE, BARE) == ""
