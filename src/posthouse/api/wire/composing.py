"""Replies, forwards and drafts, templates, contacts and groups, as MailSlurp's clients know them."""

from collections.abc import Iterable
from enum import StrEnum
from typing import Any, Self
from uuid import UUID

from pydantic import Field

from posthouse.api.wire.common import InOrderQuery, Line, Moment, PageQuery, QueryModel, SpringPage, Text, WireModel
from posthouse.api.wire.mail import EmailRecipients, Sender
from posthouse.api.wire.sending import SendEmailOptions, SendStrategy
from posthouse.model.composing import Contact, Group, KeptDraft, Template
from posthouse.model.mail import Outgoing
from posthouse.model.message import Address
from posthouse.model.moustache import variables
from posthouse.model.values import ContactId, GroupId, InboxId, TemplateId
from posthouse.services.contacts import NewContact

MOST_MEMBERS = 1000

# --- answers to emails -------------------------------------------------------------------------------------------


class ReplyToEmailOptions(WireModel):
    """A reply. To whom, with which subject and in which conversation follows from the email."""

    body: Text
    is_html: bool
    from_: Line | None = None
    reply_to: Line | None = None
    custom_headers: dict[Line, Line] | None = None
    charset: Line | None = None
    attachments: list[Line] | None = None
    template_variables: dict[str, Any] | None = None
    template: TemplateId | None = None
    send_strategy: SendStrategy | None = None
    use_inbox_name: bool | None = None
    html: bool | None = None

    def to_domain(self) -> Outgoing:
        return Outgoing(
            sender=self.from_ or None,
            use_inbox_name=bool(self.use_inbox_name),
            reply_to=self.reply_to or None,
            body=self.body,
            is_html=self.is_html,
            headers=tuple((self.custom_headers or {}).items()),
            attachments=tuple(self.attachments or ()),
            template=self.template,
            variables=self.template_variables,
        )


class ForwardEmailOptions(WireModel):
    """To whom an email is handed on. Without a subject it keeps its own."""

    to: list[Line]
    subject: Line | None = None
    cc: list[Line] | None = None
    bcc: list[Line] | None = None
    from_: Line | None = None
    use_inbox_name: bool | None = None
    filter_bounced_recipients: bool | None = None

    def to_domain(self) -> Outgoing:
        return Outgoing(
            to=tuple(self.to),
            cc=tuple(self.cc or ()),
            bcc=tuple(self.bcc or ()),
            sender=self.from_ or None,
            use_inbox_name=bool(self.use_inbox_name),
            subject=self.subject or "",
        )


# --- drafts ------------------------------------------------------------------------------------------------------


class DraftListQuery(InOrderQuery):
    inbox_id: InboxId | None = None


class OfDraftQuery(QueryModel):
    inbox_id: InboxId | None = None


class EmailDraftProjection(WireModel):
    """A draft in a list. Its addresses are as they were said, whether they can be sent to or not."""

    subject: str | None
    from_: str | None
    id: UUID
    user_id: UUID
    inbox_id: UUID
    recipients: EmailRecipients | None
    attachments: list[str] | None
    text_excerpt: str | None
    body_excerpt: str | None
    to: list[str] | None
    created_at: Moment
    cc: list[str] | None
    bcc: list[str] | None
    updated_at: Moment
    sender: Sender | None

    @classmethod
    def of(cls, draft: KeptDraft) -> Self:
        return cls(**_told(draft, SendEmailOptions.model_validate(draft.said)))


class PageEmailDraftProjection(SpringPage[EmailDraftProjection]):
    pass


class EmailDraftDto(WireModel):
    """A draft, with all that was said (`sendOptions`)."""

    id: UUID
    user_id: UUID
    inbox_id: UUID
    to: list[str] | None
    cc: list[str] | None
    bcc: list[str] | None
    from_: str | None
    sender: Sender | None
    recipients: EmailRecipients | None
    subject: str | None
    body_excerpt: str | None
    text_excerpt: str | None
    attachments: list[str] | None
    send_options: SendEmailOptions
    created_at: Moment
    updated_at: Moment

    @classmethod
    def of(cls, draft: KeptDraft) -> Self:
        said = SendEmailOptions.model_validate(draft.said)
        return cls(**_told(draft, said), send_options=said)


_EXCERPT = 200  # characters


def _told(draft: KeptDraft, said: SendEmailOptions) -> dict[str, Any]:
    excerpt = " ".join((said.body or "").split())[:_EXCERPT]
    to, cc, bcc = (said.to or [], said.cc or [], said.bcc or [])
    return {
        "id": draft.id,
        "user_id": draft.account_id,
        "inbox_id": draft.inbox_id,
        "subject": said.subject,
        "from_": said.from_,
        "sender": _sender(said),
        "recipients": EmailRecipients.of(_as_said(to), _as_said(cc), _as_said(bcc)),
        "to": to,
        "cc": cc,
        "bcc": bcc,
        "attachments": said.attachments or [],
        "text_excerpt": excerpt,
        "body_excerpt": excerpt,
        "created_at": draft.created_at,
        "updated_at": draft.updated_at,
    }


def _as_said(texts: Iterable[str]) -> list[Address]:
    """Addresses for showing: nothing is read into them before they are sent to."""
    return [Address("", text) for text in texts]


def _sender(said: SendEmailOptions) -> Sender | None:
    return Sender.of(Address(said.from_name or "", said.from_)) if said.from_ else None


# --- templates ---------------------------------------------------------------------------------------------------


