"""The main job, as its users write it: the official client, an external mailbox, and nothing of ours in sight."""

import base64
from email.message import EmailMessage

import mailslurp_client as sdk
import pytest

from peers.mailbox import Mailbox
from peers.smtpd import SmtpServer

from .served import Served


def the_message(to: str) -> bytes:
    message = EmailMessage()
    message["From"] = "Zoë Müller <zoe@example.org>"
    message["To"] = to
    message["Subject"] = "Grüße und ein Anhang"
    message["Message-ID"] = "<seed-1@example.org>"
    message.set_content("Guten Tag,\nhier ist der Bericht: 100 €.\n")
    message.add_attachment(bytes(range(256)) * 40, maintype="application", subtype="pdf", filename="Bericht März.pdf")
    return message.as_bytes()


@pytest.fixture(params=["tls", "starttls", "plain"])
def security(request: pytest.FixtureRequest) -> str:
    mode: str = request.param
    return mode


def options(mailbox: Mailbox, smtp: SmtpServer, security: str) -> sdk.CreateConnectorWithOptions:
    dovecot = mailbox.server
    imap_port = dovecot.imaps_port if security == "tls" else dovecot.imap_port
    smtp_port = {"tls": smtp.tls_port, "starttls": smtp.starttls_port, "plain": smtp.plain_port}[security]
    return sdk.CreateConnectorWithOptions(
        create_connector_options=sdk.CreateConnectorOptions(
            name="example-connector", email_address=mailbox.address, enabled=True
        ),
        create_connector_imap_connection_options=sdk.CreateConnectorImapConnectionOptions(
            imap_host="localhost",
            imap_port=imap_port,
            imap_username=mailbox.address,
            imap_password=mailbox.password,
            imap_ssl=security == "tls",
            start_tls=security == "starttls",
            enabled=True,
        ),
        create_connector_smtp_connection_options=sdk.CreateConnectorSmtpConnectionOptions(
            smtp_host="localhost",
            smtp_port=smtp_port,
            smtp_username=mailbox.address,
            smtp_password=mailbox.password,
            smtp_ssl=security == "tls",
            start_tls=security == "starttls",
            enabled=True,
        ),
    )


def test_an_external_mailbox_becomes_an_inbox(
    server: Served, mailbox: Mailbox, smtp_server: SmtpServer, security: str
) -> None:
    mailbox.may_send(smtp_server)
    client = server.sdk()
    inboxes, connectors = sdk.InboxControllerApi(client), sdk.ConnectorControllerApi(client)
    emails = sdk.EmailControllerApi(client)

    # Create with options, at an inbox of ours.
    inbox = inboxes.create_inbox_with_defaults()
    connector = connectors.create_connector_with_options(
        create_connector_with_options=options(mailbox, smtp_server, security), inbox_id=inbox.id
    )
    assert (connector.inbox_id, connector.name, connector.enabled) == (inbox.id, "example-connector", True)
    assert inboxes.get_inbox(inbox.id).functions_as == "CONNECTOR"

    # Test the connections.
    for result in (
        connectors.test_connector_imap_connection(connector.id),
        connectors.test_connector_smtp_connection(connector.id),
    ):
        assert result.success, (result.error, result.logs)

    # Sync, and see the conversation.
    mailbox.deliver(the_message(mailbox.address))
    synced = connectors.sync_connector(connector.id, logging=True)
    assert synced.exception is None
    assert synced.sync_result.email_sync_count == 1
    assert any("CAPABILITY IMAP4rev1" in line for line in synced.sync_result.logs)
    assert mailbox.password not in "\n".join(synced.sync_result.logs)
    again = connectors.sync_connector(connector.id)
    assert (again.sync_result.email_sync_count, again.sync_result.email_ids) == (0, [])

    # Read what was delivered.
    [email_id] = synced.sync_result.email_ids
    email = emails.get_email(email_id)
    assert email.subject == "Grüße und ein Anhang"
    assert email.body.replace("\r\n", "\n") == "Guten Tag,\nhier ist der Bericht: 100 €.\n"
    assert (email._from, email.to) == ("zoe@example.org", [mailbox.address])
    assert email.message_id == "seed-1@example.org"
    [attachment] = emails.get_email_attachments(email_id)
    assert (attachment.name, attachment.content_type, attachment.content_length) == (
        "Bericht März.pdf",
        "application/pdf",
        10240,
    )
    encoded = emails.download_attachment_base64(attachment_id=attachment.id, email_id=email_id)
    assert base64.b64decode(encoded.base64_file_contents) == bytes(range(256)) * 40
    assert [preview.id for preview in inboxes.get_emails(inbox.id)] == [email_id]

    # Send through the external server, by the connector and by its inbox.
    to = mailbox.address
    sent = connectors.send_email_from_connector(
        connector.id, sdk.SendEmailOptions(to=[to], subject="Über den Connector", body="<b>Größe</b>", is_html=True)
    )
    also = inboxes.send_email_and_confirm(inbox.id, sdk.SendEmailOptions(to=[to], subject="By the inbox", body="Hi"))
    assert (sent.subject, also.subject) == ("Über den Connector", "By the inbox")
    delivered = smtp_server.wait_for(to, 2)
    assert {copy.sender for copy in delivered} == {to}
    mailbox.wait_for(3)  # the copies come before the messages themselves
    assert connectors.sync_connector(connector.id).sync_result.email_sync_count == 2
    subjects = {preview.subject for preview in inboxes.get_emails(inbox.id)}
    assert subjects == {"Grüße und ein Anhang", "Über den Connector", "By the inbox"}

    # Every sync and send has left an event; listing the inbox has synced too.
    events = connectors.get_connector_events(connector.id).content
    assert [event.event_type for event in events].count("SEND") == 2
    assert [event.size for event in events if event.event_type == "SYNC" and event.size] == [1, 2]
    assert {event.status for event in events} == {"SUCCESS"}
    sends = connectors.get_connector_events(connector.id, event_type="SEND").content
    log = connectors.get_connector_event(sends[0].id).logs
    assert "EHLO" in log
    assert mailbox.password not in log
    assert base64.b64encode(mailbox.password.encode()).decode() not in log

    # Nothing at the server has been changed by us.
    assert all("\\Seen" not in message.flags for message in mailbox.messages())
