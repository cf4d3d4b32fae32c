"""What a worker is told and what it answers, as JSON."""

from __future__ import annotations

import dataclasses
import json
from dataclasses import dataclass, field
from typing import Any

from moorage_differ_walking.limits import Limits
from moorage_differ_walking.targets import Target
from moorage_sdk import errors
from moorage_sdk.mounts import Mount


@dataclass(frozen=True)
class Apply:
    """Unpack what comes on standard input. ``compression`` as for ``streams.Plain``, ``compiled`` as ``Extraction``."""

    workspace: str
    target: Target
    compression: str = ""
    sync: bool = False
    limits: Limits = field(default_factory=Limits)
    compiled: bool = True


@dataclass(frozen=True)
class Compare:
    """Write the difference of two sets of mounts to standard output. ``epoch`` in seconds, None for no bound."""

    workspace: str
    lower: tuple[Mount, ...]
    upper: tuple[Mount, ...]
    compression: str = "gzip"
    epoch: int | None = None


@dataclass(frozen=True)
class Outcome:
    """Digest and size of the uncompressed archive."""

    digest: str
    size: int


def dump_job(job: Apply | Compare) -> bytes:
    return json.dumps({"verb": type(job).__name__, **dataclasses.asdict(job)}).encode()


def load_job(data: bytes) -> Apply | Compare:
    fields = json.loads(data)
    if fields.pop("verb") == "Apply":
        target = fields.pop("target")
        plan = Target(_mounts(target["mounts"]), target["upper"], tuple(target["lower"]))
        return Apply(target=plan, limits=Limits(**fields.pop("limits")), **fields)
    lower, upper = _mounts(fields.pop("lower")), _mounts(fields.pop("upper"))
    return Compare(lower=lower, upper=upper, **fields)


def dump_outcome(outcome: Outcome | errors.Error) -> bytes:
    if isinstance(outcome, errors.Error):
        return json.dumps({"error": type(outcome).__name__, "message": outcome.message, "hint": outcome.hint}).encode()
    return json.dumps(dataclasses.asdict(outcome)).encode()


def load_outcome(data: bytes) -> Outcome:
    """Raises the error that the worker reported, and errors.Internal for what is no answer at all."""
    try:
        fields = json.loads(data)
    except ValueError:
        raise errors.Internal("unpack worker: no answer: internal") from None
    if "error" not in fields:
        return Outcome(**fields)
    kind = getattr(errors, fields["error"], errors.Internal)
    raise kind(fields["message"], hint=fields["hint"])


def _mounts(listed: list[dict[str, Any]]) -> tuple[Mount, ...]:
    return tuple(Mount(one["type"], one["source"], tuple(one["options"]), one["target"]) for one in listed)
