"""Good calls of what emails are made from: answers, drafts, templates, contacts and groups."""

from collections.abc import Callable
from typing import Any

from .cases import Call
from .town import Own


def _at(parameter: str, kind: str, **more: Any) -> Callable[[Own], Call]:
    return lambda own: Call(path={parameter: getattr(own, kind)}, **more)


def _nothing(own: Own) -> Call:
    return Call()


TEMPLATE = {"name": "Greeting", "content": "Dear {{name}}"}

CASES: dict[str, Callable[[Own], Call]] = {
    "replyToEmail": lambda own: Call(
        path={"emailId": own.email}, json={"body": "Yes", "isHTML": False, "attachments": [own.upload]}
    ),
    "forwardEmail": _at("emailId", "email", json={"to": ["carol@elsewhere.example"]}),
    "getEmailDrafts": lambda own: Call(query={"inboxId": own.inbox}),
    "createEmailDraft": lambda own: Call(
        query={"inboxId": own.inbox}, json={"to": ["bob@elsewhere.example"], "subject": "S", "body": "B"}
    ),
    "getEmailDraft": _at("draftId", "draft"),
    "updateEmailDraft": _at("draftId", "draft", json={"subject": "Another"}),
    "deleteEmailDraft": _at("draftId", "draft"),
    "sendEmailDraft": _at("draftId", "draft"),
    "getTemplates": _nothing,
    "createTemplate": lambda own: Call(json=TEMPLATE),
    "getAllTemplates": _nothing,
    "getTemplate": _at("templateId", "template"),
    "updateTemplate": _at("templateId", "template", json=TEMPLATE),
    "deleteTemplate": _at("templateId", "template"),
    "getTemplatePreviewHtml": _at("templateId", "template"),
    "getTemplatePreviewJson": _at("templateId", "template"),
    "getContacts": _nothing,
    "createContact": lambda own: Call(
        json={"emailAddresses": ["new@elsewhere.example"], "groupId": own.group, "metaData": {"size": "M"}}
    ),
    "getAllContacts": _nothing,
    "getContact": _at("contactId", "contact"),
    "deleteContact": _at("contactId", "contact"),
    "getContactVCard": _at("contactId", "contact"),
    "getGroups": _nothing,
    "createGroup": lambda own: Call(json={"name": "More"}),
    "getAllGroups": _nothing,
    "getGroup": _at("groupId", "group"),
    "deleteGroup": _at("groupId", "group"),
    "getGroupWithContacts": _at("groupId", "group"),
    "getGroupWithContactsPaginated": _at("groupId", "group"),
    "addContactsToGroup": lambda own: Call(path={"groupId": own.group}, json={"contactIds": [own.contact]}),
    "removeContactsFromGroup": lambda own: Call(path={"groupId": own.group}, json={"contactIds": [own.contact]}),
}
