"""Sources: from which repository of the same registry a blob can be had, without sending it.

Labels ``containerd.io/distribution.source.<host>`` say where a blob was seen; fetches set them.
"""

from __future__ import annotations

from collections.abc import Mapping

from moorage_sdk import errors, labels, references
from moorage_sdk.references import Reference, hostname


def source_label(host: str) -> str:
    """The label for a registry, whose port does not count."""
    return f"{labels.DISTRIBUTION_SOURCE}.{hostname(host)}"


def source_labels(reference: Reference, current: Mapping[str, str]) -> dict[str, str]:
    """The label that says where a blob was seen, beside where it was seen before.

    It is left as it is when it would become too long, which happens to layers that everybody has.
    """
    key = source_label(reference.host)
    label = {key: ",".join(sorted({*_repositories(current.get(key, "")), reference.repository}))}
    try:
        labels.validate(label)
    except errors.InvalidArgument:
        return {}
    return label


def candidate(reference: Reference, seen: str) -> str:
    """The repository to mount a blob from that goes to ``reference``; "" for none. ``seen`` is the label's value.

    The nearest one is chosen, for it is likely to have the same owner (``selectRepositoryMountCandidate`` in
    containerd's core/remotes/docker/handler.go).
    """
    others = [name for name in _repositories(seen) if name != reference.repository and _is_repository(reference, name)]
    ranked = [(_common(reference.repository, name), n, name) for n, name in enumerate(others)]
    return max(ranked)[2] if ranked else ""


def _repositories(value: str) -> list[str]:
    return [name for name in value.split(",") if name]


def _is_repository(reference: Reference, name: str) -> bool:
    """Labels can be set by any client, and this one becomes a part of a URL and of what a token is asked for."""
    try:
        return references.parse(f"{reference.host}/{name}").repository == name
    except errors.InvalidArgument:
        return False


def _common(one: str, other: str) -> int:
    """How many leading components two repositories share."""
    count = 0
    for left, right in zip(one.split("/"), other.split("/"), strict=False):
        if left != right:
            break
        count += 1
    return count
