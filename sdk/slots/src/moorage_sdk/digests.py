"""Digests of content, ``algorithm:hex`` as in the OCI image specification.

Every digest that comes from outside passes ``validate`` before it becomes part of a path, a URL or a key.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable
from typing import Any

from moorage_sdk import errors

LENGTHS = {"sha256": 64, "sha384": 96, "sha512": 128}
"""Hexadecimal digits of each registered algorithm (``github.com/opencontainers/go-digest``)."""

_HEX = re.compile(r"[a-f0-9]+")
_NEW: dict[str, Callable[..., Any]] = {"sha256": hashlib.sha256, "sha384": hashlib.sha384, "sha512": hashlib.sha512}


def validate(digest: str) -> str:
    """Return ``digest``. Raises errors.InvalidArgument when it is not one of a known algorithm."""
    algorithm, separator, encoded = digest.partition(":")
    if not separator or LENGTHS.get(algorithm) != len(encoded) or not _HEX.fullmatch(encoded):
        raise errors.InvalidArgument(f'digest "{digest[:140]}": invalid: invalid argument')
    return digest


def split(digest: str) -> tuple[str, str]:
    """Algorithm and hexadecimal part of a valid digest. Raises errors.InvalidArgument."""
    algorithm, _, encoded = validate(digest).partition(":")
    return algorithm, encoded


def hasher(algorithm: str = "sha256") -> Any:
    """A new hashlib object. Raises errors.InvalidArgument for an algorithm that no digest may have."""
    if algorithm not in _NEW:
        raise errors.InvalidArgument(f'digest algorithm "{algorithm}": unsupported: invalid argument')
    return _NEW[algorithm]()


def of(data: bytes, algorithm: str = "sha256") -> str:
    """The digest of bytes in memory."""
    hashed = hasher(algorithm)
    hashed.update(data)
    return f"{algorithm}:{hashed.hexdigest()}"


def chain_id(diff_ids: list[str]) -> str:
    """The chain id of a stack of layers, lowest first (OCI image specification, "Layer ChainID").

    Raises errors.InvalidArgument for an empty stack or an invalid diff id.
    """
    if not diff_ids:
        raise errors.InvalidArgument("chain id of no layers: undefined: invalid argument")
    chain = validate(diff_ids[0])
    for diff_id in diff_ids[1:]:
        chain = of(f"{chain} {validate(diff_id)}".encode())
    return chain
