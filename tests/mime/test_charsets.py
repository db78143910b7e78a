"""Bytes and labels to text."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from posthouse.mime import charsets, filenames


@pytest.mark.parametrize(
    ("data", "label", "text", "charset"),
    [
        (b"plain", "", "plain", "us-ascii"),
        ("тест".encode(), "us-ascii", "тест", "utf-8"),
        ("naïve".encode(), '"utf-8;format=flowed', "naïve", "utf-8"),
        ("naïve".encode(), "utf-8\0", "naïve", "utf-8"),
        ("Größe".encode("latin-1"), "", "Größe", "windows-1252"),
        ("Größe".encode("latin-1"), "utf-8", "Größe", "windows-1252"),
        (b"\x93quoted\x94 \x81", "iso-8859-1", "“quoted” \x81", "iso-8859-1"),
        ("żółw".encode("cp1250"), "windows-1250", "żółw", "windows-1250"),
        ("привет".encode("cp1251"), "cp1251", "привет", "windows-1251"),
        ("привет".encode("koi8-r"), "KOI8-R", "привет", "koi8-r"),
        ("通知".encode("gbk"), "134", "通知", "gb18030"),
        ("联通".encode("gbk"), "gb2312", "联通", "gb18030"),
        ("請確認會議資料".encode("big5"), "Big5", "請確認會議資料", "big5"),
        ("会议通知请确认附件".encode("gbk"), "", "会议通知请确认附件", "gb18030"),
        ("확인".encode("cp949"), "ks_c_5601-1987", "확인", "euc-kr"),
        (b"\x1b$B2q5D\x1b(B", "ISO-2022-JP", "会議", "iso-2022-jp"),
        (b"\x1b$B-!\x1b(B", "iso-2022-jp", "①", "iso-2022-jp"),
        (b"~{VPND~}", "hz-gb-2312", "中文", "hz-gb-2312"),
        (b"Hi +Jjo-", "utf-7", "Hi ☺", "utf-7"),
        (b"x +2AA- y", "utf-7", "x \ufffd y", "utf-7"),
        ("hé".encode("utf-16"), "utf-16", "hé", "utf-16"),
        ("hello".encode("utf-16-be"), "utf-16", "hello", "utf-16"),
        ("hello".encode("utf-16-le"), "utf-16", "hello", "utf-16"),
        (b"not wide at all", "utf-16", "not wide at all", "utf-8"),
        (b"\\x41", "unicode_escape", "\\x41", "us-ascii"),
        (b"uryyb", "rot13", "uryyb", "us-ascii"),
        (b"na\xefve", "x-klingon-9", "naïve", "windows-1252"),
        (
            "много слов в UTF-8, и сломана одна буква".encode()[:-1],
            "utf-8",
            "много слов в UTF-8, и сломана одна букв\ufffd",
            "utf-8",
        ),
        (b"a\0b", "utf-8", "ab", "utf-8"),
    ],
)
def test_text_is_read_in_the_charset_that_fits(data: bytes, label: str, text: str, charset: str) -> None:
    assert charsets.decode(data, label) == (text, charset)


@given(st.binary(max_size=200), st.sampled_from(["", *charsets._CODECS, *charsets._ALIASES]) | st.text(max_size=20))
def test_every_byte_and_label_gives_text_that_a_database_takes(data: bytes, label: str) -> None:
    text, _ = charsets.decode(data, label)
    text.encode("utf-8")
    assert "\0" not in text


@pytest.mark.parametrize("charset", charsets._CODECS)
def test_every_charset_on_the_list_can_be_read(charset: str) -> None:
    assert charsets.known(charset) == charset
    assert charsets.known(charset.upper().replace("-", "_")) == charset
    for codec in charsets._CODECS[charset]:
        b"".decode(codec)


def test_every_alias_means_something() -> None:
    assert all(charsets.known(alias) in charsets._CODECS for alias in charsets._ALIASES)


@pytest.mark.parametrize(
    ("name", "cleaned"),
    [
        ("report.pdf", "report.pdf"),
        ("../../etc/passwd", "passwd"),
        ("C:\\Users\\ann\\a.txt", "a.txt"),
        ("..", ""),
        (" . ", ""),
        ("a\r\nb\0.txt", "a b.txt"),
        ("photo\u202egpj.exe", "photogpj.exe"),
        ("x" * 300 + ".pdf", "x" * 251 + ".pdf"),
        ("会" * 200 + ".pdf", "会" * 83 + ".pdf"),
        ("." + "x" * 300, "." + "x" * 254),
        ("👩‍💻 café.txt", "👩‍💻 café.txt"),
    ],
)
def test_file_names_are_made_bare(name: str, cleaned: str) -> None:
    assert filenames.clean(name) == cleaned


@given(st.text())
@example("0 \x00 ¡")
def test_a_clean_name_stays_as_it_is(name: str) -> None:
    cleaned = filenames.clean(name)
    assert filenames.clean(cleaned) == cleaned
    assert len(cleaned.encode()) <= filenames.LONGEST
