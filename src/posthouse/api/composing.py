"""Composing: replies and forwards, drafts, templates, contacts and groups."""

from typing import Annotated

from fastapi import Path, Query, Request, Response

from posthouse.api.context import KEY_PARAMETER, Caller, EmailPath, House, OnceKey, controller, told_as
from posthouse.api.emails import HTML, UNTRUSTED
from posthouse.api.wire.common import PageQuery
from posthouse.api.wire.composing import (
    ContactDto,
    ContactListQuery,
    ContactProjection,
    CreateContactOptions,
    CreateGroupOptions,
    CreateTemplateOptions,
    DraftListQuery,
    EmailDraftDto,
    EmailDraftProjection,
    ForwardEmailOptions,
    GroupContactsDto,
    GroupDto,
    GroupProjection,
    OfDraftQuery,
    PageContactProjection,
    PageEmailDraftProjection,
    PageGroupProjection,
    PageTemplateProjection,
    ReplyToEmailOptions,
    TemplateDto,
    TemplatePreview,
    TemplateProjection,
    UpdateGroupContacts,
    vcard,
)
from posthouse.api.wire.sending import SendEmailOptions, SentEmailDto
from posthouse.model.accounts import Account
from posthouse.model.errors import Invalid, OutcomeUnknown, RemoteError
from posthouse.model.mail import Email, Outgoing
from posthouse.model.values import ContactId, DraftId, GroupId, SentId, TemplateId
from posthouse.services import Services
from posthouse.services.sending import Wish

router = controller("EmailController")
templates = controller("TemplateController")
contacts = controller("ContactController")
groups = controller("GroupController")

DraftPath = Annotated[DraftId, Path(alias="draftId")]
TemplatePath = Annotated[TemplateId, Path(alias="templateId")]
ContactPath = Annotated[ContactId, Path(alias="contactId")]
GroupPath = Annotated[GroupId, Path(alias="groupId")]


# Answers


@router.put("/emails/{emailId}", operation_id="replyToEmail")
async def reply_to_email(
    email_id: EmailPath, options: ReplyToEmailOptions, caller: Caller, house: House, key: OnceKey = None
) -> SentEmailDto:
    return await _sent(await house.answering.reply(caller.id, email_id, options.to_domain()), caller, house, key)


@router.post("/emails/{emailId}/forward", operation_id="forwardEmail", status_code=201)
async def forward_email(
    email_id: EmailPath, options: ForwardEmailOptions, caller: Caller, house: House, key: OnceKey = None
) -> SentEmailDto:
    return await _sent(await house.answering.forward(caller.id, email_id, options.to_domain()), caller, house, key)


async def _sent(answer: tuple[Email, Outgoing], caller: Account, house: Services, key: str | None) -> SentEmailDto:
    """From the inbox that got the email."""
    email, outgoing = answer
    sent = await house.sending.send_from_inbox(caller.id, email.inbox_id, outgoing, key=key)
    return await _told(sent.id, caller, house)


async def _told(sent: SentId, caller: Account, house: Services) -> SentEmailDto:
    return SentEmailDto.of(*await house.sent.open(caller.id, sent))


# Drafts


@router.get("/emails/drafts", operation_id="getEmailDrafts")
async def get_email_drafts(
    query: Annotated[DraftListQuery, Query()], caller: Caller, house: House
) -> PageEmailDraftProjection:
    page = await house.drafts.page(caller.id, query.slice(), query.inbox_id)
    return PageEmailDraftProjection.of(page, EmailDraftProjection.of)


@router.post("/emails/drafts", operation_id="createEmailDraft")
async def create_email_draft(
    options: SendEmailOptions, query: Annotated[OfDraftQuery, Query()], caller: Caller, house: House
) -> EmailDraftDto:
    inbox = query.inbox_id or options.inbox_id
    if inbox is None:
        raise Invalid("say which inbox the draft is to be sent from: inboxId in the query or in the body")
    return EmailDraftDto.of(await house.drafts.create(caller.id, inbox, options.as_said()))


@router.get("/emails/drafts/{draftId}", operation_id="getEmailDraft")
async def get_email_draft(draft_id: DraftPath, caller: Caller, house: House) -> EmailDraftDto:
    return EmailDraftDto.of(await house.drafts.get(caller.id, draft_id))


