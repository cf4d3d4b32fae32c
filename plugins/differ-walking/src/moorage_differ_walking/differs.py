"""The differ: which job a request becomes, and where its result goes."""

from __future__ import annotations

import secrets
from collections.abc import Mapping, Sequence
from pathlib import Path

from moorage_differ_walking import routes, targets
from moorage_differ_walking.jobs import Apply, Compare
from moorage_differ_walking.limits import Limits
from moorage_differ_walking.processors import Chain
from moorage_differ_walking.routes import Processor
from moorage_differ_walking.workers import Worker
from moorage_sdk import descriptors, errors, labels
from moorage_sdk.content import ContentStore, Reader, Writer
from moorage_sdk.descriptors import OCI_LAYER, OCI_LAYER_GZIP, OCI_LAYER_ZSTD, Descriptor
from moorage_sdk.differs import Application, Differ
from moorage_sdk.mounts import Mount
from moorage_sys import faults, tar_runs, userns_maps

_CHUNK = 1 << 20
_SETTLE = 1.0
"""Seconds that processors get to end by themselves once the unpacker has failed."""
_WRITABLE = {OCI_LAYER: "", OCI_LAYER_GZIP: "gzip", OCI_LAYER_ZSTD: "zstd"}
_OCI = (OCI_LAYER, "application/vnd.oci.image.layer.nondistributable.v1.tar")
_DOCKER = (descriptors.DOCKER_LAYER, "application/vnd.docker.image.rootfs.foreign.diff.tar")


class WalkingDiffer(Differ):
    """``workspace`` is an empty directory of ours that workers mount over, each in its own namespace.

    ``compiled`` allows compiled code for plain entries, where it was built. ``processors`` turn blobs of other media
    types into layers, by id.
    """

    def __init__(
        self,
        workspace: Path,
        limits: Limits | None = None,
        *,
        compiled: bool = True,
        processors: Mapping[str, Processor] | None = None,
    ) -> None:
        self._workspace = workspace
        self._processors = dict(processors or {})
        self._limits = limits or Limits()
        self._compiled = compiled and tar_runs.COMPILED
        workspace.mkdir(mode=0o700, parents=True, exist_ok=True)

    def apply(
        self,
        layer: Descriptor,
        mounts: Sequence[Mount],
        content: ContentStore,
        *,
        sync: bool = False,
        payloads: Mapping[str, bytes] | None = None,
    ) -> Descriptor:
        with content.reader(layer.digest) as reader:
            # A file is read by the worker itself; what has no descriptor passes through here.
            stdin = reader.fileno() if reader.fileno() >= 0 else None
            with self._application(layer.media_type, mounts, sync, payloads or {}, stdin) as application:
                if stdin is None:
                    _feed(application, reader)
                return application.finish()

    def open(self, media_type: str, mounts: Sequence[Mount], *, sync: bool = False) -> Application:
        return self._application(media_type, mounts, sync, {}, None)

    def compare(
        self,
        lower: Sequence[Mount],
        upper: Sequence[Mount],
        content: ContentStore,
        *,
        media_type: str = OCI_LAYER_GZIP,
        ref: str = "",
        labels: Mapping[str, str] | None = None,
        source_date_epoch: int | None = None,
    ) -> Descriptor:
        media_type = media_type or OCI_LAYER_GZIP
        if media_type not in _WRITABLE:
            raise errors.Unimplemented(f'unsupported diff media type "{media_type}": not implemented')
        job = Compare(str(self._workspace), tuple(lower), tuple(upper), _WRITABLE[media_type], source_date_epoch)
        name = ref or f"diff-{secrets.token_hex(16)}"
        try:
            with content.writer(name) as writer:
                if writer.status().offset:
                    writer.truncate(0)
                return _compare(job, writer, content, media_type, labels or {})
        except BaseException:
            if not ref:
                _forget(content, name)
            raise

    def _application(
        self,
        media_type: str,
        mounts: Sequence[Mount],
        sync: bool,
        payloads: Mapping[str, bytes],
        stdin: int | None,
    ) -> Application:
        steps, plain = routes.plan(media_type, self._processors)
        job = self._job(plain, mounts, sync)
        return ProcessedApplication(job, Chain(steps, payloads, stdin)) if steps else LayerApplication(job, stdin)

    def _job(self, media_type: str, mounts: Sequence[Mount], sync: bool) -> Apply:
        target = targets.plan(mounts, whiteouts=not userns_maps.inside_user_namespace())
        return Apply(str(self._workspace), target, compression(media_type), sync, self._limits, self._compiled)


