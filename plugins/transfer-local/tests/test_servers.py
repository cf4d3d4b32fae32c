"""Servers: redirects, TLS, credentials and bad moments, seen by whole pulls."""

from __future__ import annotations

import json
import threading
import time
from pathlib import Path

import pytest

from moorage_sdk import digests, errors, platforms
from moorage_sdk.transfers import Credentials, Pull, Unpack
from moorage_sdk.transfers import Registry as Reach
from moorage_testkit import certificates
from moorage_testkit.images import Layout, push
from moorage_testkit.registries import PASSWORD, USER, Exchange, Proxy, Registry, TokenServer
from moorage_transfer_local.retries import Policy
from moorage_transfer_local.servers import Settings
from moorage_transfer_local.transports import Timeouts

HOST = Unpack(platforms.host())
BLOBS = r"/blobs/sha256"


def wanted(address: str, name: str = "layered", **more: object) -> Pull:
    return Pull(f"{address}/test/{name}:latest", unpacks=(HOST,), **more)  # type: ignore[arg-type]


class TestABusyRegistry:
    @pytest.mark.parametrize("status", [429, 500, 502, 503])
    @pytest.mark.parametrize("after", ["0", "1000000000", "Wed, 21 Oct 2015 07:28:00 GMT", "soon", None])
    def test_is_asked_again(self, world, proxy: Proxy, status: int, after: str | None) -> None:
        headers = {"Retry-After": after} if after is not None else {}
        proxy.on("GET", BLOBS, Exchange.answer, status, headers, b"<html>", times=2)
        proxy.on("HEAD", "/manifests/", Exchange.answer, status, headers, times=2)
        world.pull(wanted(proxy.address))
        world.assert_layered()

    def test_is_asked_five_times_at_most(self, world, proxy: Proxy) -> None:
        proxy.on("HEAD", "/manifests/", Exchange.answer, 503)
        with pytest.raises(errors.Unavailable, match="503"):
            world.pull(wanted(proxy.address))
        assert proxy.count("HEAD", "/manifests/") == 5

    def test_that_falls_silent_is_left(self, worlds, proxy: Proxy, release: threading.Event) -> None:
        world = worlds(settings=Settings(Timeouts(5, 0.5), Policy(attempts=2, base=0.01)))
        proxy.on("GET", BLOBS, Exchange.stall, 10, release)
        began = time.monotonic()
        with pytest.raises(errors.Unavailable):
            world.pull(wanted(proxy.address))
        assert time.monotonic() - began < 15
        world.assert_nothing_named()


class TestRedirects:
    def test_lose_all_secrets_at_another_origin(self, world, proxy: Proxy, registry: Registry, tmp_path: Path) -> None:
        hosts = tmp_path / "certs.d" / proxy.address.replace(":", "_")
        hosts.with_name(hosts.name + "_").mkdir(parents=True)
        (hosts.with_name(hosts.name + "_") / "hosts.toml").write_text(
            f'server = "{proxy.url}"\n[header]\nX-Secret = "s"\n'
        )
        with Proxy(registry.address) as elsewhere:
            proxy.on("GET", BLOBS, lambda e: e.answer(307, {"Location": f"{elsewhere.url}{e.request.target}"}))
            proxy.on("HEAD", "/manifests/", challenge_basic, times=1)
            reach = Reach(
                config_path=str(tmp_path / "certs.d"),
                headers={"Cookie": "c"},
                authority=lambda *_: Credentials(USER, PASSWORD),
            )
            world.pull(wanted(proxy.address, registry=reach))
            at_home = proxy.seen("GET", BLOBS)
            abroad = elsewhere.seen("GET", BLOBS)
        assert len(at_home) == len(abroad) == 5
        assert all(r.header("Authorization") and r.header("X-Secret") == "s" and r.header("Cookie") for r in at_home)
        assert not any(r.header("Authorization") or r.header("X-Secret") or r.header("Cookie") for r in abroad)

    def test_keep_them_at_the_same_origin(self, world, proxy: Proxy) -> None:
        proxy.on("GET", BLOBS + "[^?]*$", lambda e: e.answer(307, {"Location": f"{e.request.target}?again"}))
        proxy.on("HEAD", "/manifests/", challenge_basic, times=1)
        world.pull(wanted(proxy.address, registry=Reach(authority=lambda *_: Credentials(USER, PASSWORD))))
        assert all(request.header("Authorization") for request in proxy.seen("GET", r"\?again"))

    @pytest.mark.parametrize(
        "target", ["file:///etc/passwd", "gopher://x/", "unix:///run/x.sock", "http://[x", "http://x:99999/"]
    )
    def test_to_other_schemes_are_not_followed(self, world, proxy: Proxy, target: str) -> None:
        proxy.on("GET", BLOBS, lambda e: e.answer(307, {"Location": target}))
        with pytest.raises(errors.Unavailable, match="not followed"):
            world.pull(wanted(proxy.address))

    def test_in_a_circle_end(self, world, proxy: Proxy) -> None:
        proxy.on("GET", BLOBS, lambda e: e.answer(302, {"Location": e.request.target}))
        with pytest.raises(errors.Unavailable, match="more than 10 redirects"):
            world.pull(wanted(proxy.address))

    def test_from_https_to_http_are_not_followed(self, world, registry: Registry, tmp_path: Path) -> None:
        with Proxy(registry.address, certificates.make(tmp_path)) as secure, Proxy(registry.address) as plain:
            secure.on("GET", BLOBS, lambda e: e.answer(307, {"Location": f"{plain.url}{e.request.target}"}))
            with pytest.raises(errors.Unavailable, match="https to http"):
                world.pull(wanted(secure.address))
            assert plain.requests == []

    def test_signatures_are_in_no_error(self, world, proxy: Proxy) -> None:
        proxy.on("GET", r"\?signature", Exchange.answer, 500)
        proxy.on("GET", BLOBS + "[^?]*$", lambda e: e.answer(307, {"Location": f"{e.request.target}?signature=SECRET"}))
        with pytest.raises(errors.Unavailable) as caught:
            world.pull(wanted(proxy.address))
        assert "SECRET" not in str(caught.value)
        assert "500" in str(caught.value)


