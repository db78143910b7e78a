"""The commands of any state, and those by which a client becomes somebody."""

import base64

from posthouse.simulator import sasl
from posthouse.simulator.imap.grammar import BadSyntax
from posthouse.simulator.imap.session import LONGEST_LINE, Call, Session
from posthouse.simulator.mailbox import Refused, User
from posthouse.simulator.wire import Hangup

APPLICATIONS_ONLY = (
    "[ALERT] Application-specific password required: https://support.google.com/accounts/answer/185833 (Failure)"
)


async def capability(session: Session, call: Call) -> str:
    call.arguments.end()
    await session.say(f"* CAPABILITY {session.capabilities()}")
    return "OK Done"


async def noop(_session: Session, call: Call) -> str:
    call.arguments.end()
    return "OK Nothing done"


async def logout(session: Session, call: Call) -> str:
    call.arguments.end()
    await session.say("* BYE Goodbye")
    await session.say(f"{call.tag} OK Logged out")
    await session.flush()
    raise Hangup


async def identify(session: Session, call: Call) -> str:
    call.arguments.space()
    if call.arguments.take(b"("):
        while not call.arguments.take(b")"):
            call.arguments.nstring()
            call.arguments.take(b" ")
    else:
        call.arguments.expect(b"NIL")
    call.arguments.end()
    await session.say('* ID ("name" "Posthouse simulator")')
    return "OK Done"


async def starttls(session: Session, call: Call) -> str:
    call.arguments.end()
    tls, faults = session.office.tls, session.office.faults
    if tls is None or session.wire.secure or session.signed_in:
        raise BadSyntax("There is no STARTTLS here")
    if session.wire.pending:
        # Somebody in the middle may have spoken for the client (CVE-2011-0411).
        await session.say("* BYE Nothing is said between STARTTLS and the handshake")
        await session.flush()
        raise Hangup
    injected = faults.starttls_injection
    if injected:
        faults.struck("starttls_injection")
    await session.wire.send(f"{call.tag} OK Begin TLS\r\n".encode("latin-1") + injected)
    await session.wire.start_tls(tls)
    return ""


async def login(session: Session, call: Call) -> str:
    call.arguments.space()
    username = call.arguments.astring()
    call.arguments.space()
    password = call.arguments.astring()
    call.arguments.end()
    _check_may_sign_in(session)
    return await _signed_in(session, call, sasl.with_password(session.office.users, username, password))


async def authenticate(session: Session, call: Call) -> str:
    async def ask(challenge: bytes) -> bytes:
        await session.say(b"+ " + base64.b64encode(challenge))
        await session.flush()
        return sasl.decoded(await session.wire.line(LONGEST_LINE))

    call.arguments.space()
    mechanism = call.arguments.word()
    initial: bytes | None = None
    try:
        if session.offers("SASL-IR") and call.arguments.take(b" "):
            # RFC 4959: an initial response that is empty is sent as "=".
            initial = b"" if call.arguments.take(b"=") else sasl.decoded(call.arguments.astring())
        call.arguments.end()
        _check_may_sign_in(session)
        if mechanism not in session.office.profile.mechanisms:
            raise Refused("This mechanism is not offered", "CANNOT")
        proved = await sasl.authenticate(mechanism, initial, ask, session.office.users)
    except sasl.Cancelled:
        return "BAD Cancelled"
    return await _signed_in(session, call, proved)


def _check_may_sign_in(session: Session) -> None:
    if session.signed_in:
        raise BadSyntax("You have signed in already")
    if not session.may_sign_in():
        raise Refused("Start TLS first", "PRIVACYREQUIRED")


async def _signed_in(session: Session, call: Call, proved: User | None) -> str:
    profile, faults = session.office.profile, session.office.faults
    if proved and faults.app_password_required:
        faults.struck("app_password_required")
        return f"NO {APPLICATIONS_ONLY}"
    limit = profile.most_connections if faults.connection_limit is None else faults.connection_limit
    if proved and limit is not None and proved.sessions >= limit:
        if faults.connection_limit is not None:
            faults.struck("connection_limit")
        return f"NO {profile.crowded}"
    user = session.office.admit(proved)
    if user is None:
        return f"NO {profile.refusal}"
    session.sign_in(user)
    if faults.drop_after_login:
        faults.struck("drop_after_login")
        await session.say(f"{call.tag} OK Signed in")
        await session.flush()
        raise Hangup
    return f"OK [CAPABILITY {session.capabilities()}] Signed in"
