"""Bytes to text, whatever their label says.

Labels go through a fixed list of character sets; what is not on it is not asked of Python, which would happily
run `unicode_escape` or raise on `x-klingon`. Then the bytes have a say: text that is valid UTF-8 almost always is
UTF-8, and what fits nothing is read as windows-1252, in which every byte means something. `decode` never raises,
and what it returns holds no NUL and no lone surrogate, so that every database takes it.
"""

import codecs
import re
from collections.abc import Iterator

# The character set's name, and Python's codecs for it: tried strictly in turn, the last one forgivingly.
# Where the WHATWG Encoding Standard reads an older label as its superset, so do we.
_CODECS: dict[str, tuple[str, ...]] = {
    "utf-8": ("utf-8",),
    "us-ascii": (),
    "iso-8859-1": (),
    "windows-1252": (),
    "big5": ("big5hkscs", "cp950"),
    "euc-jp": ("euc_jp", "euc_jis_2004"),
    "euc-kr": ("cp949",),
    "gb18030": ("gb18030",),
    "hz-gb-2312": ("hz",),
    "iso-2022-jp": ("iso2022_jp_ext",),
    "iso-2022-kr": ("iso2022_kr",),
    "shift_jis": ("cp932",),
    "koi8-r": ("koi8-r",),
    "koi8-u": ("koi8-u",),
    "macintosh": ("mac-roman",),
    "x-mac-cyrillic": ("mac-cyrillic",),
    "utf-7": ("utf-7",),
    "utf-16": ("utf-16",),
    "utf-16le": ("utf-16-le",),
    "utf-16be": ("utf-16-be",),
    "utf-32": ("utf-32",),
    "windows-874": ("cp874",),
    **{f"windows-{page}": (f"cp{page}",) for page in (1250, 1251, 1253, 1254, 1255, 1256, 1257, 1258)},
    **{f"iso-8859-{part}": (f"iso8859-{part}",) for part in (2, 3, 4, 5, 6, 7, 8, 10, 13, 14, 15, 16)},
    **{f"ibm{page}": (f"cp{page}",) for page in (437, 850, 852, 855, 857, 862, 866)},
}

_ALIASES = {
    "utf8": "utf-8", "unicode-1-1-utf-8": "utf-8", "unicode-1-1-utf-7": "utf-7", "utf7": "utf-7",
    "utf16": "utf-16", "utf16le": "utf-16le", "utf16be": "utf-16be", "utf32": "utf-32", "ucs-2": "utf-16",
    "unicode": "utf-16",
    "ascii": "us-ascii", "iso646-us": "us-ascii", "ansi-x3.4-1968": "us-ascii", "646": "us-ascii",
    "latin1": "iso-8859-1", "latin-1": "iso-8859-1", "iso8859-1": "iso-8859-1", "8859-1": "iso-8859-1",
    "latin2": "iso-8859-2", "latin-2": "iso-8859-2", "latin9": "iso-8859-15", "latin-9": "iso-8859-15",
    "iso-8859-8-i": "iso-8859-8", "iso-8859-8-e": "iso-8859-8", "iso-8859-6-i": "iso-8859-6",
    "iso-8859-9": "windows-1254", "latin5": "windows-1254",
    "iso-8859-11": "windows-874", "tis-620": "windows-874", "tis620": "windows-874",
    "gb2312": "gb18030", "gbk": "gb18030", "x-gbk": "gb18030", "gb-2312": "gb18030", "gb-2312-80": "gb18030",
    "gb-18030": "gb18030", "cp936": "gb18030", "windows-936": "gb18030", "euc-cn": "gb18030", "ms936": "gb18030",
    "hz": "hz-gb-2312", "cn-gb": "gb18030", "cn-big5": "big5", "big5-hkscs": "big5", "big-5": "big5",
    "x-x-big5": "big5", "cp950": "big5", "windows-950": "big5",
    "shift-jis": "shift_jis", "sjis": "shift_jis", "x-sjis": "shift_jis", "ms-kanji": "shift_jis",
    "cp932": "shift_jis", "windows-31j": "shift_jis", "ms932": "shift_jis", "eucjp": "euc-jp", "x-euc-jp": "euc-jp",
    "csiso2022jp": "iso-2022-jp", "iso-2022-jp-1": "iso-2022-jp", "iso-2022-jp-2": "iso-2022-jp",
    "iso-2022-jp-3": "iso-2022-jp", "iso-2022-jp-2004": "iso-2022-jp", "iso-2022-jp-ms": "iso-2022-jp",
    "cp50220": "iso-2022-jp", "cp50221": "iso-2022-jp", "jis": "iso-2022-jp",
    "ks-c-5601-1987": "euc-kr", "ks-c-5601": "euc-kr", "ksc5601": "euc-kr", "ks-c-5601-1989": "euc-kr",
    "euckr": "euc-kr", "cp949": "euc-kr", "uhc": "euc-kr", "windows-949": "euc-kr", "korean": "euc-kr",
    "koi8": "koi8-r", "koi": "koi8-r", "mac": "macintosh", "x-mac-roman": "macintosh", "mac-roman": "macintosh",
    # Windows' own numbers for fonts' character sets, which some mailers put where a name belongs ("134").
    "0": "windows-1252", "128": "shift_jis", "129": "euc-kr", "134": "gb18030", "136": "big5",
    "161": "windows-1253", "162": "windows-1254", "177": "windows-1255", "178": "windows-1256",
    "186": "windows-1257", "204": "windows-1251", "222": "windows-874", "238": "windows-1250",
}  # fmt: skip

