"""Addressing: one wish becomes the letters that it stands for, each with its words filled in.

Contacts, and those of a group, get a letter each and don't learn of one another; who has opted out gets none.
Moustaches in subject and body are filled in from what the sender gave and what is known of the contact, where there
is any of it: without, a text with moustaches goes out as it is.
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from posthouse.model.composing import Contact
from posthouse.model.errors import Invalid
from posthouse.model.mail import Outgoing
from posthouse.model.message import Address
from posthouse.model.moustache import as_html, as_text, render
from posthouse.model.values import AccountId
from posthouse.store.database import Database

MOST_LETTERS = 500
"""The most contacts that one wish may be for: they are sent to one after the other."""


class Addressing:
    def __init__(self, database: Database) -> None:
        self._database = database

    async def letters(self, account: AccountId, outgoing: Outgoing) -> list[Outgoing]:
        """What is to be sent for this wish: at least one, with nothing left to be filled in.

        Raises Invalid for a template, contact or group that is not there, for a wrong tag, and when contacts are
        all that is asked for and every one of them has opted out or has no address.
        """
        plain = replace(outgoing, template=None, variables=None, contacts=(), group=None)
        text = await self._template(account, outgoing)
        if text is not None:
            plain = replace(plain, body=text)
        values = outgoing.variables
        fill = values is not None or text is not None
        # The subject of a reply is somebody else's words.
        own_subject = not outgoing.recipients
        letters = [_filled(plain, values or {}, own_subject) if fill else plain] if _addressed(plain) else []
        contacts = await self._contacts(account, outgoing)
        for contact in contacts:
            to = Address(contact.name, contact.email_addresses[0])
            letter = replace(plain, recipients=(to,), to=(), cc=(), bcc=())
            letters.append(_filled(letter, {**contact.variables(), **(values or {})}))
        return letters or [plain]

    async def _template(self, account: AccountId, outgoing: Outgoing) -> str | None:
        if outgoing.template is None:
            return None
        async with self._database.reading() as tx:
            template = await tx.templates.get(account, outgoing.template)
        if template is None:
            raise Invalid(f"there is no template {outgoing.template}: POST /templates makes one")
        return template.content

    async def _contacts(self, account: AccountId, outgoing: Outgoing) -> list[Contact]:
        """Those who are to get a letter of their own, each once."""
        if not outgoing.contacts and outgoing.group is None:
            return []
        async with self._database.reading() as tx:
            found = await tx.contacts.those(account, outgoing.contacts)
            missing = set(outgoing.contacts) - {contact.id for contact in found}
            if missing:
                raise Invalid(f"there is no contact {min(missing)}: POST /contacts makes one")
            if outgoing.group is not None:
                if await tx.groups.get(account, outgoing.group) is None:
                    raise Invalid(f"there is no group {outgoing.group}: POST /groups makes one")
                found += await tx.contacts.in_group(account, outgoing.group)
        wanted = {contact.id: contact for contact in found if contact.email_addresses and not contact.opted_out}
        if len(wanted) > MOST_LETTERS:
            raise Invalid(f"one email may go to at most {MOST_LETTERS} contacts, these are {len(wanted)}")
        if not wanted and not _addressed(outgoing):
            raise Invalid("nobody is left to send to: all of these contacts have opted out, or have no address")
        return list(wanted.values())


def _addressed(outgoing: Outgoing) -> bool:
    return bool(outgoing.recipients or outgoing.to or outgoing.cc or outgoing.bcc)


def _filled(letter: Outgoing, values: Mapping[str, Any], own_subject: bool = True) -> Outgoing:
    subject = render(letter.subject, values, as_text) if own_subject else letter.subject
    if "\n" in subject or "\r" in subject:
        raise Invalid("the subject gets a line break from its variables")
    return replace(letter, subject=subject, body=render(letter.body, values, as_html if letter.is_html else as_text))
