"""Dovecot as an external IMAP server: a real one, private, with a user for everyone who asks.

Plain, STARTTLS and implicit TLS on loopback, delivery by LMTP. Users may sign in with PLAIN, LOGIN, CRAM-MD5,
SCRAM-SHA-256 by their password and with XOAUTH2, OAUTHBEARER by a token from `Dovecot.token`. A wrong
password is refused at once. All the rest is as Debian's Dovecot comes, capabilities included.
"""

import base64
import grp
import hashlib
import hmac
import imaplib
import json
import secrets
import signal
import smtplib
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from .certificates import Authority
from .process import LOOPBACK, Process, free_ports, program

# Maildir, because its files can be planted and read from outside. Flags and folders work as anywhere.
CONFIGURATION = """
base_dir = {directory}/run
state_dir = {directory}/run
log_path = {directory}/dovecot.log
instance_name = posthouse-test
protocols = imap lmtp
listen = {host}
default_internal_user = {user}
default_internal_group = {group}
default_login_user = {user}
first_valid_uid = 1
first_valid_gid = 1

ssl = yes
ssl_cert = <{directory}/certificate.pem
ssl_key = <{directory}/key.pem

disable_plaintext_auth = no
auth_mechanisms = plain login cram-md5 scram-sha-256 xoauth2 oauthbearer
auth_failure_delay = 0
auth_username_chars =
# Without this the refusals wait for a timer of half a second, however short their delay.
passdb {{
  driver = static
  args = noauthenticate nodelay=yes
}}
passdb {{
  driver = dict
  mechanisms = plain login cram-md5 scram-sha-256
  args = {directory}/users.conf
}}
passdb {{
  driver = oauth2
  mechanisms = xoauth2 oauthbearer
  args = {directory}/tokens.conf
}}
userdb {{
  driver = dict
  args = {directory}/users.conf
}}

mail_location = maildir:~/Maildir
mail_fsync = never
mail_max_userip_connections = 1000
# A client in IDLE hears of new mail at once by inotify; this is only what happens where that is missing.
mailbox_idle_check_interval = 2 secs
namespace inbox {{
  inbox = yes
  separator = /
  mailbox Sent {{
    auto = create
    special_use = \\Sent
  }}
  mailbox Drafts {{
    auto = create
    special_use = \\Drafts
  }}
  mailbox Trash {{
    auto = create
    special_use = \\Trash
  }}
}}
postmaster_address = postmaster@localhost
hostname = localhost
lmtp_add_received_header = no

service anvil {{
  chroot =
  # Without this socket nobody keeps count of failed sign-ins, and so nobody is made to wait.
  unix_listener anvil-auth-penalty {{
    mode = 0
  }}
}}
service stats {{
  chroot =
}}
service imap-login {{
  chroot =
  service_count = 0
  client_limit = 1000
  process_min_avail = 1
  inet_listener imap {{
    port = {imap_port}
  }}
  inet_listener imaps {{
    port = {imaps_port}
    ssl = yes
  }}
}}
service imap {{
  process_limit = 1000
}}
service lmtp {{
  inet_listener lmtp {{
    port = {lmtp_port}
  }}
}}
"""

USERS = """
uri = fs:posix:prefix={directory}/
key passdb {{
  key = users/%u
  format = json
}}
key userdb {{
  key = users/%u
  format = json
}}
passdb_objects = passdb
userdb_objects = userdb
"""

TOKENS = """
introspection_mode = local
local_validation_key_dict = fs:posix:prefix={directory}/token-keys/
username_attribute = sub
"""


@dataclass(frozen=True)
class Message:
    """A message as the server shows it: `raw` with CRLF line ends, `flags` such as `\\Seen`."""

    uid: int
    flags: frozenset[str]
    internal_date: str
    raw: bytes


