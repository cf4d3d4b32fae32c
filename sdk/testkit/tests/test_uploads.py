"""The registry in memory, asked by hand."""

from __future__ import annotations

import http.client
from urllib.parse import urlsplit

import pytest

from moorage_sdk import digests
from moorage_testkit.uploads import Uploads

DATA = b"0123456789"
DIGEST = digests.of(DATA)


def ask(
    registry: Uploads, method: str, target: str, body: bytes | None = None, **headers: str
) -> tuple[int, dict[str, str]]:
    connection = http.client.HTTPConnection(registry.address, timeout=20)
    try:
        connection.request(method, target, body, {name.replace("_", "-"): value for name, value in headers.items()})
        response = connection.getresponse()
        response.read()
        return response.status, dict(response.getheaders())
    finally:
        connection.close()


def begun(registry: Uploads, query: str = "") -> str:
    status, headers = ask(registry, "POST", f"/v2/a/b/blobs/uploads/{query}")
    assert status == 202
    return headers["Location"]


def test_a_blob_in_one_request() -> None:
    with Uploads() as registry:
        assert ask(registry, "HEAD", f"/v2/a/b/blobs/{DIGEST}")[0] == 404
        assert ask(registry, "PUT", f"{begun(registry)}?digest={DIGEST}", DATA)[0] == 201
        assert ask(registry, "HEAD", f"/v2/a/b/blobs/{DIGEST}")[0] == 200
        assert registry.blobs == {("a/b", DIGEST): DATA}


def test_uploads_that_follow_each_other_are_not_one() -> None:
    with Uploads() as registry:
        first, second = begun(registry), begun(registry)
        assert ask(registry, "PUT", f"{first}?digest={DIGEST}", DATA)[0] == 201
        assert begun(registry) not in (first, second)


def test_a_blob_with_another_digest_is_refused() -> None:
    with Uploads() as registry:
        assert ask(registry, "PUT", f"{begun(registry)}?digest={digests.of(b'')}", DATA)[0] == 400
        assert registry.blobs == {}


def test_what_broke_off_is_kept_and_resumed() -> None:
    with Uploads(breaks=[4]) as registry:
        location = begun(registry)
        with pytest.raises((OSError, http.client.HTTPException)):
            ask(registry, "PUT", f"{location}?digest={DIGEST}", DATA)
        status, headers = ask(registry, "GET", location)
        assert (status, headers["Range"]) == (204, "0-3")
        assert ask(registry, "PATCH", location, DATA[5:], Content_Range="5-9")[0] == 416
        assert ask(registry, "PATCH", location, DATA[4:], Content_Range="4-9")[0] == 202
        assert ask(registry, "PUT", f"{location}?digest={DIGEST}", b"")[0] == 201
        assert registry.sent == [4, 6]


def test_what_broke_off_can_be_forgotten() -> None:
    with Uploads(breaks=[4], forgets=True) as registry:
        location = begun(registry)
        with pytest.raises((OSError, http.client.HTTPException)):
            ask(registry, "PUT", f"{location}?digest={DIGEST}", DATA)
        assert ask(registry, "GET", location)[0] == 404


def test_what_was_taken_can_be_denied() -> None:
    with Uploads(denies=[503]) as registry:
        location = begun(registry)
        assert ask(registry, "PUT", f"{location}?digest={DIGEST}", DATA)[0] == 503
        assert ask(registry, "GET", location)[1]["Range"] == "0-9"


def test_locations_are_what_the_test_makes_of_them() -> None:
    with Uploads(location=lambda path: f"http://example.com{path}") as registry:
        assert urlsplit(begun(registry)).netloc == "example.com"


def test_blobs_of_other_repositories_are_mounted() -> None:
    with Uploads(blobs={("c", DIGEST): DATA}) as registry:
        assert ask(registry, "POST", f"/v2/a/b/blobs/uploads/?mount={DIGEST}&from=c")[0] == 201
        assert registry.blobs["a/b", DIGEST] == DATA
        begun(registry, f"?mount={DIGEST}&from=d")


def test_manifests_are_known_by_tag_and_digest() -> None:
    with Uploads() as registry:
        assert ask(registry, "PUT", "/v2/a/b/manifests/t", DATA)[0] == 201
        for name in ("t", DIGEST):
            status, headers = ask(registry, "HEAD", f"/v2/a/b/manifests/{name}")
            assert (status, headers["Docker-Content-Digest"]) == (200, DIGEST)
