"""What a mailbox may be asked, by the host that it is at."""

import pytest

from posthouse.model.budgets import MOST_LOGINS, Budget, Usage, budget_of


@pytest.mark.parametrize(
    ("host", "provider", "sessions", "lasting"),
    [
        ("imap.gmail.com", "Google", 10, 8),
        ("IMAP.GoogleMail.com.", "Google", 10, 8),
        ("outlook.office365.com", "Microsoft", 10, 8),
        ("imap.mail.yahoo.com", "Yahoo", 3, 2),
        ("imap.aol.com", "Yahoo", 3, 2),
        ("secure.emailsrvr.com", "Rackspace", 10, 8),
        ("notgmail.com", "", None, None),
        ("gmail.com.example.org", "", None, None),
        ("", "", None, None),
    ],
)
def test_a_budget_is_known_by_the_host(host: str, provider: str, sessions: int | None, lasting: int | None) -> None:
    budget = budget_of(host)
    assert (budget.provider, budget.sessions, budget.lasting_sessions) == (provider, sessions, lasting)
    assert budget.daily_logins == MOST_LOGINS


def test_sign_ins_are_bounded_out_of_reach_of_a_poll_every_ten_seconds() -> None:
    assert MOST_LOGINS > 24 * 60 * 60 / 10


def test_what_is_left_of_a_day_is_never_less_than_nothing() -> None:
    budget = Budget(daily_bytes=100)
    assert [budget.bytes_left(Usage(bytes=used)) for used in (0, 40, 100, 250)] == [100, 60, 0, 0]
    assert Budget().bytes_left(Usage(bytes=10**12)) is None
