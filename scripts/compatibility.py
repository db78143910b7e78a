"""Write docs/compatibility-api.md: what of MailSlurp's API is here.

    python scripts/compatibility.py            write it
    python scripts/compatibility.py --check    fail when it is not what would be written

What is known comes from the catalogue of operations and what is built from the routes; how a built operation differs
is kept here, by hand.
"""

import sys
from collections.abc import Iterator
from pathlib import Path

from posthouse.api.asgi import CONTROLLERS
from posthouse.api.operations import Operation, known_operations

PAGE = Path(__file__).parents[1] / "docs" / "compatibility-api.md"

INTRODUCTION = """\
# Compatibility with MailSlurp's API

<!-- Written by scripts/compatibility.py: change that, and run it. -->

MailSlurp's clients work with their host changed and nothing else. This page says operation by operation how far.
The clients know {all} operations: {wanted} that a mail product needs, listed here, and {rest} for everything else
(phones, domains, campaigns, AI …), which are all answered with 501.

| | |
|---|---|
| **works** | as the clients expect it ({works}) |
| **differs** | works, but for what is said ({differs}) |
| **501** | known and not built: answered with 501 and a JSON body that names the operation ({missing}) |

For all operations:

- The key goes into the header `x-api-key` or the query parameter `apiKey`.
- Things of another account are not there: 404, as for what nobody has.
- Every failure is JSON: `message`, `status`, `errorCode`, `timestamp`, `path`. An unknown path is a 404, a wrong method
  a 405, a wrong request a 400, a body over 60 MiB a 413, a mail server that fails us a 502.
- Passwords are never in an answer.
- Keys of ours stand beside MailSlurp's in some answers; the clients pass over them.
- `since` and `before` are exclusive, and mean when a thing came to us. A date without a zone is UTC.
- `GET /emails` without `since` shows all mail, not the last 24 hours alone.
- A query parameter without a value counts as absent where something is asked for, and is a 400 where it would widen a
  deletion.

What MailSlurp's Python client (17.6.0) cannot do, whatever the server:

- `upload_multipart_form` sends JSON where a form is needed, and `upload_attachment_bytes` has no parameter for the
  bytes: use `upload_attachment`, in Base64.
- `get_raw_email_contents` and `get_raw_sent_email_contents` give `None`: use their `_json` twins.
- Downloads are text: `.encode("latin-1")` gives the bytes back. The Base64 operations need no such thing.

"""

_INBOX = (
    "`allowTeamAccess`, `useDomainPool` and `domainId` change nothing, and `inboxType` is remembered but makes no "
    "difference; an inbox that expires is gone with all its mail"
)
_SEND = (
    "tracking pixels and AMP are refused (400), as is more than one text body; where contacts make several emails of "
    "one, these are queued and the first is told; moustaches are filled in where there is a template, a contact or "
    "`templateVariables`, and a name without a value is left empty; "
    "addresses are always checked, whatever `validateEmailAddresses` says; `ignoreEmptyRecipients`, "
    "`filterBouncedRecipients`, `charset` and the body's `inboxId` change nothing; mail to inboxes of this server is "
    "delivered here, all other mail needs a connector's SMTP server"
)
_SIMPLE = (
    "without `senderId` the oldest connector that can send is used where somebody outside is written to, else a new "
    "inbox; a body with a tag in it is HTML"
)
_TEMPLATE = "variables, sections and inverted sections; partials and other delimiters are refused (400)"
_IMPORT = "`runPipeline` changes nothing: what is imported is journaled, waited for and told to webhooks like all mail"
_INCLUDE = "those in `include` are listed whatever else is asked for"
_WAIT = "`after`, a mark, is taken besides; an external mailbox is asked meanwhile"
_MATCH = f"MATCH is a regular expression in RE2's syntax; `ai` is refused (400); {_WAIT}"
_CHANGE = "what is not sent stays; the password must be sent again where it could reach somebody else than before"
_ONCE = "409 when there is one already"
_HOOK = (
    "`useStaticIpRange` and `aiTransformId` are remembered and change nothing, and so are `tags`; events of phones, "
    "AI, contacts, guests and tracking pixels are accepted and never happen here; the values of headers that look like "
    "secrets are shown as `***`"
)
_NO_PHONES = "asked for by a phone or an AI transformer, there is nothing"
_RESULTS = f"`attachmentId` of a result is always null: ours are no UUIDs; {_NO_PHONES}"
_ONE_BYTE = "the type is followed by `charset=ISO-8859-1`, so that the Python client keeps every byte"
_SELECTOR = "CSS selectors, and of jsoup's own `:contains`, `:containsOwn`, `:eq`, `:lt`, `:gt`, `[^prefix]`, `[a!=v]`"
_THREADS = "threads are made by Message-ID, In-Reply-To and References over all inboxes of an account, never by subject"

