"""Good calls of the operations that send."""

from collections.abc import Callable

from .cases import Call
from .town import Own

CASES: dict[str, Callable[[Own], Call]] = {
    "sendEmailSimple": lambda own: Call(
        json={"senderId": own.inbox, "to": "bob@elsewhere.example", "subject": "S", "body": "B"}
    ),
    "sendEmailQuery": lambda own: Call(
        query={"senderId": own.inbox, "to": "bob@elsewhere.example", "subject": "S", "body": "B"}
    ),
}
