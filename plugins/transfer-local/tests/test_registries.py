"""Registries: what one answer after another leads to. Redirects, secrets and mirrors at large are in test_transfers."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from moorage_sdk import digests, errors, references
from moorage_sdk.descriptors import OCI_LAYER_GZIP, OCI_MANIFEST, Descriptor
from moorage_sdk.transfers import Credentials
from moorage_testkit.registries import Exchange, Proxy
from moorage_transfer_local import hosts
from moorage_transfer_local.registries import MAX_MANIFEST, Repository
from moorage_transfer_local.retries import Policy
from moorage_transfer_local.servers import Settings
from moorage_transfer_local.stops import Stop
from moorage_transfer_local.transports import Timeouts

BODY = b'{"schemaVersion":2}'
QUICK = Settings(Timeouts(5, 5), Policy(base=0.001, longest=0.01))


@pytest.fixture
def server() -> Iterator[Proxy]:
    with Proxy() as running:
        yield running


@pytest.fixture
def repository(server: Proxy) -> Iterator[Repository]:
    made = repository_at(f"{server.address}/a/b:v1")
    yield made
    made.close()


def repository_at(reference: str, *endpoints: hosts.Endpoint, given: Credentials | None = None) -> Repository:
    parsed = references.full(reference)
    chosen = endpoints or hosts.endpoints(parsed.host)
    return Repository(parsed, chosen, lambda host, realm: given, QUICK, Stop())


def manifest(server: Proxy, **headers: str) -> None:
    for method in ("HEAD", "GET"):
        server.on(method, "/manifests/", Exchange.answer, 200, {"Content-Type": OCI_MANIFEST, **headers}, BODY)


def test_a_tag_is_resolved_by_its_headers(server: Proxy, repository: Repository) -> None:
    manifest(server, **{"Docker-Content-Digest": digests.of(BODY)})
    assert repository.resolve() == Descriptor(OCI_MANIFEST, digests.of(BODY), len(BODY))
    [request] = server.requests[-1:]
    assert (request.method, request.target) == ("HEAD", "/v2/a/b/manifests/v1")
    assert OCI_MANIFEST in request.header("Accept")


def test_without_a_digest_the_bytes_decide(server: Proxy, repository: Repository) -> None:
    manifest(server)
    assert repository.resolve().digest == digests.of(BODY)


def test_parameters_of_the_media_type_do_not_count(server: Proxy, repository: Repository) -> None:
    manifest(server, **{"Content-Type": f"{OCI_MANIFEST}; charset=utf-8", "Docker-Content-Digest": digests.of(BODY)})
    assert repository.resolve().media_type == OCI_MANIFEST


@pytest.mark.parametrize("digest", ["sha256:short", "foo:bar", "sha256:" + "A" * 64])
def test_a_malformed_digest_is_refused(server: Proxy, repository: Repository, digest: str) -> None:
    manifest(server, **{"Docker-Content-Digest": digest})
    with pytest.raises(errors.InvalidArgument):
        repository.resolve()


def test_a_digest_is_what_it_is_whatever_the_registry_says(server: Proxy) -> None:
    manifest(server, **{"Docker-Content-Digest": digests.of(b"other")})
    wanted = digests.of(b"wanted")
    assert repository_at(f"{server.address}/a/b@{wanted}").resolve().digest == wanted


def test_a_manifest_without_end_is_not_read(server: Proxy, repository: Repository) -> None:
    server.on("GET", "/manifests/", Exchange.answer, 200, {"Content-Type": OCI_MANIFEST}, b" " * (MAX_MANIFEST + 1))
    server.on("HEAD", "/manifests/", Exchange.answer, 200, {})
    with pytest.raises(errors.ResourceExhausted):
        repository.resolve()


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        *((400, errors.FailedPrecondition), (401, errors.Unauthenticated), (403, errors.PermissionDenied)),
        *((404, errors.NotFound), (416, errors.OutOfRange), (429, errors.Unavailable), (500, errors.Unavailable)),
        *((204, errors.Unavailable), (304, errors.Unavailable)),
    ],
)
def test_refusals_have_their_class(
    server: Proxy, repository: Repository, status: int, kind: type[errors.Error]
) -> None:
    server.on("HEAD", "/", Exchange.answer, status)
    with pytest.raises(kind) as caught:
        repository.resolve()
    assert "a/b:v1" in str(caught.value) or status == 401


def test_blobs_and_manifests_are_asked_for_at_their_places(server: Proxy, repository: Repository) -> None:
    server.on("GET", "/", Exchange.answer, 200, {}, BODY)
    layer = Descriptor(OCI_LAYER_GZIP, digests.of(BODY), len(BODY))
    repository.open(layer, manifest=False).close()
    repository.open(layer, manifest=True).close()
    repository.open(layer, manifest=False, offset=7).close()
    first, second, third = server.requests
    assert first.target == f"/v2/a/b/blobs/{layer.digest}"
    assert first.header("Range") == ""
    assert second.target == f"/v2/a/b/manifests/{layer.digest}"
    assert third.header("Range") == "bytes=7-"


def test_a_malformed_digest_never_becomes_a_path(server: Proxy, repository: Repository) -> None:
    with pytest.raises(errors.InvalidArgument):
        repository.open(Descriptor(OCI_LAYER_GZIP, "sha256:../../x", 1), manifest=False)
    assert server.requests == []


def test_each_bad_body_makes_another_server_the_first(server: Proxy) -> None:
    layer = Descriptor(OCI_LAYER_GZIP, digests.of(BODY), len(BODY))
    with Proxy() as other:
        for proxy in (server, other):
            proxy.on("GET", "/", Exchange.answer, 200, {}, BODY)
        repository = repository_at("x.io/a/b", *(endpoint(proxy) for proxy in (server, other)))
        for turn in range(3):
            repository.open(layer, False, 0, turn).close()
        assert (len(server.requests), len(other.requests)) == (2, 1)
        repository.close()


def test_a_server_is_asked_only_for_what_it_may(server: Proxy) -> None:
    with Proxy() as other:
        manifest(server, **{"Docker-Content-Digest": digests.of(BODY)})
        only_pull = endpoint(other, capabilities=frozenset({"pull"}))
        repository = repository_at("x.io/a/b:v1", only_pull, endpoint(server))
        repository.resolve()
        assert other.requests == []
        repository.close()
    with pytest.raises(errors.NotFound, match="no host is configured that may pull and resolve"):
        repository_at("x.io/a/b:v1", only_pull).resolve()


def test_the_error_that_got_furthest_is_shown(server: Proxy) -> None:
    silent = hosts.Endpoint("http", "127.0.0.1:9")
    with pytest.raises(errors.NotFound):
        repository_at("x.io/a/b:v1", silent, endpoint(server), silent).resolve()


def endpoint(proxy: Proxy, **more: frozenset[str]) -> hosts.Endpoint:
    return hosts.Endpoint("http", proxy.address, **more)
