"""Exim as an external SMTP server: a real one, private, that delivers to maildirs we can read.

Three ports, as providers have them: plain text (sign-in in the clear is allowed), STARTTLS (sign-in only
after it), implicit TLS. Nobody sends without signing in (530), wrong credentials get 535, unknown recipients
550. Nothing ever leaves the machine.
"""

import base64
import signal
import time
from dataclasses import dataclass
from pathlib import Path

from .certificates import Authority
from .dovecot import Dovecot
from .process import LOOPBACK, PeerFailed, Process, free_ports, program

DELIVERY_PATIENCE = 20.0  # seconds; Exim answers DATA before it delivers

# Exim runs without privileges: started by root it is the account of its package, and gives up the rest on its
# own because of -C. Hence its own id wherever it would like another.
CONFIGURATION = """
exim_user = {uid}
exim_group = {gid}
never_users =
spool_directory = {directory}/spool
log_file_path = {directory}/log/%s.log
pid_file_path =
primary_hostname = localhost
qualify_domain = localhost
local_interfaces = {host}
daemon_smtp_ports = {plain_port} : {starttls_port} : {tls_port}
tls_on_connect_ports = {tls_port}
tls_advertise_hosts = ${{if eq{{$received_port}}{{{starttls_port}}}{{*}}}}
tls_certificate = {directory}/certificate.pem
tls_privatekey = {directory}/key.pem
auth_advertise_hosts = ${{if or{{{{def:tls_in_cipher}}{{eq{{$received_port}}{{{plain_port}}}}}}}{{*}}}}

host_lookup =
rfc1413_query_timeout = 0s
smtp_accept_max = 500
smtp_accept_queue = 0
smtp_accept_queue_per_connection = 0
smtp_accept_keepalive = false
recipients_max = 100
message_size_limit = {size_limit}
check_spool_space = 0
check_spool_inodes = 0
deliver_drop_privilege = true
allow_domain_literals = true
smtputf8_advertise_hosts = *
dsn_advertise_hosts = *
keep_environment =

acl_smtp_mail = check_mail
acl_smtp_rcpt = check_recipient
acl_smtp_data = accept

begin acl

check_mail:
  deny   message = 530 5.7.0 Authentication required
         !authenticated = *
  accept

check_recipient:
  deny   message = 550 5.1.1 <$local_part@$domain>: no such user here
         !verify = recipient
  accept

begin routers

elsewhere:
  driver = manualroute
  address_data = ${{lookup{{$local_part@$domain}}lsearch{{{directory}/lmtp}}{{$value}}fail}}
  route_data = $address_data
  transport = lmtp
  self = send
  unseen
  no_verify

here:
  driver = accept
  address_data = ${{lookup{{$local_part@$domain}}lsearch{{{directory}/maildirs}}{{$value}}fail}}
  transport = maildir

begin transports

maildir:
  driver = appendfile
  directory = {directory}/mail/$address_data
  maildir_format
  create_directory
  return_path_add
  envelope_to_add

lmtp:
  driver = smtp
  protocol = lmtp
  port = 24
  allow_localhost
  hosts_try_fastopen =

begin authenticators

plain:
  driver = plaintext
  public_name = PLAIN
  server_prompts = :
  server_set_id = $auth2
  server_condition = ${{if and{{{{!eq{{$auth3}}{{}}}}\\
    {{eq{{${{base64:$auth3}}}}{{${{lookup{{$auth2}}lsearch{{{directory}/passwords}}}}}}}}}}}}

login:
  driver = plaintext
  public_name = LOGIN
  server_prompts = Username:: : Password::
  server_set_id = $auth1
  server_condition = ${{if and{{{{!eq{{$auth2}}{{}}}}\\
    {{eq{{${{base64:$auth2}}}}{{${{lookup{{$auth1}}lsearch{{{directory}/passwords}}}}}}}}}}}}

cram_md5:
  driver = cram_md5
  public_name = CRAM-MD5
  server_set_id = $auth1
  server_secret = ${{base64d:${{lookup{{$auth1}}lsearch{{{directory}/passwords}}{{$value}}fail}}}}
"""


@dataclass(frozen=True)
class Delivered:
    """One copy of a message: who the envelope said it is from ("" for a bounce) and for, and its bytes.

    The line ends are LF, as Exim keeps them; the first header is the Received of this server.
    """

    sender: str
    recipient: str
    raw: bytes