# 7-bit sets that shift by escapes: their bytes look like ASCII, so the label is the only witness.
_SHIFTED = frozenset({"iso-2022-jp", "iso-2022-kr", "hz-gb-2312", "utf-7"})
_WIDE = frozenset({"utf-16", "utf-16le", "utf-16be", "utf-32"})
# Sets in which real words happen to be valid UTF-8, so a label that fits is believed before the bytes.
_BELIEVED = frozenset({"gb18030", "big5", "shift_jis", "euc-jp", "euc-kr", "windows-874"})

_PAGE = re.compile(r"(?:x-)?(?:windows|win|cp|ms|ibm|dos|microsoft-cp)?-?(\d{3,5})")
_LABEL_END = re.compile(r"[;\s]")


def _windows_1252() -> Iterator[str]:
    """The WHATWG's table: where Microsoft's has holes it keeps the control characters of Latin-1."""
    for byte in range(256):
        try:
            yield bytes([byte]).decode("cp1252")
        except UnicodeDecodeError:
            yield chr(byte)


_WINDOWS_1252 = "".join(_windows_1252())


def known(label: str) -> str:
    """The name of the character set that `label` means, in lower case; '' when it means none of ours."""
    name = label
    if name not in _CODECS:
        name = _LABEL_END.split(label.replace("\0", "").strip(" \t\r\n\"'").lower(), maxsplit=1)[0]
        # RFC 2231 §5: a language may follow the charset in an encoded word.
        name = name.partition("*")[0][:40].strip("\"'").replace("_", "-")
    if name in _CODECS:
        return name
    if name in _ALIASES:
        return _ALIASES[name]
    if name.startswith("iso8859"):
        return known("iso-8859" + name[7:]) if name[7:8] == "-" else ""
    page = _PAGE.fullmatch(name)
    for prefix in ("windows-", "ibm"):
        if page and prefix + page[1] in _CODECS:
            return prefix + page[1]
    return ""


def eight_bit(label: str) -> str:
    """The character set that `label` means if it is one in which ASCII means itself, else ''."""
    charset = known(label)
    return "" if charset in _SHIFTED or charset in _WIDE else charset


def decode(data: bytes, label: str = "") -> tuple[str, str]:
    """The text of `data`, and the name of the character set it was read in: `label`'s, or what fits better."""
    charset = known(label)
    text, charset = _decode(data, charset)
    if "\0" in text:
        text = text.replace("\0", "")
    return text, charset


