"""Destinations: a repository as it is pushed to, request by request.

Paths, headers and answers are those of the OCI distribution specification, "Push". Nothing is decided here but what an
answer means; ``uploads`` decides what to do then.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from urllib.parse import SplitResult, quote, urlsplit

from moorage_sdk import errors
from moorage_sdk.descriptors import INDEXES, MANIFESTS, Descriptor
from moorage_sdk.references import Reference
from moorage_sdk.transfers import Credentials
from moorage_transfer_local import hosts, retries
from moorage_transfer_local.refusals import refusal
from moorage_transfer_local.registries import addressed
from moorage_transfer_local.servers import Server, Settings, leads
from moorage_transfer_local.stops import Stop
from moorage_transfer_local.transports import Body, Response

DONE = frozenset({200, 201, 202, 204})
"""201 is what the specification says; some registries answer with another one."""

BYTES = {"Content-Type": "application/octet-stream"}

_RANGE = re.compile(r"(?:bytes=)?0-([0-9]{1,18})")


class Interrupted(errors.Unavailable):
    """The registry did not take all of an upload, for now. ``retry_after`` is its header, "" for none.

    ``lost``: it knows nothing of the upload, or takes no more of it; another one may do better.
    """

    def __init__(self, cause: errors.Error, retry_after: str = "", lost: bool = False) -> None:
        super().__init__(cause.message, hint=cause.hint)
        self.cause = cause
        self.retry_after = retry_after
        self.lost = lost


@dataclass(frozen=True)
class Session:
    """An upload under way: the registry has ``offset`` bytes, and takes the next ones at the URL ``location``."""

    location: str
    offset: int = 0


class Destination:
    """One repository at the server that takes its pushes, which is the first that may."""

    def __init__(
        self,
        reference: Reference,
        endpoints: Sequence[hosts.Endpoint],
        ask: Callable[[str, str], Credentials | None],
        settings: Settings,
        stop: Stop,
    ) -> None:
        able = [endpoint for endpoint in endpoints if "push" in endpoint.capabilities]
        if not able:
            raise errors.NotFound(
                f'image "{reference}": no push hosts: not found', hint="no host is configured that may push"
            )
        self.reference = reference
        self._scope = f"repository:{reference.repository}:pull,push"
        self._subject = f'image "{reference}"'
        self._server = Server(able[0], ask, settings, stop)

    def has(self, descriptor: Descriptor, tag: str = "") -> bool:
        """Whether it is there, a manifest under its tag if it has one.

        Raises errors.PermissionDenied and what else a registry may refuse with.
        """
        path = self._path(descriptor, tag)
        headers = {"Accept": f"{descriptor.media_type}, */*"}
        try:
            response = self._server.request("HEAD", path, self._scope, headers)
        except errors.Unauthenticated:
            return False  # who may write need not be allowed to look
        with response:
            if response.status == 200:
                return not tag or response.headers.get("Docker-Content-Digest", "") == descriptor.digest
            if response.status in (401, 404, 405):
                return False
            if response.status != 403:
                raise refusal(response, self._subject)
        with self._server.request("GET", path, self._scope, headers) as told:  # for a HEAD is answered without reason
            raise refusal(told if told.status == 403 else response, self._subject)

    def begin(self, descriptor: Descriptor, source: str = "") -> Session | None:
        """Begin an upload; None when the blob could be had from the repository ``source``."""
        path = f"/{self.reference.repository}/blobs/uploads/"
        if source:
            query = f"?mount={quote(descriptor.digest, safe=':')}&from={quote(source, safe='/')}"
            if (response := self._mounted(path + query, source)) is not None:
                with response:
                    return None if response.status == 201 else self._session(response, 0)
        with self._server.request("POST", self._addressed(path), self._scope, {}, Body.of(b"")) as response:
            if response.status == 201:
                return None
            if response.status not in (200, 202, 204):
                raise refusal(response, self._subject)
            return self._session(response, 0)

    def resume(self, session: Session) -> Session | None:
        """How far an upload has come; None when the registry cannot say, or will not go on from there."""
        try:
            with self._server.attempt("GET", session.location, self._scope, {}) as response:
                found = _RANGE.fullmatch(response.headers.get("Range", ""))
                if response.status not in (200, 202, 204) or found is None:
                    return None
                # "0-0" is said of nothing as well as of one byte.
                offset = int(found[1]) + 1 if int(found[1]) else 0
                return self._session(response, offset) if "Location" in response.headers else replace(session, offset=0)
        except errors.Cancelled:
            raise
        except errors.Error:
            return None

    def append(self, session: Session, body: Body) -> Session:
        """Send the next bytes. Raises Interrupted."""
        last = session.offset + body.length - 1
        headers = {**BYTES, "Content-Range": f"{session.offset}-{last}"}
        with self._server.attempt("PATCH", self._at(session.location), self._scope, headers, body) as response:
            self._accepted(response, session)
            return self._session(response, last + 1)

    def finish(self, session: Session, descriptor: Descriptor, body: Body) -> None:
        """Send the rest, and make the upload a blob. Raises Interrupted, errors.DataLoss."""
        location = self._at(session.location)
        location += ("&" if "?" in location else "?") + f"digest={quote(descriptor.digest, safe='')}"
        with self._server.attempt("PUT", location, self._scope, BYTES, body) as response:
            self._accepted(response, session)
            _verify(response, descriptor)

    def put(self, descriptor: Descriptor, tag: str, data: bytes) -> None:
        """Store a manifest or index under its tag, or under its digest alone. Raises errors.FailedPrecondition."""
        headers = {"Content-Type": descriptor.media_type}
        path = self._path(descriptor, tag)
        with self._server.request("PUT", path, self._scope, headers, Body.of(data)) as response:
            if response.status not in DONE:
                raise refusal(response, self._subject)
            _verify(response, descriptor)

    def expire(self) -> None:
        self._server.expire()

    def close(self) -> None:
        self._server.close()

    def _mounted(self, path: str, source: str) -> Response | None:
        """The answer to a request to mount, None when only asking without can help."""
        scope = f"{self._scope} repository:{source}:pull"
        try:
            response = self._server.request("POST", self._addressed(path), scope, {}, Body.of(b""))
        except errors.Unauthenticated:
            return None  # the other repository may be private
        if response.status in (200, 201, 202, 204):
            return response
        response.close()
        return None

    def _accepted(self, response: Response, session: Session) -> None:
        if response.status in DONE:
            return
        refused = refusal(response, self._subject)
        if response.status in retries.STATUSES:
            raise Interrupted(refused, response.headers.get("Retry-After", ""))
        if response.status in (404, 416) or (response.status == 400 and session.offset):
            raise Interrupted(refused, lost=True)
        raise refused

    def _session(self, response: Response, offset: int) -> Session:
        if "Location" not in response.headers:
            raise errors.Unavailable(f"{self._subject}: registry does not say where to upload to: unavailable")
        response.headers["Location"] = _location(response.headers["Location"], urlsplit(response.url))
        return Session(leads(response), offset)

    def _path(self, descriptor: Descriptor, tag: str) -> str:
        kind = "manifests" if descriptor.media_type in MANIFESTS | INDEXES else "blobs"
        return self._addressed(f"/{self.reference.repository}/{kind}/{quote(tag or descriptor.digest, safe=':')}")

    def _addressed(self, path: str) -> str:
        return addressed(path, self._server.endpoint, self.reference.host)

    def _at(self, location: str) -> str:
        return location if self._server.is_foreign(location) else self._addressed(location)


def _location(text: str, here: SplitResult) -> str:
    """A Location as it is meant, where ``here`` answered with it.

    Behind a proxy that speaks TLS for it a registry may believe that it is reached without, and says so: TLS is kept.
    Some leave the scheme away before their own name, which containerd understands, too.
    """
    plain = f"http://{here.netloc}/"
    if text.startswith(plain) and here.scheme == "https":
        return "https" + text.removeprefix("http")
    return f"{here.scheme}://{text}" if text.startswith(f"{here.netloc}/") else text


def _verify(response: Response, descriptor: Descriptor) -> None:
    told = response.headers.get("Docker-Content-Digest", "")
    if told and told != descriptor.digest:
        raise errors.DataLoss(
            f'blob "{descriptor.digest}": registry has it as "{told[:140]}", so it received other bytes: data loss'
        )
