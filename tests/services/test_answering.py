"""Replies stay in their conversation, forwards lose nothing, drafts are sent once, and every contact gets a letter of
his own."""

from collections.abc import AsyncIterator
from email import message_from_bytes, policy
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import pytest

from posthouse.model.errors import Invalid, NotFound
from posthouse.model.mail import Email, Inbox, Outgoing, SendState, SentEmail
from posthouse.model.values import ContactId, EmailId, GroupId, TemplateId, new_id, utc_now
from posthouse.services.answering import Answer
from posthouse.services.contacts import NewContact

from .posting import DOMAIN, Post, a_post


@pytest.fixture
async def post(tmp_path: Path) -> AsyncIterator[Post]:
    async with a_post(tmp_path / "data") as post:
        yield post


async def received(post: Post, inbox: Inbox, **headers: str) -> EmailId:
    """An email with a picture in its HTML and a file beside it."""
    mail = EmailMessage()
    for name, value in {"From": f"Bob <bob@{DOMAIN}>", "To": inbox.email_address, "Subject": "Hi", **headers}.items():
        mail[name.replace("_", "-")] = value
    mail.set_content("Hello\n")
    mail.add_alternative('<html><body class="x"><p>Hello <img src="cid:pic@x"></p></body></html>', subtype="html")
    html = mail.get_payload()[1]  # type: ignore[index]
    html.add_related(b"\x89PNG", maintype="image", subtype="png", cid="<pic@x>")  # type: ignore[union-attr]
    mail.add_attachment(bytes(range(256)), maintype="application", subtype="pdf", filename="März.pdf")
    raw = mail.as_bytes(policy=policy.SMTP)
    return await post.services.importing.take_in(post.account.id, inbox.id, raw, rename=False)


async def message(post: Post, sent: SentEmail) -> Any:
    raw = await post.services.sent.raw(post.account.id, sent.id)
    return message_from_bytes(raw.replace(b"\r\n", b"\n"), policy=policy.default)


async def reply(post: Post, email: EmailId, **wish: Any) -> SentEmail:
    found, outgoing = await post.services.answering.reply(post.account.id, email, Outgoing(body="Yes", **wish))
    return await post.services.sending.send_from_inbox(post.account.id, found.inbox_id, outgoing)


async def forward(post: Post, email: EmailId, *to: str, **wish: Any) -> SentEmail:
    found, outgoing = await post.services.answering.forward(post.account.id, email, Outgoing(to=to, **wish))
    return await post.services.sending.send_from_inbox(post.account.id, found.inbox_id, outgoing)


async def last(post: Post, inbox: Inbox) -> Email:
    return (await post.emails(inbox))[-1]


async def test_a_reply_goes_back_in_the_same_conversation(post: Post) -> None:
    ann, bob = await post.inbox("ann"), await post.inbox("bob")
    email = await received(post, ann, Message_ID="<3@x>", References="<1@x> <2@x>", In_Reply_To="<2@x>")
    said = await message(post, await reply(post, email, is_html=True))
    assert (said["To"], said["Subject"]) == (f"Bob <bob@{DOMAIN}>", "Re: Hi")
    assert (said["In-Reply-To"], said["References"].split()) == ("<3@x>", ["<1@x>", "<2@x>", "<3@x>"])
    assert said.get_body().get_content() == "Yes\n"
    back = await last(post, bob)
    again = await message(post, await reply(post, back.id))
    assert (again["Subject"], again["References"].split()) == (
        "Re: Hi",
        ["<1@x>", "<2@x>", "<3@x>", f"<{back.message_id.strip('<>')}>"],
    )


@pytest.mark.parametrize(
    ("headers", "to", "subject", "references"),
    [
        ({"Reply_To": "List <list@x.example>, b@x.example"}, "List <list@x.example>, b@x.example", "Re: Hi", None),
        ({"Subject": "RE: Hi"}, None, "RE: Hi", None),
        ({"Subject": "Re[2]: Hi"}, None, "Re[2]: Hi", None),
        ({"Subject": "Regarding"}, None, "Re: Regarding", None),
        ({"Subject": ""}, None, "Re:", None),
        ({"Message_ID": "<3@x>", "In_Reply_To": "<2@x>"}, None, "Re: Hi", "<2@x> <3@x>"),
        ({"Message_ID": "<3@x>"}, None, "Re: Hi", "<3@x>"),
    ],
)
async def test_a_reply_is_addressed_and_named_as_the_standard_says(
    headers: dict[str, str], to: str | None, subject: str, references: str | None, post: Post
) -> None:
    ann = await post.inbox("ann", virtual=True)
    said = await message(post, await reply(post, await received(post, ann, **headers)))
    assert said["To"] == (to or f"Bob <bob@{DOMAIN}>")
    assert said["Subject"] == subject
    assert (" ".join(said["References"].split()) if said["References"] else None) == references


