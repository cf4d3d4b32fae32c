"""Which stream processors a layer passes through, by media types (``core/diff/stream.go`` in containerd v2.3)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from moorage_sdk import errors
from moorage_sdk.descriptors import OCI_LAYER
from moorage_sdk.tables import Table

_KEYS = "/etc/containerd/ocicrypt"
"""Where whoever sets up decryption with containerd puts keys (``cmd/containerd/command/config.go``)."""


@dataclass(frozen=True)
class Processor:
    """A program that reads one media type on standard input and writes another to standard output."""

    accepts: tuple[str, ...] = ()
    """Media types of what it reads."""
    returns: str = ""
    """Media type of what it writes."""
    path: str = ""
    """The program, looked for in PATH when it is a name."""
    args: tuple[str, ...] = ()
    """Its arguments."""
    env: tuple[str, ...] = ()
    """``NAME=value`` for its environment, on top of the daemon's."""


@dataclass(frozen=True)
class Step:
    """One processor of a way, and the media type that it is given."""

    id: str
    processor: Processor
    media_type: str


def _decoder(suffix: str) -> Processor:
    plain = f"application/vnd.oci.image.layer.v1.tar{suffix}"
    env = (f"OCICRYPT_KEYPROVIDER_CONFIG={_KEYS}/ocicrypt_keyprovider.conf",)
    return Processor((f"{plain}+encrypted",), plain, "ctd-decoder", ("--decryption-keys-path", f"{_KEYS}/keys"), env)


PROCESSORS = Table(
    "stream_processors",
    Processor,
    {
        "io.containerd.ocicrypt.decoder.v1.tar": _decoder(""),
        "io.containerd.ocicrypt.decoder.v1.tar.gzip": _decoder("+gzip"),
    },
)
"""The table of the configuration, with containerd's two entries."""


def plan(media_type: str, processors: Mapping[str, Processor]) -> tuple[tuple[Step, ...], str]:
    """The processors to pass one after the other, the first in the table where several accept a type, and what is left.

    A way ends at a plain layer, or at a type that no processor accepts. Raises errors.FailedPrecondition for a circle.
    """
    steps: list[Step] = []
    while True:
        found = next((id for id, processor in processors.items() if media_type in processor.accepts), None)
        if found is None:
            return tuple(steps), media_type
        if any(step.media_type == media_type for step in steps):
            way = " -> ".join([*(step.media_type for step in steps), media_type])
            raise errors.FailedPrecondition(
                f"stream processors lead in a circle: {way}", hint="mend [stream_processors] in the configuration"
            )
        steps.append(Step(found, processors[found], media_type))
        media_type = processors[found].returns
        if media_type == OCI_LAYER:
            return tuple(steps), media_type