class TestTls:
    def test_on_loopback_needs_no_trusted_certificate(self, world, tmp_path: Path, layout: Layout) -> None:
        with Registry(tmp_path / "registry", certificate=certificates.make(tmp_path)) as registry:
            push(layout, "layered", f"{registry.address}/test/layered:latest")
            world.pull(wanted(registry.address))
        world.assert_layered()

    def test_of_an_unknown_authority_is_refused_where_verification_is_asked_for(self, world, tmp_path: Path) -> None:
        with Proxy("", certificates.make(tmp_path)) as proxy:
            write_hosts(tmp_path, proxy, "skip_verify = false\n")
            with pytest.raises(errors.Unavailable, match="certificate not accepted"):
                world.pull(wanted(proxy.address, registry=Reach(config_path=str(tmp_path / "certs.d"))))
            assert proxy.requests == []

    def test_of_a_configured_authority_is_accepted(self, world, registry: Registry, tmp_path: Path) -> None:
        made = certificates.make(tmp_path)
        with Proxy(registry.address, made) as proxy:
            write_hosts(tmp_path, proxy, f'ca = "{made.certificate}"\nskip_verify = false\n')
            world.pull(wanted(proxy.address, registry=Reach(config_path=str(tmp_path / "certs.d"))))
        world.assert_layered()

    def test_trust_in_one_host_is_no_trust_in_another(self, world, registry: Registry, tmp_path: Path) -> None:
        other = certificates.make(tmp_path, "other")
        with Proxy(registry.address, certificates.make(tmp_path)) as proxy, Proxy(registry.address, other) as elsewhere:
            proxy.on("GET", BLOBS, lambda e: e.answer(307, {"Location": f"{elsewhere.url}{e.request.target}"}))
            with pytest.raises(errors.Unavailable, match="certificate not accepted"):
                world.pull(wanted(proxy.address))  # loopback: not verified itself
            assert elsewhere.requests == []


