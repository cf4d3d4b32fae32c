"""Where uploads go: Locations, mounts, credentials and TLS, seen by whole pushes."""

from __future__ import annotations

import json
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest

from moorage_sdk import errors
from moorage_sdk.transfers import Credentials, Push
from moorage_sdk.transfers import Registry as Reach
from moorage_testkit import certificates
from moorage_testkit.images import Layout
from moorage_testkit.images import push as publish
from moorage_testkit.registries import PASSWORD, USER, Exchange, Proxy, Registry, TokenServer
from moorage_testkit.uploads import Uploads
from moorage_transfer_local.retries import Policy
from moorage_transfer_local.servers import Settings
from moorage_transfer_local.transports import Timeouts

UPLOAD = "/blobs/uploads/"
SOURCE = "containerd.io/distribution.source.127.0.0.1"


def knows(*_: str) -> Credentials:
    return Credentials(USER, PASSWORD)


def goal(address: str, reach: Reach | None = None, name: str = "a/b:1") -> Push:
    return Push(f"{address}/{name}", "local", registry=reach or Reach())


@pytest.fixture
def held(world, layout: Layout):
    world.hold(layout, "layered", "local")
    return world


class TestLocations:
    @pytest.mark.parametrize(
        "form", ["{path}", "http://{host}{path}", "{path}?state=a%2Fb&x=", "//{host}{path}", "{host}{path}"]
    )
    def test_are_absolute_or_not(self, held, form: str) -> None:
        with Uploads() as registry:
            registry.location = lambda path: form.format(path=path, host=registry.address)
            held.push(goal(registry.address))
            assert len(registry.blobs) == 5
            puts = [target for method, target in registry.requests if method == "PUT" and UPLOAD in target]
            assert all("digest=sha256%3A" in put for put in puts)
            assert all(put.partition("?")[2].startswith("state=a%2Fb&x=&") for put in puts) == ("state" in form)

    def test_that_are_missing_are_an_error(self, held, gate: Proxy) -> None:
        gate.on("POST", UPLOAD, Exchange.answer, 202)
        with pytest.raises(errors.Unavailable, match="does not say where to upload"):
            held.push(goal(gate.address))

    @pytest.mark.parametrize("where", ["ftp://x/", "http://[x", "http://x:99999/", "file:///etc/passwd"])
    def test_that_lead_nowhere_are_an_error(self, held, gate: Proxy, where: str) -> None:
        gate.on("POST", UPLOAD, Exchange.answer, 202, {"Location": where})
        with pytest.raises(errors.Unavailable, match="not followed"):
            held.push(goal(gate.address))

    def test_at_another_server_get_no_secrets(self, held, tmp_path: Path) -> None:
        with Uploads() as registry, Proxy(registry.address) as gate, Proxy(registry.address) as foreign:
            registry.location = lambda path: f"{foreign.url}{path}?signature=SECRET"
            gate.on("HEAD", "/blobs/", basic, times=1)
            write_hosts(tmp_path, gate, '[header]\nX-Secret = "s"\n')
            reach = Reach(str(tmp_path / "certs.d"), headers={"Cookie": "c"}, authority=knows)
            held.push(goal(gate.address, reach))
            abroad, at_home = foreign.seen("PUT", UPLOAD), gate.seen("POST", UPLOAD)
            assert len(abroad) == len(at_home) == 5
            assert not any(r.header("Authorization") or r.header("X-Secret") or r.header("Cookie") for r in abroad)
            assert all(r.header("Authorization") and r.header("X-Secret") and r.header("Cookie") for r in at_home)

    def test_at_another_server_that_wants_secrets_get_none(self, held) -> None:
        with Uploads() as registry, Proxy(registry.address) as gate, Proxy(registry.address) as foreign:
            registry.location = lambda path: f"{foreign.url}{path}?signature=SECRET"
            foreign.on("PUT", UPLOAD, basic)
            with pytest.raises(errors.Unauthenticated) as caught:
                held.push(goal(gate.address, Reach(authority=knows)))
            assert "SECRET" not in str(caught.value)
            assert not any(request.header("Authorization") for request in foreign.requests)

    def test_are_kept_encrypted(self, held, store: Registry, tmp_path: Path) -> None:
        """The registry believes that it is reached without TLS, and says so in every Location."""
        with Proxy(store.address, certificates.make(tmp_path)) as secure:
            held.push(goal(secure.address))
            assert secure.count("PUT", UPLOAD) == 5

    def test_elsewhere_without_encryption_are_not_followed(self, held, store: Registry, tmp_path: Path) -> None:
        with Proxy(store.address, certificates.make(tmp_path)) as secure, Proxy(store.address) as plain:
            secure.on("POST", UPLOAD, lambda e: e.set("Location", f"{plain.url}/v2/a/b/blobs/uploads/x"))
            with pytest.raises(errors.Unavailable, match="https to http"):
                held.push(goal(secure.address))
            assert plain.requests == []