DIFFERENCES: dict[str, str] = {
    "createConnector": "409 when the inbox has a connector already",
    "createConnectorWithOptions": "409 when the inbox has a connector already",
    "createConnectorImapConnection": _ONCE,
    "createConnectorSmtpConnection": _ONCE,
    "updateConnectorImapConnection": _CHANGE,
    "updateConnectorSmtpConnection": _CHANGE,
    "sendEmailFromConnector": f"`useFallback` changes nothing; {_SEND}",
    "createInbox": _INBOX,
    "createInboxWithOptions": _INBOX,
    "createRandomInbox": _INBOX,
    "createNewEmailAddress": _INBOX,
    "updateInbox": "an inbox that expires is gone with all its mail",
    "getInboxes": "`include` changes nothing",
    "getOrganizationInboxes": "an account is an organization of its own",
    "doesInboxHaveAutomations": "always 201, without a body: that is all that clients look at",
    "bulkCreateInboxes": "1000 at most",
    "bulkDeleteInboxes": "1000 at most; 404, and nothing is deleted, when one is not there",
    "importEmailIntoInbox": _IMPORT,
    "importEmailIntoInboxMultipart": _IMPORT,
    "importEmailIntoInboxBytes": f"{_IMPORT}; the body is the message, which the Python client does not send",
    "flushExpired": "an inbox that expires is gone with all its mail",
    "getExpiredInboxes": "only the records are left of expired inboxes",
    "replyToEmail": "nothing is quoted; `charset` and `sendStrategy` change nothing",
    "forwardEmail": "`filterBouncedRecipients` changes nothing",
    "createTemplate": _TEMPLATE,
    "updateTemplate": _TEMPLATE,
    "createContact": "`verifyEmailAddresses` changes nothing: an address is judged by how it is written",
    "deleteAllAttachments": "deletes uploads; received attachments go with their emails",
    "doesInboxExist": "looks at inboxes of the account alone; `allowCatchAll`, `ipAddress`, `sender` change nothing",
    "sendEmail": _SEND,
    "sendEmailAndConfirm": _SEND,
    "sendEmailSourceOptional": f"`useDomainPool` changes nothing; {_SIMPLE}; {_SEND}",
    "sendEmailWithQueue": f"always validated first, whatever `validateBeforeEnqueue` says; {_SEND}",
    "sendWithSchedule": f"always validated first; at most a year ahead; {_SEND}",
    "bulkSendEmails": f"from none of the inboxes where one can't send; {_SEND}",
    "canSend": "as far as it can be told without asking a mail server",
    "cancelScheduledJob": "409 once it is being sent",
    "getSentOrganizationEmails": "an account is an organization of its own",
    "waitForDeliveryStatuses": "408 when none comes in time",
    "sendEmailSimple": _SIMPLE,
    "sendEmailQuery": _SIMPLE,
    "getEmails": "408 when `minCount` emails have not come within `retryTimeout`",
    "getEmailsOffsetPaginated": "`include` changes nothing",
    "getEmail": "`analysis` (verdicts on spam, viruses, SPF, DKIM and DMARC) is always null",
    "getEmailSummary": "`decode` changes nothing: headers are always decoded",
    "downloadAttachment": _ONE_BYTE,
    "downloadAttachmentAsBytes": _ONE_BYTE,
    "deleteAttachment": "deletes uploads; a received attachment goes with its email (400)",
    "getAttachments": _INCLUDE,
    "uploadAttachmentBytes": "`fileSize` changes nothing",
    "uploadMultipartForm": "`x-filesize` and `x-filename-raw` change nothing",
    "waitFor": _MATCH,
    "waitForEmailCount": _WAIT,
    "waitForLatestEmail": _WAIT,
    "waitForMatchingEmails": _MATCH,
    "waitForMatchingFirstEmail": _MATCH,
    "waitForNthEmail": _WAIT,
    "getOrganizationEmailsPaginated": "an account is an organization of its own",
    "getEmailThreads": _THREADS,
    "getEmailThread": _THREADS,
    "getEmailThreadItems": f"the first thousand, in the order in which they were written; {_THREADS}",
    "getEmailCodes": (
        "by patterns alone: LLM and OCR fall back to them, or are refused (400) without `allowFallback`; "
        "`customPatterns` are in RE2's syntax; `offset` and `links` are keys of ours"
    ),
    "getEmailContentMatch": (
        "RE2's syntax: no look-around, no back-references, no possessive quantifiers; the HTML as it is written first, "
        "then the text that a reader sees; no match is an empty list"
    ),
    "getEmailContentPart": "what is no text comes in Base64; 404 when there is no such part",
    "getEmailContentPartContent": "text in UTF-8, anything else in ISO-8859-1; 404 when there is no such part",
    "getEmailHTMLQuery": f"{_SELECTOR}; 400 for an email without HTML",
    "getEmailLinks": f"{_SELECTOR}; links inside of what the selector means count too; `body` is the HTML",
    "applyImapFlagOperation": "`\\Seen` alone, here and not at the mail server",
    "getEmailPreviewHtml": "shows no remote images; `linkBehavior` is PRESERVE unless it is given",
    "getEmailPreviewURLs": "who follows the addresses must send a key",
    "validateEmail": "well-formedness, and what mail programs drop; no full check against the HTML standard",
    "checkEmailBody": (
        "asks no server: links and images are judged by how they are written, and `offline` (a key of ours) says so; "
        "no spelling"
    ),
    "createWebhook": _HOOK,
    "createAccountWebhook": _HOOK,
    "updateWebhook": f"what is not sent stays, basic authentication too unless `overrideAuth`; {_HOOK}",
    "updateWebhookHeaders": "a value of `***` leaves the header as it is",
    "getAllWebhooks": _NO_PHONES,
    "getAllWebhookEndpoints": _NO_PHONES,
    "getAllWebhookResults": _RESULTS,
    "getWebhookResults": _RESULTS,
    "getWebhookResult": "counts as seen from then on; `attachmentId` is always null",
    "redriveWebhookResult": "the message goes out in its order, and soon; a test is not said again",
    "redriveAllWebhookResults": "all that was given up goes out again, and what waits for another try is tried at once",
    "sendTestData": "secrets among the request's headers are shown as `***`",
    "verifyWebhookSignature": "signatures are HMAC-SHA256 in hexadecimal; messages are known for 14 days",
    "waitForWebhookResults": "gives all results, at most 100, oldest first; 408 when they don't come",
    "getEntityFavorites": "inboxes and emails; nothing else can be a favourite",
    "getEntityAutomations": "always empty: there are no forwarders, repliers and rulesets",
    "getEntityEvents": "results of webhooks: there are no forwarders, repliers, rulesets and aliases",
    "getJsonPropertyAsString": "takes objects; 400 when the property is missing",
    "getUserInfo": "`emailAddress` is the account's name",
}
"""How operations that are built differ from what clients expect."""