class Dovecot:
    """A private Dovecot. `start` returns when it serves, `stop` when nothing of it is left.

    `host` and the three ports are where it listens: `imap_port` speaks plain text and offers STARTTLS,
    `imaps_port` speaks TLS from the first byte, `lmtp_port` takes deliveries. The certificate is for
    localhost and 127.0.0.1, signed by `authority`.
    """

    host = LOOPBACK

    def __init__(self, authority: Authority | None = None) -> None:
        self.authority = authority or Authority()
        self.imap_port, self.imaps_port, self.lmtp_port = free_ports(3)
        self._passwords: dict[str, str] = {}
        self._token_key = secrets.token_bytes(32)
        self._process: Process | None = None

    def start(self) -> None:
        """Configure and start the server in a fresh directory; its users from an earlier start are gone."""
        self._process = process = Process("dovecot", account="dovecot")
        self._passwords.clear()
        process.make_directory("run", mode=0o755)
        for name in ("users", "mail", "token-keys", "token-keys/default", "token-keys/default/HS256"):
            process.make_directory(name)
        certificate, key = self.authority.issue()
        process.write("certificate.pem", certificate)
        process.write("key.pem", key)
        process.write("users.conf", USERS.format(directory=process.directory))
        process.write("tokens.conf", TOKENS.format(directory=process.directory))
        process.write("token-keys/default/HS256/default", base64.b64encode(self._token_key).decode())
        configuration = CONFIGURATION.format(
            directory=process.directory,
            host=self.host,
            user=process.user.pw_name,
            group=group_name(process.user.pw_gid),
            imap_port=self.imap_port,
            imaps_port=self.imaps_port,
            lmtp_port=self.lmtp_port,
        )
        process.start(
            [program("dovecot"), "-F", "-c", process.write("dovecot.conf", configuration)],
            stop=signal.SIGTERM,
            ports=[self.imap_port, self.imaps_port, self.lmtp_port],
        )

    def stop(self) -> None:
        """End the server and forget its mail. To stop twice is allowed."""
        if self._process is not None:
            self._process.stop()

    @property
    def process(self) -> Process:
        """The running server: its directory, its logs."""
        assert self._process is not None, "Dovecot was not started"
        return self._process

    def add_user(self, name: str, password: str) -> None:
        """Let `name` (usually an address) sign in with `password`, at once; to call again changes it."""
        user, home = self.process.user, self.home(name)
        if name not in self._passwords:
            self.process.make_directory(f"mail/{name}")
        self._passwords[name] = password
        account = {
            "password": f"{{PLAIN}}{password}",
            "uid": user.pw_uid,
            "gid": user.pw_gid,
            "home": str(home),
        }
        self.process.write(f"users/{name}", json.dumps(account))

    def token(self, name: str, *, seconds: int = 3600) -> str:
        """An OAuth 2.0 access token for a known user; with `seconds` below zero an expired one."""
        now = int(time.time())
        claims = {"sub": name, "iat": min(now, now + seconds), "exp": now + seconds}
        signed = b".".join(base64url(json.dumps(part).encode()) for part in ({"alg": "HS256", "typ": "JWT"}, claims))
        signature = hmac.new(self._token_key, signed, hashlib.sha256).digest()
        return (signed + b"." + base64url(signature)).decode()

    def deliver(self, name: str, message: bytes, *, sender: str = "sender@example.org") -> None:
        """Deliver to INBOX as a mail server does (LMTP): the server adds Return-Path and Delivered-To."""
        with smtplib.LMTP(self.host, self.lmtp_port, local_hostname="localhost", timeout=30) as lmtp:
            lmtp.sendmail(sender, [name], message)

    def append(
        self,
        name: str,
        message: bytes,
        folder: str = "INBOX",
        *,
        flags: Sequence[str] = (),
        date: datetime | None = None,
    ) -> int:
        """APPEND as a client does, without a header of the server's; the UID it got.

        `folder` is created when it is missing; `date` (aware) becomes the internal date. Line ends become
        CRLF; a NUL is refused by the server.
        """
        with self.signed_in(name) as imap:
            imap.create(quoted(folder))  # "already exists" is fine
            when = imaplib.Time2Internaldate(date or time.time())
            status, said = imap.append(quoted(folder), f"({' '.join(flags)})", when, message)
            assert status == "OK", said
            # RFC 4315 §3: [APPENDUID <uidvalidity> <uid>]
            return int(said[0].partition(b"[APPENDUID ")[2].partition(b"]")[0].split()[1])

    def plant(self, name: str, message: bytes) -> None:
        """Put the file of a message into INBOX as it is: for bytes that no protocol would have let through.

        Dovecot shows line ends as CRLF and a NUL as 0x80 (in a literal there can be none, RFC 3501 §9).
        """
        maildir = self.home(name) / "Maildir"
        if not maildir.exists():
            with self.signed_in(name) as imap:
                imap.select()
        unique = f"{time.time_ns()}.{secrets.token_hex(4)}.localhost"
        path = maildir / "tmp" / unique
        path.write_bytes(message)
        self.process.give(path)
        path.rename(maildir / "new" / unique)

    def messages(self, name: str, folder: str = "INBOX") -> list[Message]:
        """What is in a folder now, by UID; looking changes nothing."""
        with self.signed_in(name) as imap:
            status, _ = imap.select(quoted(folder), readonly=True)
            assert status == "OK", f"no folder {folder}"
            _, data = imap.uid("FETCH", "1:*", "(UID FLAGS INTERNALDATE BODY.PEEK[])")
            return sorted(read_messages(data), key=lambda message: message.uid)

    @contextmanager
    def signed_in(self, name: str) -> Iterator[imaplib.IMAP4]:
        """A client of the standard library, signed in as a user added here; it is logged out at the end."""
        with imaplib.IMAP4(self.host, self.imap_port, timeout=30) as imap:
            imap.login(name, self._passwords[name])
            yield imap

    def password(self, name: str) -> str:
        """The password of a user added here."""
        return self._passwords[name]

    def home(self, name: str) -> Path:
        """The directory that holds the user's `Maildir`."""
        return self.process.directory / "mail" / name


def read_messages(data: Sequence[object]) -> Iterator[Message]:
    """The messages in imaplib's answer to a FETCH whose only literal is the message."""
    for item in data:
        if isinstance(item, tuple):  # (b'1 (UID 1 FLAGS (\\Seen) INTERNALDATE "..." BODY[] {12}', b'...')
            head = item[0].decode()
            yield Message(
                uid=int(head.partition("UID ")[2].split()[0]),
                flags=frozenset(flag.decode() for flag in imaplib.ParseFlags(item[0])),
                internal_date=head.partition('INTERNALDATE "')[2].partition('"')[0],
                raw=item[1],
            )


def quoted(folder: str) -> str:
    """A folder name as an IMAP quoted string; ASCII only, for these are our own tests."""
    return '"' + folder.replace("\\", "\\\\").replace('"', '\\"') + '"'


def base64url(data: bytes) -> bytes:
    """Base64 as JSON Web Tokens write it: without padding (RFC 7515 §2)."""
    return base64.urlsafe_b64encode(data).rstrip(b"=")


def group_name(group_id: int) -> str:
    """The name of a group, or its number where it has none."""
    try:
        return grp.getgrgid(group_id).gr_name
    except KeyError:
        return str(group_id)