class TestRedirects:
    def test_of_an_upload_take_its_bytes_along(self, held) -> None:
        with Uploads() as registry, Proxy(registry.address) as gate, Proxy(registry.address) as foreign:
            gate.on("HEAD", "/blobs/", basic, times=1)
            registry.location = lambda path: f"/moved{path}"
            there = f"{foreign.url}{{}}"
            gate.on("PUT", "/moved", lambda e: e.answer(307, {"Location": there.format(e.request.target[6:])}))
            held.push(goal(gate.address, Reach(authority=knows)))
            assert gate.count("PUT", "/moved") == foreign.count("PUT", UPLOAD) == len(registry.blobs) == 5
            assert not any(request.header("Authorization") for request in foreign.requests)

    @pytest.mark.parametrize("status", [301, 302, 303])
    def test_that_would_lose_the_bytes_are_not_followed(self, held, gate: Proxy, status: int) -> None:
        gate.on("PUT", "/manifests/", lambda e: e.answer(status, {"Location": f"{gate.url}/elsewhere"}))
        with pytest.raises(errors.Unavailable, match=f"answered {status}"):
            held.push(goal(gate.address))
        assert gate.count("GET", "/elsewhere") == gate.count("PUT", "/elsewhere") == 0


class TestMounts:
    def test_spare_the_bytes(self, world, layout: Layout, store: Registry) -> None:
        publish(layout, "layered", f"{store.address}/team/base:1")
        world.hold(layout, "layered", "local", {SOURCE: "else/where,team/base"})
        with Proxy(store.address) as gate:
            world.push(goal(gate.address, name="team/app:1"))
            posts = [parse_qs(urlsplit(request.target).query) for request in gate.seen("POST", UPLOAD)]
            assert all(query["from"] == ["team/base"] for query in posts)
            assert len(posts) == 5
            assert gate.count("PUT", UPLOAD) == gate.count("PATCH", UPLOAD) == 0
        assert [line.event for line in world.lines].count("already exists") == 5

    def test_that_are_not_possible_become_uploads(self, world, layout: Layout, gate: Proxy) -> None:
        world.hold(layout, "layered", "local", {SOURCE: "other/repo"})
        world.push(goal(gate.address))
        assert gate.count("POST", "mount=") == gate.count("POST", UPLOAD) == gate.count("PUT", UPLOAD) == 5

    @pytest.mark.parametrize("status", [401, 403, 404, 405])
    def test_that_are_refused_become_uploads(self, world, layout: Layout, gate: Proxy, status: int) -> None:
        world.hold(layout, "layered", "local", {SOURCE: "private/repo"})
        gate.on("POST", "mount=", Exchange.answer, status)
        world.push(goal(gate.address))
        assert gate.count("PUT", UPLOAD) == 5
        assert gate.count("POST", r"uploads/$") == 5

    def test_follow_from_where_the_manifest_was_seen(self, world, layout: Layout, gate: Proxy) -> None:
        image = world.hold(layout, "layered", "local")
        info = world.content.info(image.target.digest)
        world.content.update(type(info)(image.target.digest, labels={SOURCE: "team/base"}))
        world.push(goal(gate.address))
        assert gate.count("POST", "from=team/base") == 5

    def test_from_the_same_repository_make_no_sense(self, world, layout: Layout, gate: Proxy) -> None:
        world.hold(layout, "layered", "local", {SOURCE: "a/b"})
        world.push(goal(gate.address))
        assert gate.count("POST", "mount=") == 0