async def test_nobody_answers_who_is_not_known(post: Post) -> None:
    ann = await post.inbox("ann")
    email = await post.services.importing.take_in(post.account.id, ann.id, b"Subject: x\r\n\r\ny\r\n")
    with pytest.raises(Invalid, match="nobody to reply to"):
        await reply(post, email)
    stranger = (await post.services.accounts.create_key(account="stranger")).account
    for answer in (post.services.answering.reply, post.services.answering.forward):
        with pytest.raises(NotFound):
            await answer(stranger.id, email, Outgoing())


async def test_a_forward_has_all_that_the_email_had(post: Post) -> None:
    ann, carl = await post.inbox("ann"), await post.inbox("carl")
    email = await received(post, ann, Message_ID="<3@x>", Cc="Dora <dora@x.example>")
    sent = await forward(post, email, carl.email_address)
    said = await message(post, sent)
    assert (said["Subject"], said["References"], said["In-Reply-To"]) == ("Fwd: Hi", "<3@x>", None)
    html = said.get_body(("html",)).get_content()
    assert html.startswith('<html><body class="x"><div>---------- Forwarded message ----------<br>')
    assert f"From: Bob &lt;bob@{DOMAIN}&gt;" in html
    assert "Cc: Dora &lt;dora@x.example&gt;" in html
    assert "<p>Hello" in html
    parts = {part.get_filename(): part for part in said.walk() if part.get_filename()}
    assert parts["März.pdf"].get_content() == bytes(range(256))
    [picture] = [part for part in said.walk() if part["Content-ID"] == "<pic@x>"]
    assert picture.get_content_disposition() == "inline"
    assert len((await last(post, carl)).attachment_ids) == 2
    again = await message(post, await forward(post, (await last(post, carl)).id, ann.email_address))
    assert again["Subject"] == "Fwd: Hi"


async def test_a_text_is_forwarded_as_a_text_under_the_subject_that_was_wished(post: Post) -> None:
    ann = await post.inbox("ann", virtual=True)
    raw = b"From: bob@x.example\r\nDate: Mon, 02 Nov 2026 10:00:00 +0000\r\nSubject: s\r\n\r\nline\r\n> quoted\r\n"
    email = await post.services.importing.take_in(post.account.id, ann.id, raw)
    said = await message(post, await forward(post, email, "carl@x.example", subject="See"))
    assert (said["Subject"], said.get_content_type()) == ("See", "text/plain")
    assert said.get_content() == (
        "---------- Forwarded message ----------\nFrom: bob@x.example\nDate: Mon, 02 Nov 2026 10:00 +0000\nSubject: s\n"
        "\nline\n> quoted\n"
    )


async def test_an_answer_to_all_is_proposed_to_everybody_else_once(post: Post) -> None:
    ann = await post.connector("ann")
    raw = (
        b'From: Bob <bob@elsewhere.example>\r\nTo: ANN@provider.example, "Eve, E." <eve@elsewhere.example>\r\n'
        b"Cc: Bob <BOB@elsewhere.example>, eve@elsewhere.example, tom@elsewhere.example\r\n"
        b"Date: Sun, 22 Nov 2026 20:00:00 +0000\r\nSubject: Hi\r\nMessage-ID: <1@elsewhere.example>\r\n\r\n"
        b"One\r\n> two\r\n\r\nthree\r\n"
    )
    email = await post.services.importing.take_in(post.account.id, ann.inbox_id, raw, rename=False)
    reply = await post.services.answering.proposal(post.account.id, email, Answer.REPLY)
    assert ([one.email for one in reply.to], reply.cc, reply.subject) == (["bob@elsewhere.example"], (), "Re: Hi")
    said = "On Sun, 22 Nov 2026 20:00 +0000, Bob <bob@elsewhere.example> wrote:\n> One\n>> two\n>\n> three\n"
    assert reply.text == f"\n\n{said}"
    to_all = await post.services.answering.proposal(post.account.id, email, Answer.REPLY_ALL)
    assert to_all.to == reply.to
    assert [str(one) for one in to_all.cc] == ["Eve, E. <eve@elsewhere.example>", "tom@elsewhere.example"]


