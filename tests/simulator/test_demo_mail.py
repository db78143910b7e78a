"""The demo's messages are what they are meant to be, for a reader that is not ours."""

import email
import email.policy
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime

from posthouse.simulator import content
from posthouse.simulator.demo_mail import demo_messages

NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
MESSAGES = {
    message["Subject"]: message
    for message in (
        email.message_from_bytes(data, policy=email.policy.default) for data in demo_messages("ann@post.example", NOW)
    )
}


def test_they_are_eight_and_ascend_in_time():
    dates = [parsedate_to_datetime(message["Date"]) for message in MESSAGES.values()]
    assert len(dates) == 8
    assert dates == sorted(dates)
    assert NOW - timedelta(days=2) < dates[0] < dates[-1] < NOW


def test_they_are_for_the_given_address_and_have_an_identity():
    assert {message["To"] for message in MESSAGES.values()} == {"ann@post.example"}
    assert len({message["Message-ID"] for message in MESSAGES.values()}) == 8


def test_they_are_well_formed():
    for data in demo_messages("ann@post.example", NOW):
        assert b"\n" not in data.replace(b"\r\n", b"")
        assert b"\r" not in data.replace(b"\r\n", b"")
        assert data.isascii()
        for part in email.message_from_bytes(data, policy=email.policy.default).walk():
            assert part.defects == []


def test_legacy_charsets_are_read_as_they_were_meant():
    munich = MESSAGES["Schöne Grüße und ein Käsekuchen"]
    assert munich["From"].startswith("Jörg Müller")
    assert munich.get_content().startswith("Grüße aus München!")
    kyoto = MESSAGES["打ち合わせの件"]
    assert "火曜日の午後三時" in kyoto.get_content()


def test_the_invoice_holds_a_pdf_whose_table_points_at_its_objects():
    (pdf,) = (part.get_content() for part in MESSAGES["Invoice 2041"].iter_attachments())
    table = int(pdf.rsplit(b"startxref\n", 1)[1].split(b"\n")[0])
    assert pdf[table : table + 4] == b"xref"
    places = [int(line[:10]) for line in pdf[table:].split(b"\n")[3:8]]
    assert [pdf[place : place + 7] for place in places] == [b"%d 0 obj" % number for number in range(1, 6)]


def test_the_welcome_shows_the_picture_it_carries():
    welcome = MESSAGES["Welcome to Lantern Books"]
    html = welcome.get_body(("html",))
    (picture,) = (part for part in welcome.walk() if part.get_content_type() == "image/png")
    assert f'src="cid:{picture["Content-ID"].strip("<>")}"' in html.get_content()
    assert picture.get_content().startswith(b"\x89PNG\r\n\x1a\n")


def test_the_rest_is_what_machines_look_for():
    assert "402917" in MESSAGES["Your sign-in code: 402917"].get_content()
    letter = MESSAGES["Three soups for November 🍲"]
    assert letter["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    (calendar,) = (
        part for part in MESSAGES["Invitation: Colour review"].walk() if part.get_content_subtype() == "calendar"
    )
    assert calendar.get_param("method") == "REQUEST"
    bounce = MESSAGES["Undelivered: Lunch on Friday?"]
    status = next(part for part in bounce.walk() if part.get_content_type() == "message/delivery-status")
    assert [group["Status"] for group in status.get_payload()] == [None, "5.1.1"]


def test_the_server_sees_the_same_structure_as_the_standard_library():
    for data in demo_messages("ann@post.example", NOW):
        ours = [f"{part.maintype}/{part.subtype}" for part in content.walk(content.parse(data))]
        theirs = email.message_from_bytes(data)
        shown = [part.get_content_type() for part in theirs.walk()]
        # The standard library looks into delivery reports, whose groups of fields are no parts.
        if "message/delivery-status" in shown:
            at = shown.index("message/delivery-status")
            del shown[at + 1 : at + 3]
        assert ours == shown
