"""Sessions in the state in which a play begins."""

from posthouse.protocols import sasl
from posthouse.protocols.imap.session import Session

from ..plays import play

ANN = sasl.Credentials(username="ann", password="hunter2", host="imap.example.com", port=993)
ANN_BY_TOKEN = sasl.Credentials(username="ann", token="ya29.secret", host="imap.example.com", port=993)


def greeted(capabilities="", *, secure=True, **options):
    """A session that has heard a greeting, and nothing said yet."""
    session = Session(**options)
    play(
        session.open(starttls=False, secure=secure),
        f"S: * OK [CAPABILITY IMAP4rev1{' ' * bool(capabilities)}{capabilities}] hello",
    )
    return session


def signed_in(capabilities="", **options):
    """A session for which nobody had to say a word: the next command is A1."""
    session = Session(**options)
    play(
        session.open(starttls=False, secure=True),
        f"S: * PREAUTH [CAPABILITY IMAP4rev1{' ' * bool(capabilities)}{capabilities}] hello",
    )
    return session


def selected(capabilities="", *, exists=3, **options):
    """A session with INBOX open: the next command is A2."""
    session = signed_in(capabilities, **options)
    parameters = " (CONDSTORE)" if "CONDSTORE" in capabilities else ""
    play(
        session.select("INBOX"),
        f"""
        C: A1 EXAMINE INBOX{parameters}
        S: * {exists} EXISTS
        S: * OK [UIDVALIDITY 7]
        S: * OK [UIDNEXT {exists + 1}]
        S: A1 OK [READ-ONLY] done
        """,
    )
    return session
