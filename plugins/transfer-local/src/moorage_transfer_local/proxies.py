"""Proxies: what stands between this network and the world, as the environment names it.

The variables are those that Go reads (``HTTP_PROXY``, ``HTTPS_PROXY``, ``NO_PROXY``, also in lower case; package
``golang.org/x/net/http/httpproxy``), and as there no proxy is asked for what is on this machine.
"""

from __future__ import annotations

import contextlib
import ipaddress
from urllib.parse import SplitResult, unquote, urlsplit

from moorage_sdk import errors
from moorage_transfer_local.hosts import is_loopback
from moorage_transfer_local.urls import is_web, redacted


def of(url: str) -> str:
    """The proxy for a URL, "" for none. Raises errors.FailedPrecondition for one whose address is malformed."""
    import urllib.request  # late: see the package

    parts = urlsplit(url)
    named = urllib.request.getproxies_environment()
    if (
        is_loopback(parts.netloc)
        or urllib.request.proxy_bypass(parts.netloc)
        or _in_networks(parts, named.get("no", ""))
    ):
        return ""
    found = named.get(parts.scheme, "")
    proxy = found if not found or "://" in found else f"http://{found}"
    if proxy and not is_web(proxy):
        raise errors.FailedPrecondition(f'proxy "{redacted(proxy)}": not an http URL: failed precondition')
    return proxy


def _in_networks(url: SplitResult, exceptions: str) -> bool:
    """Whether the host is an address in one of the networks (``10.0.0.0/8``), which only Go takes as exceptions."""
    try:
        address = ipaddress.ip_address(url.hostname or "")
    except ValueError:
        return False
    for entry in exceptions.split(","):
        with contextlib.suppress(ValueError):
            if "/" in entry and address in ipaddress.ip_network(entry.strip(), strict=False):
                return True
    return False


def headers(proxy: str) -> dict[str, str]:
    """What a proxy with user information in its address is sent."""
    import urllib3  # late: see the package

    auth = urlsplit(proxy).netloc.rpartition("@")[0]
    return dict(urllib3.make_headers(proxy_basic_auth=unquote(auth))) if auth else {}