class SmtpServer:
    """A private Exim. `start` returns when it serves, `stop` when nothing of it is left.

    `plain_port`, `starttls_port` and `tls_port` on `host` each ask for a sign-in by PLAIN, LOGIN or CRAM-MD5.
    The certificate is for localhost and 127.0.0.1, signed by `authority`. A message may have 100 recipients
    and `size_limit` bytes.
    """

    host = LOOPBACK
    size_limit = 30 * 1024 * 1024

    def __init__(self, authority: Authority | None = None) -> None:
        self.authority = authority or Authority()
        self.plain_port, self.starttls_port, self.tls_port = free_ports(3)
        self._passwords: dict[str, str] = {}
        self._elsewhere: dict[str, int] = {}
        self._process: Process | None = None

    def start(self) -> None:
        """Configure and start the server in a fresh directory; its users from an earlier start are gone."""
        self._process = process = Process("exim", account="Debian-exim")
        self._passwords.clear()
        self._elsewhere.clear()
        for name in ("spool", "log", "mail"):
            process.make_directory(name)
        certificate, key = self.authority.issue()
        process.write("certificate.pem", certificate)
        process.write("key.pem", key)
        self._write_users()
        configuration = CONFIGURATION.format(
            directory=process.directory,
            host=self.host,
            uid=process.user.pw_uid,
            gid=process.user.pw_gid,
            plain_port=self.plain_port,
            starttls_port=self.starttls_port,
            tls_port=self.tls_port,
            size_limit=self.size_limit,
        )
        process.start(
            [program("exim4"), "-C", process.write("exim.conf", configuration), "-bdf"],
            stop=signal.SIGTERM,
            ports=[self.plain_port, self.starttls_port, self.tls_port],
        )

    def stop(self) -> None:
        """End the server and forget its mail. To stop twice is allowed."""
        if self._process is not None:
            self._process.stop()

    @property
    def process(self) -> Process:
        """The running server: its directory, its logs."""
        assert self._process is not None, "Exim was not started"
        return self._process

    def add_user(self, address: str, password: str, *, also_deliver_to: Dovecot | None = None) -> None:
        """Let `address` sign in with `password` and receive mail; a known user's password changes.

        With `also_deliver_to` the mail goes to the INBOX of the same address there as well; it must be a user
        there.
        """
        self._passwords[address] = password
        if also_deliver_to is not None:
            self._elsewhere[address] = also_deliver_to.lmtp_port
        self._write_users()

    def delivered(self, address: str) -> list[Delivered]:
        """What has been delivered to a user so far, oldest first."""
        folder = self.process.directory / "mail" / maildir_name(address) / "new"
        if not folder.is_dir():
            return []
        # Maildir names begin with the second of delivery; the file system knows it finer.
        return [read_copy(path) for path in sorted(folder.iterdir(), key=lambda path: path.stat().st_mtime_ns)]

    def wait_for(self, address: str, count: int = 1) -> list[Delivered]:
        """`delivered`, once there are at least `count`; Exim delivers just after it has said 250."""
        deadline = time.monotonic() + DELIVERY_PATIENCE
        while len(found := self.delivered(address)) < count:
            if time.monotonic() > deadline:
                said = self.process.log()
                raise PeerFailed(f"{address} has {len(found)} messages, not {count}; the server said:\n{said}")
            time.sleep(0.02)
        return found

    def _write_users(self) -> None:
        hidden = {who: base64.b64encode(word.encode()).decode() for who, word in self._passwords.items()}
        self.process.write("passwords", table(hidden))
        self.process.write("maildirs", table({who: maildir_name(who) for who in self._passwords}))
        self.process.write("lmtp", table({who: f"{LOOPBACK}::{port}" for who, port in self._elsewhere.items()}))


def table(rows: dict[str, str]) -> str:
    """A file for Exim's lsearch lookup."""
    return "".join(f"{key}: {value}\n" for key, value in rows.items())


def read_copy(path: Path) -> Delivered:
    """A file of Exim's maildir: its first two header lines are the envelope, the rest the message."""
    # appendfile puts Return-path and Envelope-to before all else, in this order.
    return_path, envelope_to, raw = path.read_bytes().split(b"\n", 2)
    return Delivered(
        sender=return_path.decode().removeprefix("Return-path: <").removesuffix(">"),
        recipient=envelope_to.decode().removeprefix("Envelope-to: "),
        raw=raw,
    )


def maildir_name(address: str) -> str:
    """A directory name for a user: any address, no separator, no case."""
    return address.lower().encode().hex()
