"""Registries on loopback: Debian's docker-registry as it is, and a proxy before it that misbehaves on demand.

    with Registry(tmp_path) as registry, Proxy(registry.address) as proxy:
        proxy.on("GET", r"/blobs/", Exchange.cut, 1000, times=1)    # the first blob breaks off after 1000 bytes
        transfer.pull(view, Pull(f"{proxy.address}/busybox:latest"), print)
        assert proxy.count("GET", r"/blobs/") == 3

``docker-registry`` has to be installed; ``available()`` says so. Nothing listens beyond 127.0.0.1.
"""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import threading
from collections import deque
from pathlib import Path
from types import TracebackType
from typing import Self

from moorage_testkit.certificates import Certificate
from moorage_testkit.proxies import Exchange, Proxy, Request
from moorage_testkit.tokens import TokenServer

__all__ = ["PASSWORD", "USER", "Exchange", "Proxy", "Registry", "Request", "TokenServer", "available"]

USER = "tester"
PASSWORD = "secret"
_HTPASSWD = f"{USER}:$2b$04$M/TWJZCi8EZTwSzi5DLY7.pDgfOXTAPJr5PnTSzCF5v.Eecs.IrNG\n"
"""``PASSWORD`` by bcrypt, the only method that the registry takes."""

_STARTED = re.compile(r"listening on (127\.0\.0\.1:[0-9]+)")
START_TIME = 20.0


def available() -> bool:
    """Whether docker-registry, skopeo and openssl are installed."""
    return all(shutil.which(name) for name in ("docker-registry", "skopeo", "openssl"))


class Registry:
    """A docker-registry with its files under ``directory``.

    With ``certificate`` it speaks TLS; with ``htpasswd`` it wants ``USER`` and ``PASSWORD``; with ``tokens`` it wants
    tokens of that server. ``address`` is ``127.0.0.1:<port>`` once it runs.
    """

    def __init__(
        self,
        directory: Path,
        *,
        certificate: Certificate | None = None,
        htpasswd: bool = False,
        tokens: TokenServer | None = None,
    ) -> None:
        self.directory = directory
        self.certificate = certificate
        self.htpasswd = htpasswd
        self.tokens = tokens
        self.address = ""
        self._process: subprocess.Popen[str] | None = None
        self._output: deque[str] = deque(maxlen=200)
        self._listening = threading.Event()

    def __enter__(self) -> Self:
        self.directory.mkdir(parents=True, exist_ok=True)
        file = self.directory / "config.json"  # JSON is YAML
        file.write_text(json.dumps(self._config()))
        self._process = subprocess.Popen(
            ["docker-registry", "serve", str(file)], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )
        threading.Thread(target=self._read, daemon=True).start()
        if not self._listening.wait(START_TIME):
            self.__exit__(None, None, None)
            raise RuntimeError("docker-registry does not start: " + "".join(self._output))
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    @property
    def blobs(self) -> Path:
        """Where its blobs lie, ``sha256/<2 digits>/<digits>/data`` below."""
        return self.directory / "data" / "docker" / "registry" / "v2" / "blobs"

    def output(self) -> str:
        """Its last lines."""
        return "".join(self._output)

    def _config(self) -> dict[str, object]:
        http: dict[str, object] = {"addr": "127.0.0.1:0", "secret": "fixed"}
        if self.certificate:
            http["tls"] = {"certificate": str(self.certificate.certificate), "key": str(self.certificate.key)}
        config: dict[str, object] = {
            "version": 0.1,
            "storage": {"filesystem": {"rootdirectory": str(self.directory / "data")}},
            "http": http,
        }
        if self.htpasswd:
            (self.directory / "htpasswd").write_text(_HTPASSWD)
            config["auth"] = {"htpasswd": {"realm": "test", "path": str(self.directory / "htpasswd")}}
        if self.tokens:
            config["auth"] = {"token": self.tokens.registry_config()}
        return config

    def _read(self) -> None:
        process = self._process
        if process is None or process.stdout is None:
            return
        with process.stdout as lines:
            for line in lines:
                self._output.append(line)
                if match := _STARTED.search(line):
                    self.address = match[1]
                    self._listening.set()