class TestCredentials:
    def test_by_basic(self, world, tmp_path: Path, layout: Layout) -> None:
        asked: list[str] = []

        def authority(host: str, reference: str, realm: str) -> Credentials:
            asked.append(host)
            return Credentials(USER, PASSWORD)

        with Registry(tmp_path / "registry", htpasswd=True) as registry:
            push(layout, "layered", f"{registry.address}/test/layered:latest", credentials=f"{USER}:{PASSWORD}")
            world.pull(wanted(registry.address, registry=Reach(authority=authority)))
            assert asked == [registry.address]
            for given in (None, lambda *_: None, lambda *_: Credentials(USER, "wrong")):
                with pytest.raises(errors.Unauthenticated):
                    world.pull(wanted(registry.address, registry=Reach(authority=given)))

    def test_by_token(self, worlds, token_registry: tuple[Proxy, TokenServer]) -> None:
        proxy, tokens = token_registry
        world = worlds()
        world.pull(wanted(proxy.address, registry=Reach(authority=lambda *_: Credentials(USER, PASSWORD))))
        world.assert_layered()
        assert len(tokens.given) == 1
        assert "scope=repository%3Atest%2Flayered%3Apull" in tokens.asked[0]

    def test_by_token_that_is_refused(self, worlds, token_registry: tuple[Proxy, TokenServer]) -> None:
        proxy, _ = token_registry
        with pytest.raises(errors.Unauthenticated, match="access denied"):
            worlds().pull(wanted(proxy.address, registry=Reach(authority=lambda *_: Credentials(USER, "wrong"))))

    def test_by_token_that_ends_in_the_middle(self, worlds, token_registry: tuple[Proxy, TokenServer]) -> None:
        proxy, tokens = token_registry

        def over(exchange: Exchange) -> None:
            challenge = f'Bearer realm="{proxy.url}/token",service="registry"'
            if exchange.request.header("Authorization") == f"Bearer {tokens.given[0]}":
                exchange.answer(401, {"WWW-Authenticate": challenge})

        proxy.on("GET", BLOBS, over)
        world = worlds()
        world.pull(wanted(proxy.address, registry=Reach(authority=lambda *_: Credentials(USER, PASSWORD))))
        world.assert_layered()
        assert len(tokens.given) == 2  # one more, whatever the number of layers

    def test_never_go_to_a_strangers_token_server(self, world, proxy: Proxy) -> None:
        with Proxy() as stranger:
            realm = f'Bearer realm="{stranger.url}/token",service="registry"'
            proxy.on("HEAD", "/manifests/", Exchange.answer, 401, {"WWW-Authenticate": realm})
            reach = Reach(authority=lambda *_: Credentials(USER, PASSWORD))
            with pytest.raises(errors.PermissionDenied, match="token_realms"):
                world.pull(wanted(proxy.address, registry=reach))
            assert stranger.requests == []

    def test_go_to_another_token_server_that_is_listed(self, worlds, proxy: Proxy) -> None:
        with Proxy() as other:
            body = json.dumps({"token": "t"}).encode()
            other.on("GET", "/token", Exchange.answer, 200, {}, body)
            realm = f'Bearer realm="{other.url}/token",service="registry"'
            proxy.on("HEAD", "/manifests/", Exchange.answer, 401, {"WWW-Authenticate": realm}, times=1)
            world = worlds(token_realms=lambda host: (other.address,))
            world.pull(wanted(proxy.address, registry=Reach(authority=lambda *_: Credentials(USER, PASSWORD))))
            [request] = other.requests
            assert request.header("Authorization").startswith("Basic ")

    def test_are_not_given_to_foreign_layers(self, world, proxy: Proxy, layout: Layout) -> None:
        """CVE-2020-15157: URLs in a manifest are not even asked."""
        with Proxy() as evil:
            manifest = json.loads(layout.read(layout.tags["layered"]))
            for item in manifest["layers"]:
                item["urls"] = [f"{evil.url}/blob"]
            serve_manifest(proxy, json.dumps(manifest).encode())
            world.pull(wanted(proxy.address))
            assert evil.requests == []


class TestMirrors:
    def test_are_asked_first_and_told_whose_images(self, world, registry: Registry, tmp_path: Path) -> None:
        with Proxy(registry.address) as mirror:
            write_host_file(tmp_path, "images.example", f'[host."{mirror.url}"]\ncapabilities = ["pull", "resolve"]\n')
            world.pull(wanted("images.example", registry=Reach(config_path=str(tmp_path / "certs.d"))))
            assert all("?ns=images.example" in request.target for request in mirror.requests)
        world.assert_layered()

    def test_that_fail_are_followed_by_the_next(self, world, registry: Registry, tmp_path: Path) -> None:
        with Proxy("") as empty, Proxy(registry.address) as good:
            write_host_file(tmp_path, "images.example", f'[host."{empty.url}"]\n[host."{good.url}"]\n')
            world.pull(wanted("images.example", registry=Reach(config_path=str(tmp_path / "certs.d"))))
            assert empty.requests
        world.assert_layered()

    def test_that_lie_are_followed_by_the_next(self, world, registry: Registry, tmp_path: Path) -> None:
        with Proxy(registry.address) as liar, Proxy(registry.address) as good:
            liar.on("GET", BLOBS, lambda exchange: exchange.corrupt(20))
            write_host_file(tmp_path, "images.example", f'[host."{liar.url}"]\n[host."{good.url}"]\n')
            world.pull(wanted("images.example", registry=Reach(config_path=str(tmp_path / "certs.d"))))
        world.assert_layered()


def challenge_basic(exchange: Exchange) -> None:
    exchange.answer(401, {"WWW-Authenticate": 'Basic realm="test"'})


def serve_manifest(proxy: Proxy, body: bytes, digest: bool = True) -> None:
    """Every manifest of the proxy is ``body`` from now on."""
    headers = {"Content-Type": "application/vnd.oci.image.manifest.v1+json"}
    if digest:
        headers["Docker-Content-Digest"] = digests.of(body)
    for method in ("HEAD", "GET"):
        proxy.on(method, "/manifests/", Exchange.answer, 200, headers, body)


def write_hosts(root: Path, proxy: Proxy, text: str) -> None:
    write_host_file(root, proxy.address.replace(":", "_") + "_", f'server = "{proxy.url}"\n{text}')


def write_host_file(root: Path, name: str, text: str) -> None:
    (root / "certs.d" / name).mkdir(parents=True)
    (root / "certs.d" / name / "hosts.toml").write_text(text)


@pytest.fixture
def token_registry(tmp_path: Path, layout: Layout):
    proxy = Proxy()
    tokens = TokenServer(tmp_path, f"{proxy.url}/token", {USER: PASSWORD})
    proxy.tokens = tokens
    with proxy, Registry(tmp_path / "registry", tokens=tokens) as registry:
        proxy.upstream = registry.address
        push(layout, "layered", f"{proxy.address}/test/layered:latest", credentials=f"{USER}:{PASSWORD}")
        tokens.given.clear()
        tokens.asked.clear()
        yield proxy, tokens
