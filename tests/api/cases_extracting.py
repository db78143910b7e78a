"""Good calls of the reading tools and of threads. The town's email has a text, an HTML body and an attachment."""

from collections.abc import Callable

from .cases import Call
from .town import Own


def _email(own: Own, **more: object) -> Call:
    return Call(path={"emailId": own.email}, **more)  # type: ignore[arg-type]


CASES: dict[str, Callable[[Own], Call]] = {
    "getOrganizationEmailsPaginated": lambda own: Call(
        query={"inboxId": [own.inbox], "plusAddressId": own.plus_address}
    ),
    "getEmailThreads": lambda own: Call(query={"inboxId": own.inbox}),
    "getEmailThread": lambda own: Call(path={"threadId": own.thread}),
    "getEmailThreadItems": lambda own: Call(path={"threadId": own.thread}, query={"sort": "DESC"}),
    "getEmailCodes": lambda own: _email(own, json={"method": "PATTERN", "customPatterns": ["(Gr.+)e"]}),
    "getEmailContentMatch": lambda own: _email(own, json={"pattern": "Guten (Tag)"}),
    "getEmailContentPart": lambda own: _email(own, query={"contentType": "text/html", "strict": "true"}),
    "getEmailContentPartContent": lambda own: _email(own, query={"contentType": "text/plain", "strict": "true"}),
    "setEmailFavourited": lambda own: _email(own, query={"favourited": "true"}),
    "getEmailHTMLQuery": lambda own: _email(own, query={"htmlSelector": "p > b"}),
    "applyImapFlagOperation": lambda own: _email(own, json={"flagOperation": "ADD_FLAGS", "flags": ["\\Seen"]}),
    "getEmailLinks": lambda own: _email(own, query={"selector": "a"}),
    "getEmailPreviewHtml": lambda own: _email(own, query={"linkBehavior": "NEW_TAB", "replaceCidImages": "true"}),
    "getEmailSignature": _email,
    "getEmailTextLines": _email,
    "getEmailPreviewURLs": _email,
    "validateEmail": _email,
    "checkEmailBody": _email,
}