class TestCredentials:
    def test_by_basic_over_tls(self, held, tmp_path: Path) -> None:
        made = certificates.make(tmp_path)
        with Registry(tmp_path / "registry", certificate=made, htpasswd=True) as registry:
            write_host_file(
                tmp_path,
                registry.address.replace(":", "_") + "_",
                f'server = "https://{registry.address}"\nca = "{made.certificate}"\nskip_verify = false\n',
            )
            reach = Reach(str(tmp_path / "certs.d"), authority=knows)
            held.push(goal(registry.address, reach))
            held.push(goal(registry.address, reach, "a/b:2"))

    @pytest.mark.parametrize("given", [None, lambda *_: None, lambda *_: Credentials(USER, "wrong")])
    def test_that_are_wrong_are_unauthenticated(self, held, tmp_path: Path, given) -> None:
        with Registry(tmp_path / "registry", htpasswd=True) as registry, Proxy(registry.address) as gate:
            with pytest.raises(errors.Unauthenticated, match="access denied"):
                held.push(goal(gate.address, Reach(authority=given)))
            assert len(gate.requests) <= 4 * 5  # nobody storms a registry that says no

    def test_by_token_ask_for_what_a_push_needs(self, held, token_registry: tuple[Proxy, TokenServer]) -> None:
        gate, tokens = token_registry
        held.push(goal(gate.address, Reach(authority=knows)))
        assert len(tokens.asked) == 1
        assert parse_qs(urlsplit(tokens.asked[0]).query)["scope"] == ["repository:a/b:pull,push"]

    def test_by_token_ask_for_both_repositories_of_a_mount(
        self, world, layout: Layout, token_registry: tuple[Proxy, TokenServer]
    ) -> None:
        gate, tokens = token_registry
        world.hold(layout, "layered", "local", {SOURCE: "team/base"})
        world.push(goal(gate.address, Reach(authority=knows), "team/base:1"))
        tokens.asked.clear()
        world.push(goal(gate.address, Reach(authority=knows), "team/app:1"))
        assert gate.count("PUT", UPLOAD) == 5  # of the first push
        scopes = [parse_qs(urlsplit(asked).query)["scope"] for asked in tokens.asked]
        assert ["repository:team/app:pull,push", "repository:team/base:pull"] in scopes

    def test_by_token_that_ends_in_the_middle(self, held, token_registry: tuple[Proxy, TokenServer]) -> None:
        gate, tokens = token_registry

        def over(exchange: Exchange) -> None:
            challenge = f'Bearer realm="{gate.url}/token",service="registry"'
            if exchange.request.header("Authorization") == f"Bearer {tokens.given[0]}":
                exchange.answer(401, {"WWW-Authenticate": challenge})

        gate.on("PUT", "/manifests/", over)
        held.push(goal(gate.address, Reach(authority=knows)))
        assert len(tokens.given) == 2

    def test_that_are_never_enough_end_soon(self, held, token_registry: tuple[Proxy, TokenServer]) -> None:
        gate, tokens = token_registry
        challenge = f'Bearer realm="{gate.url}/token",service="registry"'
        gate.on("PUT", "/manifests/", Exchange.answer, 401, {"WWW-Authenticate": challenge})
        with pytest.raises(errors.Unauthenticated):
            held.push(goal(gate.address, Reach(authority=knows)))
        assert gate.count("PUT", "/manifests/") == 2
        assert len(tokens.given) == 2

    def test_never_go_to_a_strangers_token_server(self, held, gate: Proxy) -> None:
        with Proxy() as stranger:
            realm = f'Bearer realm="{stranger.url}/token",service="registry"'
            for method in ("HEAD", "POST"):
                gate.on(method, "/blobs/", Exchange.answer, 401, {"WWW-Authenticate": realm})
            with pytest.raises(errors.PermissionDenied, match="token_realms"):
                held.push(goal(gate.address, Reach(authority=knows)))
            assert stranger.requests == []


