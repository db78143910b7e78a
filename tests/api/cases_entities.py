"""Good calls of the lists over everything that an account has."""

from collections.abc import Callable

from .cases import Call
from .town import Own

CASES: dict[str, Callable[[Own], Call]] = {
    "getEntityFavorites": lambda own: Call(query={"filter": "EMAIL"}),
    "getEntityAutomations": lambda own: Call(query={"inboxId": own.inbox}),
    "getEntityEvents": lambda own: Call(query={"inboxId": own.inbox, "emailId": own.email}),
    "getJsonPropertyAsString": lambda own: Call(query={"property": "nodeType"}, json={"nodeType": "STRING"}),
}