class VariableType(StrEnum):
    STRING = "STRING"


class TemplateVariable(WireModel):
    name: str
    variable_type: VariableType = VariableType.STRING


class CreateTemplateOptions(WireModel):
    name: Line = Field(min_length=1)
    content: Text


class TemplateDto(WireModel):
    """A template. `variables` are the names between its moustaches."""

    id: UUID
    name: str
    variables: list[TemplateVariable]
    content: str
    created_at: Moment

    @classmethod
    def of(cls, template: Template) -> Self:
        return cls(
            id=template.id,
            name=template.name,
            variables=[TemplateVariable(name=name) for name in variables(template.content)],
            content=template.content,
            created_at=template.created_at,
        )


class TemplateProjection(WireModel):
    name: str
    id: UUID
    created_at: Moment
    updated_at: Moment
    variables: list[str]

    @classmethod
    def of(cls, template: Template) -> Self:
        return cls(
            name=template.name,
            id=template.id,
            created_at=template.created_at,
            updated_at=template.updated_at,
            variables=list(variables(template.content)),
        )


class PageTemplateProjection(SpringPage[TemplateProjection]):
    pass


class TemplatePreview(WireModel):
    preview: str


# --- contacts ----------------------------------------------------------------------------------------------------


class ContactListQuery(PageQuery):
    search: Text | None = None


class CreateContactOptions(WireModel):
    first_name: Line | None = None
    last_name: Line | None = None
    company: Line | None = None
    email_addresses: list[Line] | None = None
    tags: list[Line] | None = None
    meta_data: Any = None
    opt_out: bool | None = None
    group_id: GroupId | None = None
    verify_email_addresses: bool | None = None

    def to_domain(self) -> NewContact:
        """Addresses are looked at as they are written; nobody is asked whether they exist."""
        return NewContact(
            first_name=self.first_name,
            last_name=self.last_name,
            company=self.company,
            email_addresses=tuple(self.email_addresses or ()),
            tags=tuple(self.tags or ()),
            about=self.meta_data,
            opted_out=bool(self.opt_out),
            group_id=self.group_id,
        )


class ContactProjection(WireModel):
    id: UUID
    group_id: UUID | None
    created_at: Moment
    email_address: str | None
    email_addresses: list[str] | None
    opt_out: bool | None
    first_name: str | None
    last_name: str | None
    company: str | None

    @classmethod
    def of(cls, contact: Contact) -> Self:
        return cls(**_known(contact), email_address=_first(contact))


class PageContactProjection(SpringPage[ContactProjection]):
    pass


class ContactDto(WireModel):
    id: UUID
    group_id: UUID | None
    first_name: str | None
    last_name: str | None
    company: str | None
    email_addresses: list[str]
    primary_email_address: str | None
    tags: list[str]
    meta_data: Any
    opt_out: bool | None
    created_at: Moment

    @classmethod
    def of(cls, contact: Contact) -> Self:
        return cls(
            **_known(contact),
            primary_email_address=_first(contact),
            tags=list(contact.tags),
            meta_data=contact.about,
        )


def _known(contact: Contact) -> dict[str, Any]:
    return {
        "id": contact.id,
        "group_id": contact.group_id,
        "first_name": contact.first_name,
        "last_name": contact.last_name,
        "company": contact.company,
        "email_addresses": list(contact.email_addresses),
        "opt_out": contact.opted_out,
        "created_at": contact.created_at,
    }


def _first(contact: Contact) -> str | None:
    return next(iter(contact.email_addresses), None)


def vcard(contact: Contact) -> str:
    """The contact as a vCard 3.0 (RFC 2426), which every address book reads."""
    family, given = _vcard_text(contact.last_name), _vcard_text(contact.first_name)
    name = contact.name or contact.company or _first(contact) or "unnamed"
    lines = ["BEGIN:VCARD", "VERSION:3.0", f"N:{family};{given};;;", f"FN:{_vcard_text(name)}"]
    lines += [f"ORG:{_vcard_text(contact.company)}"] if contact.company else []
    lines += [f"EMAIL;TYPE=INTERNET:{_vcard_text(address)}" for address in contact.email_addresses]
    lines += [f"CATEGORIES:{','.join(map(_vcard_text, contact.tags))}"] if contact.tags else []
    return "\r\n".join([*lines, f"UID:{contact.id}", "END:VCARD", ""])


def _vcard_text(text: str | None) -> str:
    escaped = (text or "").replace("\\", "\\\\").replace(",", "\\,").replace(";", "\\;")
    return escaped.replace("\r", "").replace("\n", "\\n")


# --- groups ------------------------------------------------------------------------------------------------------


class CreateGroupOptions(WireModel):
    name: Line = Field(min_length=1)
    description: Text | None = None


class GroupDto(WireModel):
    id: UUID
    name: str
    description: str | None
    created_at: Moment

    @classmethod
    def of(cls, group: Group) -> Self:
        return cls(id=group.id, name=group.name, description=group.description, created_at=group.created_at)


class GroupProjection(GroupDto):
    pass


class PageGroupProjection(SpringPage[GroupProjection]):
    pass


class UpdateGroupContacts(WireModel):
    contact_ids: list[ContactId] = Field(max_length=MOST_MEMBERS)


class GroupContactsDto(WireModel):
    group: GroupDto
    contacts: list[ContactDto]

    @classmethod
    def of(cls, group: Group, contacts: Iterable[Contact]) -> Self:
        return cls(group=GroupDto.of(group), contacts=[ContactDto.of(contact) for contact in contacts])