class LayerApplication(Application):
    """A worker that unpacks."""

    def __init__(self, job: Apply, stdin: int | None = None) -> None:
        with faults.translated("unpack worker"):
            self._worker = Worker(job, stdin)

    def write(self, data: bytes | memoryview) -> None:
        self._worker.write(data)

    def finish(self) -> Descriptor:
        outcome = self._worker.result()
        return Descriptor(OCI_LAYER, outcome.digest, outcome.size)

    def running(self) -> bool:
        """Whether the worker still wants something."""
        return self._worker.running()

    def close(self) -> None:
        self._worker.close()


class ProcessedApplication(Application):
    """A worker that unpacks what stream processors make of the blob."""

    def __init__(self, job: Apply, chain: Chain) -> None:
        self._chain = chain
        try:
            self._worker = LayerApplication(job, chain.output)
            chain.release()
        except BaseException:
            chain.close()
            raise

    def write(self, data: bytes | memoryview) -> None:
        self._chain.write(data, self._worker.running)

    def finish(self) -> Descriptor:
        """Also raises what a processor said that failed, rather than what its missing output did to the unpacker."""
        self._chain.finish()
        try:
            outcome = self._worker.finish()
        except errors.Error as error:
            raise self._chain.failure(_SETTLE) or error from error
        failure = self._chain.failure()
        if failure:
            raise failure
        return outcome

    def close(self) -> None:
        self._chain.close()
        self._worker.close()


def compression(media_type: str) -> str:
    """How to read blobs of a media type: ``sniff``, or empty where it says that they are plain tar archives.

    A type that claims compression is not believed which one; nor is Docker's plain type, which was long used for
    compressed layers (``DiffCompression`` in ``core/images/mediatypes.go``). Raises errors.Unimplemented for others.
    """
    base = media_type.removesuffix(".gzip").removesuffix(".zstd")
    if base in _DOCKER:
        return "sniff"
    base, _, suffix = media_type.partition("+")
    if base in _OCI and suffix in ("", "gzip", "zstd"):
        return "sniff" if suffix else ""
    raise errors.Unimplemented(f'layer of media type "{media_type}": not implemented')


def _feed(application: Application, reader: Reader) -> None:
    offset = 0
    while offset < reader.size:
        data = reader.read_at(offset, _CHUNK)
        application.write(data)
        offset += len(data)


def _compare(
    job: Compare, writer: Writer, content: ContentStore, media_type: str, wanted: Mapping[str, str]
) -> Descriptor:
    with faults.translated("diff worker"):
        worker = Worker(job)
    try:
        for piece in worker.output():
            writer.write(piece)
        diff_id = worker.result().digest
    finally:
        worker.close()
    size, digest = writer.status().offset, writer.digest()
    try:
        writer.commit(size, digest, {**wanted, labels.UNCOMPRESSED: diff_id})
    except errors.AlreadyExists:
        _label(content, digest, diff_id)
    return Descriptor(media_type, digest, size)


def _label(content: ContentStore, digest: str, diff_id: str) -> None:
    """A blob that somebody else brought may not say what it is uncompressed."""
    info = content.info(digest)
    if labels.UNCOMPRESSED in info.labels:
        return
    named = type(info)(digest, labels={labels.UNCOMPRESSED: diff_id})
    try:
        content.update(named, [f"labels.{labels.UNCOMPRESSED}"])
    except errors.Unimplemented:
        return


def _forget(content: ContentStore, ref: str) -> None:
    try:
        content.abort(ref)
    except errors.NotFound:
        return