def _decode(data: bytes, charset: str) -> tuple[str, str]:
    if charset in _WIDE:
        return _wide(data, charset)
    if charset in _SHIFTED:
        return _shifted(data, charset)
    if data.isascii():
        return data.decode("ascii"), charset or "us-ascii"
    if charset in _BELIEVED and (text := _strictly(data, charset)) is not None:
        return text, charset
    try:
        return data.decode("utf-8"), "utf-8"
    except UnicodeDecodeError:
        pass
    if codec := charset not in ("utf-8", "us-ascii") and _CODECS.get(charset):
        strict = _strictly(data, charset)
        return strict if strict is not None else data.decode(codec[-1], "replace"), charset
    if charset in ("iso-8859-1", "windows-1252"):
        return _latin(data), charset
    # No label, or one that is false. UTF-8 with a few broken letters (cut short, or glued) is still UTF-8.
    text = data.decode("utf-8", "replace")
    broken = text.count("\ufffd")
    if sum(map(len, _NON_ASCII.findall(text))) > 2 * broken:
        return text, "utf-8"
    return (data.decode("gb18030", "replace"), "gb18030") if _is_gb2312(data) else (_latin(data), "windows-1252")


_NON_ASCII = re.compile(r"[^\x00-\x7f]+")


def _strictly(data: bytes, charset: str) -> str | None:
    for codec in _CODECS[charset]:
        try:
            return data.decode(codec)
        except UnicodeDecodeError:
            continue
    return None


def _latin(data: bytes) -> str:
    return codecs.charmap_decode(data, "strict", _WINDOWS_1252)[0]


def _shifted(data: bytes, charset: str) -> tuple[str, str]:
    text = _strictly(data, charset)
    if text is None and charset == "iso-2022-jp":
        # Mailers put NEC's and JIS X 0213's letters (①, ㈱) where JIS X 0208 has none; the later standard, announced
        # by another escape, has them in the same places.
        later = data.replace(b"\x1b$B", b"\x1b$(Q").replace(b"\x1b$@", b"\x1b$(Q")
        try:
            text = later.decode("iso2022_jp_2004")
        except UnicodeDecodeError:
            text = None
    if text is None and not data.isascii():
        return _decode(data, "")
    if text is None:
        text = data.decode(_CODECS[charset][-1], "replace")
    return _whole(text), charset


def _wide(data: bytes, charset: str) -> tuple[str, str]:
    marked = data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE, codecs.BOM_UTF32_BE))
    if not marked and b"\0" not in data:
        try:  # Labelled so by a program that thinks in UTF-16, and written otherwise.
            return data.decode("utf-8"), "utf-8"
        except UnicodeDecodeError:
            pass
    codec = _CODECS[charset][0]
    if charset == "utf-16" and not marked:
        # RFC 2781 §4.3 says big-endian; Windows says otherwise. Most text has its zeros in the higher bytes.
        sample = data[:4096]
        codec = "utf-16-le" if sample[1::2].count(0) > sample[::2].count(0) else "utf-16-be"
    return _whole(data.decode(codec, "replace")), charset


def _whole(text: str) -> str:
    """`text` with surrogates in pairs joined, and lone ones replaced: some decoders let them through."""
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


_HIGH_RUNS = re.compile(rb"[\x80-\xff]+")


def _is_gb2312(data: bytes) -> bool:
    """Whether unlabelled bytes look like simplified Chinese: pairs only, and mostly of the common characters.

    Western text has lone high bytes, Korean never leads with more than 0xC8, Cyrillic leads mostly beyond 0xD7.
    """
    sample = data[:4096]
    runs = _HIGH_RUNS.findall(sample)
    if len(sample) < len(data) and runs:
        runs.pop()
    if any(len(run) % 2 for run in runs):
        return False
    leads = b"".join(run[::2] for run in runs)
    trails = b"".join(run[1::2] for run in runs)
    if len(leads) < 4 or min(leads) < 0xA1 or max(leads) > 0xF7 or min(trails) < 0xA1:
        return False
    common = sum(0xB0 <= lead <= 0xD7 for lead in leads)
    return common * 2 > len(leads) and max(leads) > 0xC8
