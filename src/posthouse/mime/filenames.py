"""Names of attachments: data from a stranger, made fit to be shown, saved and sent in a header."""

import re
import unicodedata

LONGEST = 255
"""Octets of UTF-8 that a name may have: what file systems allow."""

# Marks that turn the reading direction make `exe.gpj` out of `jpg.exe`; line separators break lists.
_DECEIVING = re.compile("[\u061c\u200e\u200f\u2028\u2029\u202a-\u202e\u2066-\u2069\ufeff\ufffe\uffff]")
_BLANKS = re.compile(r"\s+")

_BY_TYPE = {
    "text/calendar": "invite.ics",
    "application/ms-tnef": "winmail.dat",
    "application/vnd.ms-tnef": "winmail.dat",
    "application/pkcs7-mime": "smime.p7m",
    "application/x-pkcs7-mime": "smime.p7m",
    "application/pkcs7-signature": "smime.p7s",
    "application/x-pkcs7-signature": "smime.p7s",
    "application/pgp-signature": "signature.asc",
    "application/pgp-encrypted": "version.asc",
    "application/pgp-keys": "key.asc",
    "message/delivery-status": "delivery-status.txt",
    "message/global-delivery-status": "delivery-status.txt",
    "message/disposition-notification": "disposition-notification.txt",
    "message/feedback-report": "feedback-report.txt",
    "text/rfc822-headers": "headers.txt",
}

_EXTENSIONS = {
    "application/gzip": "gz",
    "application/json": "json",
    "application/msword": "doc",
    "application/octet-stream": "bin",
    "application/pdf": "pdf",
    "application/rtf": "rtf",
    "application/vnd.ms-excel": "xls",
    "application/vnd.ms-powerpoint": "ppt",
    "application/vnd.oasis.opendocument.spreadsheet": "ods",
    "application/vnd.oasis.opendocument.text": "odt",
    "application/vnd.openxmlformats-officedocument.presentationml.presentation": "pptx",
    "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet": "xlsx",
    "application/vnd.openxmlformats-officedocument.wordprocessingml.document": "docx",
    "application/xml": "xml",
    "application/zip": "zip",
    "audio/mp4": "m4a",
    "audio/mpeg": "mp3",
    "audio/ogg": "ogg",
    "audio/wav": "wav",
    "image/bmp": "bmp",
    "image/gif": "gif",
    "image/heic": "heic",
    "image/jpeg": "jpg",
    "image/jpg": "jpg",
    "image/png": "png",
    "image/svg+xml": "svg",
    "image/tiff": "tif",
    "image/webp": "webp",
    "message/global": "eml",
    "message/rfc822": "eml",
    "text/csv": "csv",
    "text/html": "html",
    "text/markdown": "md",
    "text/plain": "txt",
    "text/vcard": "vcf",
    "text/x-vcard": "vcf",
    "text/xml": "xml",
    "video/mp4": "mp4",
    "video/quicktime": "mov",
    "video/webm": "webm",
}


def clean(name: str) -> str:
    """`name` as a bare file name: no path, nothing invisible, at most `LONGEST` octets; '' when nothing is left."""
    if len(name) > 10_000:
        name = name[-10_000:]
    if not name.isascii() or not name.isprintable():
        name = _BLANKS.sub(" ", _DECEIVING.sub("", name))
        visible = "".join(letter for letter in name if unicodedata.category(letter) not in ("Cc", "Cs"))
        name = _BLANKS.sub(" ", visible)  # there may have been something between two of them
    name = name.replace("\\", "/").rpartition("/")[2].strip(" ")
    if not name.strip(". "):
        return ""
    return name if len(name) * 4 <= LONGEST else _shortened(name)


def _shortened(name: str) -> str:
    if len(name.encode()) <= LONGEST:
        return name
    stem, dot, extension = name.rpartition(".")
    ending = f"{dot}{extension}"
    if not stem or len(ending.encode()) > 32:
        stem, ending = name, ""
    room = LONGEST - len(ending.encode())
    return stem.encode()[:room].decode("utf-8", "ignore").rstrip(" ") + ending


def invented(content_type: str, number: int) -> str:
    """A name for the attachment with this number (from 1) that came without one."""
    if fixed := _BY_TYPE.get(content_type):
        return fixed
    extension = _EXTENSIONS.get(content_type)
    return f"attachment-{number}.{extension}" if extension else "unnamed"