async def test_a_forward_is_proposed_with_its_text_and_all_its_attachments(post: Post) -> None:
    ann = await post.inbox("ann")
    email = await received(post, ann)
    proposal = await post.services.answering.proposal(post.account.id, email, Answer.FORWARD)
    assert (proposal.to, proposal.subject) == ((), "Fwd: Hi")
    assert [one.name for one in proposal.attachments] == ["attachment-1.png", "März.pdf"]
    assert "From: Bob" in proposal.text
    assert proposal.text.rstrip().endswith("Hello")


async def test_what_is_written_by_hand_is_put_where_it_belongs(post: Post) -> None:
    ann = await post.inbox("ann")
    email = await received(post, ann, Message_ID="<2@x.example>", References="<1@x.example>")
    wish = Outgoing(to=("eve@elsewhere.example",), subject="Something else")
    placed = await post.services.answering.placed(post.account.id, email, Answer.REPLY, wish)
    assert (placed.in_reply_to, placed.references) == ("2@x.example", ("1@x.example", "2@x.example"))
    assert (placed.to, placed.subject) == (wish.to, wish.subject)
    forward = await post.services.answering.placed(post.account.id, email, Answer.FORWARD, wish)
    assert (forward.in_reply_to, forward.references) == ("", placed.references)


async def test_nothing_is_proposed_for_another_accounts_email(post: Post) -> None:
    email = await received(post, await post.inbox("ann"))
    other = (await post.services.accounts.create_key(account="other")).account
    with pytest.raises(NotFound):
        await post.services.answering.proposal(other.id, email, Answer.REPLY)


async def test_moustaches_are_filled_in_where_something_is_given(post: Post) -> None:
    ann = await post.inbox("ann", virtual=True)
    text = {"subject": "{{n}} & more", "body": "<{{n}}>"}
    said = await message(post, await post.send(ann.id, "b@x.example", **text))
    assert (said["Subject"], said.get_content()) == ("{{n}} & more", "<{{n}}>\n")
    said = await message(post, await post.send(ann.id, "b@x.example", **text, variables={"n": "a&b"}))
    assert (said["Subject"], said.get_content()) == ("a&b & more", "<a&b>\n")
    said = await message(post, await post.send(ann.id, "b@x.example", **text, variables={"n": "a&b"}, is_html=True))
    assert said.get_content() == "<a&amp;b>\n"
    with pytest.raises(Invalid, match="line break"):
        await post.send(ann.id, "b@x.example", **text, variables={"n": "a\r\nBcc: c@x.example"})
    with pytest.raises(Invalid, match="not closed"):
        await post.send(ann.id, "b@x.example", body="{{#n}}", variables={})


async def test_a_template_takes_the_place_of_the_body(post: Post) -> None:
    ann = await post.inbox("ann", virtual=True)
    template = await post.services.templates.create(post.account.id, "t", "<p>{{who}}{{nobody}}</p>")
    wish = {"template": template.id, "is_html": True, "body": "not this", "variables": {"who": "Bob"}}
    said = await message(post, await post.send(ann.id, "b@x.example", **wish))
    assert said.get_content() == "<p>Bob</p>\n"
    email = await received(post, ann, Subject="{{wild}} {{#subject")
    said = await message(post, await reply(post, email, template=template.id))
    assert said["Subject"] == "Re: {{wild}} {{#subject"
    with pytest.raises(Invalid, match="there is no template"):
        await post.send(ann.id, "b@x.example", template=TemplateId(new_id(utc_now())))
    stranger = (await post.services.accounts.create_key(account="stranger")).account
    foreign = await post.services.templates.create(stranger.id, "t", "x")
    with pytest.raises(Invalid, match="there is no template"):
        await post.send(ann.id, "b@x.example", template=foreign.id)