def built() -> set[str]:
    """The names of the operations that we have a route for."""
    return {getattr(route, "operation_id", "") for controller in CONTROLLERS for route in controller.routes}


def page() -> str:
    """The whole page."""
    known = known_operations().operations
    wanted = [one for one in known if one.tier < 3]
    here = built()
    counts = {
        "all": len(known),
        "wanted": len(wanted),
        "rest": len(known) - len(wanted),
        "works": len(here) - len(DIFFERENCES),
        "differs": len(DIFFERENCES),
        "missing": len(wanted) - len(here),
    }
    return INTRODUCTION.format_map(counts) + "\n".join(_tables(wanted, here)) + "\n"


def _tables(operations: list[Operation], here: set[str]) -> Iterator[str]:
    """A table for each first segment of a path; those of which something is here come first."""
    groups: dict[str, list[Operation]] = {}
    for one in operations:
        groups.setdefault(one.path.split("/")[1], []).append(one)
    for segment, group in sorted(groups.items(), key=lambda item: (not _some(item[1], here), item[0])):
        yield from (f"## /{segment}", "", "| operation | request | |", "|---|---|---|")
        for one in sorted(group, key=lambda one: (one.path, one.method)):
            yield f"| `{one.name}` | {one.method} `{one.path}` | {_state(one.name, here)} |"
        yield ""


def _some(group: list[Operation], here: set[str]) -> bool:
    return any(one.name in here for one in group)


def _state(name: str, here: set[str]) -> str:
    if name not in here:
        return "501"
    return f"differs: {DIFFERENCES[name]}" if name in DIFFERENCES else "works"


def main() -> None:
    if "--check" not in sys.argv:
        PAGE.write_text(page(), "utf-8")
    elif not PAGE.exists() or PAGE.read_text("utf-8") != page():
        sys.exit(f"{PAGE.name} is not up to date: run scripts/compatibility.py")


if __name__ == "__main__":
    main()
