"""Styles and scripts: under names that change with their content, so that a browser may keep them for good."""

import gzip
from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256
from importlib.resources import files

from starlette.requests import Request
from starlette.responses import Response

_TYPES = {"css": "text/css; charset=utf-8", "js": "text/javascript; charset=utf-8", "svg": "image/svg+xml"}


@dataclass(frozen=True, slots=True)
class _File:
    content: bytes
    squeezed: bytes
    type: str


class Static:
    """All files of the folder `static`, in memory: they are few and small."""

    def __init__(self, base: str) -> None:
        self._files: dict[str, _File] = {}
        names = {}
        for file in files("posthouse.dashboard").joinpath("static").iterdir():
            stem, _, kind = file.name.rpartition(".")
            if kind in _TYPES:
                content = file.read_bytes()
                name = f"{stem}.{sha256(content).hexdigest()[:12]}.{kind}"
                self._files[name] = _File(content, gzip.compress(content, mtime=0), _TYPES[kind])
                names[file.name] = f"{base}/{name}"
        self.urls: Mapping[str, str] = names
        """Where each is to be asked for, by its file's name."""

    async def serve(self, request: Request) -> Response:
        """The file of this name; 404 for one of an older version."""
        file = self._files.get(request.path_params["name"])
        if file is None:
            return Response("There is no such file: load the page again.", 404, media_type="text/plain")
        squeezed = "gzip" in request.headers.get("accept-encoding", "")
        headers = {"cache-control": "public, max-age=31536000, immutable", "vary": "accept-encoding"}
        if squeezed:
            headers["content-encoding"] = "gzip"
        return Response(file.squeezed if squeezed else file.content, headers=headers, media_type=file.type)