def test_threads_that_begin_together_find_out_together_that_there_is_no_tls(
    worlds, layout: Layout, store: Registry
) -> None:
    world = worlds(settings=Settings(Timeouts(5, 20), Policy(attempts=1)))
    world.hold(layout, "layered", "local")
    world.push(goal(store.address))


class TestHosts:
    def test_that_may_not_push_are_passed_over(self, held, store: Registry, tmp_path: Path) -> None:
        with Proxy() as mirror, Proxy(store.address) as gate:
            text = f'[host."{mirror.url}"]\ncapabilities = ["pull", "resolve"]\n[host."{gate.url}"]\n'
            write_host_file(tmp_path, "images.example", text)
            held.push(goal("images.example", Reach(str(tmp_path / "certs.d"))))
            assert mirror.requests == []
            assert all("ns=images.example" in request.target for request in gate.requests)
            assert gate.count("PUT", "/manifests/1") == 1

    def test_that_may_not_push_at_all_are_not_found(self, held, gate: Proxy, tmp_path: Path) -> None:
        write_hosts(tmp_path, gate, 'capabilities = ["pull", "resolve"]\n')
        with pytest.raises(errors.NotFound, match="no push hosts: not found"):
            held.push(goal(gate.address, Reach(str(tmp_path / "certs.d"))))
        assert gate.requests == []


class TestRefusals:
    def test_of_a_look_are_explained(self, held, gate: Proxy) -> None:
        reason = json.dumps({"errors": [{"code": "DENIED", "message": "pay your bill"}]}).encode()
        gate.on("HEAD", "/blobs/", Exchange.answer, 403)
        gate.on("GET", "/blobs/", Exchange.answer, 403, {"Content-Type": "application/json"}, reason)
        with pytest.raises(errors.PermissionDenied, match="DENIED: pay your bill"):
            held.push(goal(gate.address))

    def test_of_a_look_need_not_be_refusals_to_take(self, held, gate: Proxy) -> None:
        gate.on("HEAD", "/blobs/", Exchange.answer, 405)
        held.push(goal(gate.address))
        assert gate.count("PUT", UPLOAD) == 5

    def test_of_manifests_say_why(self, held, gate: Proxy) -> None:
        reason = json.dumps({"errors": [{"code": "MANIFEST_INVALID", "message": "I do not like it"}]}).encode()
        gate.on("PUT", "/manifests/", Exchange.answer, 400, {}, reason)
        with pytest.raises(errors.FailedPrecondition, match="MANIFEST_INVALID: I do not like it"):
            held.push(goal(gate.address))

    @pytest.mark.parametrize("status", [429, 500, 503])
    def test_for_a_moment_are_asked_again(self, held, gate: Proxy, status: int) -> None:
        for method, what in (("HEAD", "/blobs/"), ("POST", UPLOAD), ("HEAD", "/manifests/")):
            gate.on(method, what, Exchange.answer, status, {"Retry-After": "0"}, times=2)
        held.push(goal(gate.address))
        assert gate.count("PUT", "/manifests/1") == 1


def basic(exchange: Exchange) -> None:
    exchange.answer(401, {"WWW-Authenticate": 'Basic realm="test"'})


def write_hosts(root: Path, proxy: Proxy, text: str) -> None:
    write_host_file(root, proxy.address.replace(":", "_") + "_", f'server = "{proxy.url}"\n{text}')


def write_host_file(root: Path, name: str, text: str) -> None:
    (root / "certs.d" / name).mkdir(parents=True)
    (root / "certs.d" / name / "hosts.toml").write_text(text)


@pytest.fixture
def token_registry(tmp_path: Path):
    gate = Proxy()
    tokens = TokenServer(tmp_path, f"{gate.url}/token", {USER: PASSWORD})
    gate.tokens = tokens
    with gate, Registry(tmp_path / "registry", tokens=tokens) as registry:
        gate.upstream = registry.address
        yield gate, tokens
