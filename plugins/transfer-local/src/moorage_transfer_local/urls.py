"""URLs: read for comparing and for showing. They come from strangers, in headers, and may be anything."""

from __future__ import annotations

from urllib.parse import urlsplit


def redacted(url: str) -> str:
    """A URL for people: no user information, and query values may be signatures. Nothing of one that is malformed."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return "…"
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}" + ("?…" if parts.query else "")


def is_web(url: str) -> bool:
    """Whether this is a whole http or https URL, which strangers' headers need not hold."""
    try:
        parts = urlsplit(url)
        return parts.scheme in ("http", "https") and bool(parts.hostname) and (parts.port or 1) > 0
    except ValueError:
        return False


def origin(url: str) -> tuple[str, str]:
    """Scheme and ``host:port``, with the default port spelled out, so that two of them can be compared."""
    parts = urlsplit(url)
    port = parts.port or (443 if parts.scheme == "https" else 80)
    return parts.scheme, f"{(parts.hostname or '').lower()}:{port}"