@router.patch("/emails/drafts/{draftId}", operation_id="updateEmailDraft")
async def update_email_draft(
    draft_id: DraftPath, options: SendEmailOptions, caller: Caller, house: House
) -> EmailDraftDto:
    """All that was said before is replaced; the inbox stays."""
    return EmailDraftDto.of(await house.drafts.change(caller.id, draft_id, options.as_said()))


@router.delete("/emails/drafts/{draftId}", operation_id="deleteEmailDraft", response_class=Response)
async def delete_email_draft(draft_id: DraftPath, caller: Caller, house: House) -> Response:
    await house.drafts.delete(caller.id, draft_id)
    return Response()


@router.post("/emails/drafts/{draftId}/send", operation_id="sendEmailDraft")
async def send_email_draft(draft_id: DraftPath, caller: Caller, house: House) -> SentEmailDto:
    """The draft goes when it was sent, or waits in the outbox to be tried again; it stays when it was not sent."""
    draft = await house.drafts.get(caller.id, draft_id)
    outgoing = SendEmailOptions.model_validate(draft.said).to_domain()
    # As it is now, it is sent once, however often that is asked for.
    key = f"draft {draft.id} {draft.updated_at.isoformat()}"
    try:
        sent = await house.sending.send_from_inbox(caller.id, draft.inbox_id, outgoing, key=key)
    except OutcomeUnknown:
        raise
    except RemoteError as error:
        if not error.transient:
            # Refused for good: whoever asks again wants it to be tried anew.
            await house.drafts.change(caller.id, draft.id, dict(draft.said))
            raise
        sent = await house.sending.queue(caller.id, draft.inbox_id, outgoing, Wish(key=key))
    await house.drafts.delete(caller.id, draft.id)
    return await _told(sent.id, caller, house)


# Templates


@templates.get("/templates", operation_id="getTemplates")
async def get_templates(caller: Caller, house: House) -> list[TemplateProjection]:
    return [TemplateProjection.of(template) for template in (await house.templates.page(caller.id)).items]


@templates.post("/templates", operation_id="createTemplate", status_code=201)
async def create_template(options: CreateTemplateOptions, caller: Caller, house: House) -> TemplateDto:
    return TemplateDto.of(await house.templates.create(caller.id, options.name, options.content))


@templates.get("/templates/paginated", operation_id="getAllTemplates")
async def get_all_templates(
    query: Annotated[PageQuery, Query()], caller: Caller, house: House
) -> PageTemplateProjection:
    return PageTemplateProjection.of(await house.templates.page(caller.id, query.slice()), TemplateProjection.of)


@templates.get("/templates/{templateId}", operation_id="getTemplate")
async def get_template(template_id: TemplatePath, caller: Caller, house: House) -> TemplateDto:
    return TemplateDto.of(await house.templates.get(caller.id, template_id))


@templates.put("/templates/{templateId}", operation_id="updateTemplate", status_code=201)
async def update_template(
    template_id: TemplatePath, options: CreateTemplateOptions, caller: Caller, house: House
) -> TemplateDto:
    changed = await house.templates.change(caller.id, template_id, options.name, options.content)
    return TemplateDto.of(changed)


@templates.delete("/templates/{templateId}", operation_id="deleteTemplate", status_code=204)
async def delete_template(template_id: TemplatePath, caller: Caller, house: House) -> None:
    await house.templates.delete(caller.id, template_id)


@templates.get(
    "/templates/{templateId}/preview/html",
    operation_id="getTemplatePreviewHtml",
    response_class=Response,
    responses=told_as("text/html"),
)
async def get_template_preview_html(
    template_id: TemplatePath, request: Request, caller: Caller, house: House
) -> Response:
    """The query has the variables."""
    html = await house.templates.preview(caller.id, template_id, _values(request))
    return Response(html.encode("utf-8", "replace"), media_type=HTML, headers=UNTRUSTED)


@templates.get("/templates/{templateId}/preview/json", operation_id="getTemplatePreviewJson")
async def get_template_preview_json(
    template_id: TemplatePath, request: Request, caller: Caller, house: House
) -> TemplatePreview:
    """The query has the variables."""
    return TemplatePreview(preview=await house.templates.preview(caller.id, template_id, _values(request)))


def _values(request: Request) -> dict[str, str]:
    return {name: value for name, value in request.query_params.items() if name != KEY_PARAMETER}


# Contacts


@contacts.get("/contacts", operation_id="getContacts")
async def get_contacts(caller: Caller, house: House) -> list[ContactProjection]:
    return [ContactProjection.of(contact) for contact in (await house.contacts.page(caller.id)).items]


