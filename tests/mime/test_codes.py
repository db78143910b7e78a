"""One-time codes: found in mail as services write it, in many languages, and not found where there are none."""

import pytest

from posthouse.mime import codes
from posthouse.model.findings import CodeWish, Source
from posthouse.model.message import Message


def message(subject: str = "", text: str = "", html: str = "") -> Message:
    return Message(subject=subject, text=text, html=html)


def found(subject: str = "", text: str = "", html: str = "") -> list[str]:
    return [code.value for code in codes.find(message(subject, text, html))]


BANK = """\
Dear Ms Archer,

you asked to transfer EUR 1,250.00 to the account ending in 4471 on 22/11/2026 at 14:05.

Your one-time passcode is 804211. It is valid for 10 minutes.

Never tell it to anybody: our staff will not ask for it. Questions? Call us at 0800 5551234.

Northern Bank plc, 12 Queen Street, London EC4N 1SP. Registered in England No. 1234567. © 2026
"""

REVIEW_SITE = """\
Hey ann-archer!

A sign in attempt requires further verification because we did not recognize your device. To complete the sign in,
enter the verification code on the unrecognized device.

Device: Firefox on Linux
Verification code: 719834

If you did not attempt to sign in to your account, your password may be compromised. Visit
https://code.example.com/settings/security/449123 to create a new, strong password for your account.
"""

SEARCH_ENGINE = """\
<html><head><style>.c{color:#123456}</style></head><body style="width:600px"><table width="6000"><tr><td>
<h1>Your verification code</h1><p>Use the code below to verify that this address belongs to you.
It expires in 24 hours.</p><div style="font-size:36px;letter-spacing:4px">491 027</div>
<p>&copy; 2026 Search Ltd, 1600 Parkway, Mountain View, CA 94043</p></td></tr></table></body></html>
"""

CODES = {
    "a bank": (("Your passcode", BANK), "804211"),
    "a site for developers": (("Please verify your device", REVIEW_SITE), "719834"),
    "html alone, in two groups": (("Verify your email", "", SEARCH_ENGINE), "491027"),
    "a prefix": (("Your code", "G-482910 is your Example verification code."), "G-482910"),
    "in the subject alone": (("482910 is your login code", "Somebody signs in. It wasn't you? Tell us."), "482910"),
    "four digits that could be a year": (("PIN", "Your PIN is 2024"), "2024"),
    "letters and digits": (("Guard", "Here is the access code you need to sign in:\n\nR8K2P\n\nAnn"), "R8K2P"),
    "letters alone": (("Sign in", "Your sign-in code is:\n\nKQVTN\n"), "KQVTN"),
    "a pair": (("Device", "Enter this code on your device to log in: WDJB-MJHT"), "WDJB-MJHT"),
    "a pair with digits": (("Confirm", "Your confirmation code is 4F7-K2M, it is valid once."), "4F7-K2M"),
    "small letters and digits": (("Log in", "Your temporary login code: x7k2p9"), "x7k2p9"),
    "a hyphen between digits": (("Confirmation", "Your confirmation code is below:\n\n318-407\n"), "318407"),
    "each digit by itself": (
        ("Code", "", "<p>Your security code:</p><table><tr><td>4<td>9<td>1<td>0<td>2<td>7</table>"),
        "491027",
    ),
    "eight digits": (("Sign in", "Your one-time code is 20874416. Don't share it."), "20874416"),
    "five digits": (("FB", "Your confirmation code: FB-48291"), "FB-48291"),
    "behind an order's number": (("Confirm", "Your verification code for order 12345678 is 998877."), "998877"),
    "beside a phone number": (
        ("Code", "Use 330912 as your code. Call +49 (0)30 1234567 if this was not you."),
        "330912",
    ),
    "a heading some lines above": (
        ("Sign in to Example", "Confirm your email address\n\nYour code is below:\n\n\n  640221  \n\nBye, 2026\n"),
        "640221",
    ),
    "marked as bold": (("Login", "Dein Code lautet: *551208*"), "551208"),
    "German": (("Ihre TAN", "Ihr Bestätigungscode lautet 771204. Er ist 15 Minuten gültig."), "771204"),
    "German compound": (
        ("Anmeldung", "Geben Sie bitte diesen Sicherheitscode ein:\n\n9021\n\nRechnung Nr. 44812"),
        "9021",
    ),
    "French": (("Connexion", "Votre code de vérification est : 662 918\nIl expire dans 30 minutes."), "662918"),
    "Spanish": (("Verificación", "Tu código de verificación es 540981. Caduca en 10 minutos."), "540981"),
    "Portuguese": (("Acesso", "Seu código de segurança: 883107"), "883107"),
    "Italian": (("Accesso", "Il tuo codice di verifica è 227719."), "227719"),
    "Dutch": (("Inloggen", "Je verificatiecode is 410655."), "410655"),
    "Polish": (("Logowanie", "Twój kod weryfikacyjny to: 905512"), "905512"),
    "Czech": (("Přihlášení", "Váš ověřovací kód: 120987"), "120987"),
    "Swedish": (("Logga in", "Din verifieringskod är 733190."), "733190"),
    "Turkish": (("Giriş", "Doğrulama kodunuz: 558140"), "558140"),
    "Russian": (("Вход", "Ваш код подтверждения: 348812. Никому его не сообщайте."), "348812"),
    "Greek": (("Σύνδεση", "Ο κωδικός σας είναι 771230."), "771230"),
    "Arabic": (("تسجيل الدخول", "رمز التحقق الخاص بك هو 664201"), "664201"),
    "Hebrew": (("כניסה", "קוד האימות שלך הוא 902133"), "902133"),
    "Hindi": (("लॉगिन", "आपका सत्यापन कोड 447120 है।"), "447120"),
    "Chinese": (("登录", "您的验证码是558213，10分钟内有效。"), "558213"),
    "Japanese": (("ログイン", "認証コードは「730419」です。"), "730419"),
    "Korean": (("로그인", "인증번호 [204817]를 입력해 주세요."), "204817"),
    "Vietnamese": (("Đăng nhập", "Mã xác thực của bạn là 619204"), "619204"),
}