@pytest.mark.parametrize("content", ["{{", "{{#a}}", "{{> other}}"])
async def test_what_is_no_template_is_not_kept(content: str, post: Post) -> None:
    with pytest.raises(Invalid):
        await post.services.templates.create(post.account.id, "t", content)
    kept = await post.services.templates.create(post.account.id, "t", "x")
    with pytest.raises(Invalid):
        await post.services.templates.change(post.account.id, kept.id, "t", content)
    assert (await post.services.templates.get(post.account.id, kept.id)).content == "x"


async def people(post: Post) -> tuple[GroupId, list[ContactId]]:
    """A group of three: one has opted out, one has no address."""
    group = await post.services.contacts.create_group(post.account.id, "g")
    ids = []
    for new in (
        NewContact(first_name="Bob", email_addresses=(f"Bob <bob@{DOMAIN}>",), about={"size": "L"}, group_id=group.id),
        NewContact(first_name="Out", email_addresses=(f"out@{DOMAIN}",), opted_out=True, group_id=group.id),
        NewContact(first_name="None", group_id=group.id),
    ):
        ids.append((await post.services.contacts.create(post.account.id, new)).id)
    return group.id, ids


async def test_every_contact_gets_a_letter_of_his_own(post: Post) -> None:
    ann, bob, carl = await post.inbox("ann"), await post.inbox("bob"), await post.inbox("carl")
    await post.inbox("out")
    group, _ = await people(post)
    more = await post.services.contacts.create(
        post.account.id, NewContact(first_name="Carl", email_addresses=(carl.email_address,))
    )
    wish = {"contacts": (more.id, more.id), "group": group, "subject": "For {{firstName}}", "body": "{{size}}{{x}}"}
    sent = await post.send(ann.id, variables={"x": "!"}, **wish)
    assert sent.state is SendState.QUEUED
    while claimed := await post.services.outbox.claim(10):
        for errand, one in claimed:
            await post.services.outbox.run(errand, one)
    for inbox, name, body in ((bob, "Bob", "L!"), (carl, "Carl", "!")):
        [email] = await post.emails(inbox)
        opened = await post.services.mail.open(post.account.id, email.id)
        assert (email.subject, opened.message.text.strip()) == (f"For {name}", body)
        assert [(a.name, a.email) for a in email.to] == [(name, inbox.email_address)]
    assert (await post.services.sent.count(post.account.id, ann.id)) == 2


async def test_one_contact_is_sent_to_at_once_and_nobody_is_an_error(post: Post) -> None:
    ann, bob = await post.inbox("ann"), await post.inbox("bob")
    group, [one, out, without] = await people(post)
    assert (await post.send(ann.id, contacts=(one,))).state is SendState.ACCEPTED
    assert (await post.send(ann.id, group=group)).state is SendState.ACCEPTED
    assert len(await post.emails(bob)) == 2
    for wish in ({"contacts": (out,)}, {"contacts": (without, out)}):
        with pytest.raises(Invalid, match="nobody is left"):
            await post.send(ann.id, **wish)
    for wish, said in (
        ({"contacts": (one, ContactId(new_id(utc_now())))}, "there is no contact"),
        ({"group": GroupId(new_id(utc_now()))}, "there is no group"),
    ):
        with pytest.raises(Invalid, match=said):
            await post.send(ann.id, **wish)


async def test_nothing_is_queued_when_one_of_the_letters_cannot_be_sent(post: Post) -> None:
    ann = await post.inbox("ann")
    group, _ = await people(post)
    outside = NewContact(email_addresses=("zoe@elsewhere.example",), group_id=group)
    await post.services.contacts.create(post.account.id, outside)
    with pytest.raises(Invalid, match="no connector to send through"):
        await post.send(ann.id, group=group)
    assert await post.services.outbox.claim(10) == []


async def test_the_same_key_writes_to_nobody_twice(post: Post) -> None:
    ann, bob = await post.inbox("ann"), await post.inbox("bob")
    group, _ = await people(post)
    outgoing = Outgoing(to=(ann.email_address,), group=group, subject="S", body="B")
    for _ in range(2):
        await post.services.sending.send_from_inbox(post.account.id, ann.id, outgoing, key="once")
    while claimed := await post.services.outbox.claim(10):
        for errand, one in claimed:
            await post.services.outbox.run(errand, one)
    assert (len(await post.emails(ann)), len(await post.emails(bob))) == (1, 1)