@contacts.post("/contacts", operation_id="createContact", status_code=201)
async def create_contact(options: CreateContactOptions, caller: Caller, house: House) -> ContactDto:
    return ContactDto.of(await house.contacts.create(caller.id, options.to_domain()))


@contacts.get("/contacts/paginated", operation_id="getAllContacts")
async def get_all_contacts(
    query: Annotated[ContactListQuery, Query()], caller: Caller, house: House
) -> PageContactProjection:
    page = await house.contacts.page(caller.id, query.slice(), search=query.search or "")
    return PageContactProjection.of(page, ContactProjection.of)


@contacts.get("/contacts/{contactId}", operation_id="getContact")
async def get_contact(contact_id: ContactPath, caller: Caller, house: House) -> ContactDto:
    return ContactDto.of(await house.contacts.get(caller.id, contact_id))


@contacts.delete("/contacts/{contactId}", operation_id="deleteContact", status_code=204)
async def delete_contact(contact_id: ContactPath, caller: Caller, house: House) -> None:
    await house.contacts.delete(caller.id, contact_id)


@contacts.get(
    "/contacts/{contactId}/download",
    operation_id="getContactVCard",
    response_class=Response,
    responses=told_as("text/vcard"),
)
async def get_contact_v_card(contact_id: ContactPath, caller: Caller, house: House) -> Response:
    contact = await house.contacts.get(caller.id, contact_id)
    headers = {**UNTRUSTED, "Content-Disposition": f'attachment; filename="{contact.id}.vcf"'}
    return Response(vcard(contact).encode("utf-8", "replace"), media_type="text/vcard", headers=headers)


# Groups


@groups.get("/groups", operation_id="getGroups")
async def get_groups(caller: Caller, house: House) -> list[GroupProjection]:
    return [GroupProjection.of(group) for group in (await house.contacts.groups(caller.id)).items]


@groups.post("/groups", operation_id="createGroup", status_code=201)
async def create_group(options: CreateGroupOptions, caller: Caller, house: House) -> GroupDto:
    return GroupDto.of(await house.contacts.create_group(caller.id, options.name, options.description))


@groups.get("/groups/paginated", operation_id="getAllGroups")
async def get_all_groups(query: Annotated[PageQuery, Query()], caller: Caller, house: House) -> PageGroupProjection:
    return PageGroupProjection.of(await house.contacts.groups(caller.id, query.slice()), GroupProjection.of)


@groups.get("/groups/{groupId}", operation_id="getGroup")
async def get_group(group_id: GroupPath, caller: Caller, house: House) -> GroupDto:
    return GroupDto.of(await house.contacts.group(caller.id, group_id))


@groups.delete("/groups/{groupId}", operation_id="deleteGroup", status_code=204)
async def delete_group(group_id: GroupPath, caller: Caller, house: House) -> None:
    """Its contacts stay."""
    await house.contacts.delete_group(caller.id, group_id)


@groups.get("/groups/{groupId}/contacts", operation_id="getGroupWithContacts")
async def get_group_with_contacts(group_id: GroupPath, caller: Caller, house: House) -> GroupContactsDto:
    return GroupContactsDto.of(*await house.contacts.members(caller.id, group_id))


@groups.put("/groups/{groupId}/contacts", operation_id="addContactsToGroup")
async def add_contacts_to_group(
    group_id: GroupPath, options: UpdateGroupContacts, caller: Caller, house: House
) -> GroupContactsDto:
    await house.contacts.join(caller.id, group_id, options.contact_ids)
    return GroupContactsDto.of(*await house.contacts.members(caller.id, group_id))


@groups.delete("/groups/{groupId}/contacts", operation_id="removeContactsFromGroup")
async def remove_contacts_from_group(
    group_id: GroupPath, options: UpdateGroupContacts, caller: Caller, house: House
) -> GroupContactsDto:
    await house.contacts.leave(caller.id, group_id, options.contact_ids)
    return GroupContactsDto.of(*await house.contacts.members(caller.id, group_id))


@groups.get("/groups/{groupId}/contacts-paginated", operation_id="getGroupWithContactsPaginated")
async def get_group_with_contacts_paginated(
    group_id: GroupPath, query: Annotated[PageQuery, Query()], caller: Caller, house: House
) -> PageContactProjection:
    page = await house.contacts.page(caller.id, query.slice(), group=group_id)
    return PageContactProjection.of(page, ContactProjection.of)
