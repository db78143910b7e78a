"""A certificate authority for one test run, and the certificates of its servers."""

import ssl
from pathlib import Path

import trustme


class Authority:
    """Issues certificates for localhost (and 127.0.0.1 and ::1); clients that trust it accept the peers."""

    def __init__(self) -> None:
        self._ca = trustme.CA()

    @property
    def pem(self) -> str:
        """The authority's own certificate, for a client's list of trusted ones."""
        return self._ca.cert_pem.bytes().decode()

    def trusted(self) -> ssl.SSLContext:
        """A client context that trusts this authority and nobody else."""
        return ssl.create_default_context(cadata=self.pem)

    def issue(self, *names: str) -> tuple[str, str]:
        """A certificate chain and its private key as PEM; by default for this machine's own names."""
        issued = self._ca.issue_cert(*(names or ("localhost", "127.0.0.1", "::1")))
        chain = "".join(blob.bytes().decode() for blob in issued.cert_chain_pems)
        return chain, issued.private_key_pem.bytes().decode()

    def save(self, path: Path) -> Path:
        """Write the authority's certificate to `path`, for programs that want a file."""
        path.write_text(self.pem)
        return path
