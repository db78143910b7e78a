"""What is proposed for an address."""

import pytest

from posthouse.model.connectors import Security
from posthouse.model.providers import BY_KEY, PRESETS, TOKEN, propose


def test_a_known_domain_gets_its_providers_servers() -> None:
    proposal = propose(" Ann@GMail.com ")
    assert proposal is not None
    assert (proposal.imap.host, proposal.smtp.host) == ("imap.gmail.com", "smtp.gmail.com")
    assert (proposal.imap_username, proposal.smtp_username) == ("Ann@GMail.com", "Ann@GMail.com")


def test_user_names_have_the_form_that_the_provider_wants() -> None:
    apple, german = propose("ann@icloud.com"), propose("ann@web.de")
    assert apple is not None
    assert german is not None
    assert (apple.imap_username, apple.smtp_username) == ("ann", "ann@icloud.com")
    assert (german.imap_username, german.smtp_username) == ("ann", "ann")


def test_an_unknown_domain_gets_a_guess() -> None:
    proposal = propose("ann@firm.example")
    assert proposal is not None
    assert proposal.preset is None
    assert (proposal.imap.host, proposal.imap.port) == ("imap.firm.example", 993)
    assert (proposal.smtp.host, proposal.smtp.port) == ("smtp.firm.example", 465)


@pytest.mark.parametrize("text", ["", "ann", "ann@", "ann@localhost", "@"])
def test_what_has_no_domain_gets_nothing(text: str) -> None:
    assert propose(text) is None


def test_a_provider_may_be_named_for_an_address_in_ones_own_domain() -> None:
    proposal = propose("ann@firm.example", "microsoft365")
    assert proposal is not None
    assert proposal.preset is BY_KEY["microsoft365"]
    assert proposal.smtp.security is Security.STARTTLS


def test_no_domain_belongs_to_two_providers_and_no_key_is_there_twice() -> None:
    domains = [domain for preset in PRESETS for domain in preset.domains]
    assert len(domains) == len(set(domains))
    assert len(BY_KEY) == len(PRESETS)


def test_what_takes_a_token_alone_says_so() -> None:
    for preset in PRESETS:
        assert (preset.secret == TOKEN) == preset.key.startswith("microsoft")
        assert preset.secret != TOKEN or "no password" in preset.warning