@pytest.mark.parametrize(("mail", "code"), CODES.values(), ids=CODES)
def test_the_code_is_the_first_that_is_found(mail: tuple[str, ...], code: str) -> None:
    assert found(*mail)[:1] == [code]


NO_CODES = {
    "a receipt": (
        "Your receipt from Coffee No. 7",
        "Order number: 4471209\nDate: 2026-11-22\nTotal: $1,042.50\nCard ending in 4242\nTicket #55012\n© 2026",
    ),
    "a parcel": ("Your parcel is on its way", "Tracking number 00340434161094\nShipment 8812034, ZIP 10117 Berlin."),
    "a promotion": ("20% off", "Use promo code SAVE2026 at checkout. Your discount code: AUTUMN25. Valid until 2026."),
    "an invoice": (
        "Rechnung 2026-1044",
        "Rechnungsnummer 20261044, Kundennummer: 771203, Betrag 1190,00 EUR, fällig 2026.",
    ),
    "a newsletter": (
        "News of 2026",
        "In 2025 we grew to 48000 users. Meet us in room 4021. Copyright 2026 Example Inc.",
    ),
    "a phone number": ("Call me", "My number is 0171 5550123 or +1 415 555 0123, or (030) 1234567. Call 5550199."),
    "a flight": ("Your trip", "Flight LH2034 from FRA. Booking code: K7PQ2X. Departure 10:45, gate B4470."),
    "error codes": ("Build failed", "Build 48213 failed with error code 1073. See https://ci.example/jobs/771203."),
    "a password reset by link": (
        "Reset",
        "Reset it here: https://x.example/reset?token=918273645 The link lives 1440 minutes.",
    ),
    "an ip address and a time": (
        "New sign-in",
        "Sign-in at 14:05:22 from 203.0.113.77 on 2026-11-22 with Firefox 12345.",
    ),
    "a postcode": ("Moving", "Our new post code is 10117. The dress code is casual. Area code 0303."),
    "words in capitals": ("HELLO", "PLEASE READ THIS CAREFULLY. THE SOURCE CODE OF CONDUCT IS FINAL."),
    "a pull request": ("[posthouse] Fix crash (#4821)", "Merged #4821 into main.\ncommit 9f8e7d6\nIssue 10442"),
}


@pytest.mark.parametrize("mail", NO_CODES.values(), ids=NO_CODES)
def test_what_is_no_code_is_not_found(mail: tuple[str, ...]) -> None:
    assert found(*mail) == []


def test_a_code_is_told_with_its_place() -> None:
    [code] = codes.find(message("Hello", "Hi,\nyour code is 482910."))
    assert (code.source, code.offset) == (Source.TEXT, 17)
    assert "Hi,\nyour code is 482910."[code.offset :].startswith(code.value)
    assert code.context == "your code is 482910."
    assert code.confidence > 0.8


def test_a_code_in_both_bodies_is_told_once() -> None:
    assert found("Code", "Your code: 482910", "<p>Your code: <b>482910</b></p>") == ["482910"]


def test_lengths_are_bounds() -> None:
    mail = message("Code", "Your code is 4829. Your other code is 918273.")
    assert [code.value for code in codes.find(mail, CodeWish(shortest=5))] == ["918273"]
    assert [code.value for code in codes.find(mail, CodeWish(longest=4))] == ["4829"]


def test_no_more_codes_than_wanted_are_given() -> None:
    text = "\n".join(f"Backup code: {number}" for number in range(100001, 100020))
    assert len(codes.find(message("Codes", text), CodeWish(most=3))) == 3


@pytest.mark.parametrize(
    "text",
    ["1 " * 100_000, "code " * 40_000, "A1-" * 60_000, "code:" + "9" * 200_000, "code\n" * 40_000, "a" * 200_000],
    ids=["digits", "words", "pairs", "one number", "lines", "one word"],
)
def test_a_text_that_was_made_to_be_slow_is_not(text: str) -> None:
    codes.find(message("code", text, text))
