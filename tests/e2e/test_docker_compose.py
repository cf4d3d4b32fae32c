"""Debian's docker-compose, unchanged, on both daemons: two services that talk to each other, and nothing left."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from moorage_testkit.daemons import wait_until
from moorage_testkit.engines import Engine

pytestmark = pytest.mark.skipif(not shutil.which("docker-compose"), reason="needs docker-compose")

# The static busybox dies in its wget, with any daemon.
PROJECT = r"""
version: "3.7"
services:
  web:
    image: busybox
    command: sh -c "mkdir -p /www && echo hello > /www/index.html && exec httpd -f -p 80 -h /www"
    volumes: ["kept:/www"]
    networks: [inner]
  client:
    image: busybox
    depends_on: [web]
    networks: [inner]
    command: >
      sh -c "until printf 'GET / HTTP/1.0\\r\\n\\r\\n' | nc -w 1 web 80 | grep hello; do sleep 0.1; done; exit 3"
volumes:
  kept: {}
networks:
  inner: {}
"""


def test_two_services(docker: Engine, tmp_path: Path) -> None:
    project = tmp_path / "talkers"
    project.mkdir()
    (project / "docker-compose.yml").write_text(PROJECT)

    def compose(*words: str) -> str:
        return docker.run("docker-compose", "-f", str(project / "docker-compose.yml"), *words, timeout=120).stdout

    compose("up", "-d")
    client, web = (compose("ps", "-aq", name).strip() for name in ("client", "web"))
    wait_until(lambda: docker.inspect(client, "{{json .State}}")["Status"] == "exited", 30)
    assert docker.inspect(client, "{{json .State}}")["ExitCode"] == 3
    assert "hello" in compose("logs", "client")
    assert docker.inspect(web, "{{json .State}}")["Running"]
    assert "hello" in compose("exec", "-T", "web", "cat", "/www/index.html")
    compose("restart", "-t", "1", "web")
    compose("down", "-v", "-t", "1")
    assert docker.docker("ps", "-aq").stdout == ""
    assert "talkers" not in docker.docker("network", "ls").stdout + docker.docker("volume", "ls").stdout


@pytest.mark.full
def test_the_exit_of_one_ends_the_project(docker: Engine, tmp_path: Path) -> None:
    (tmp_path / "docker-compose.yml").write_text(PROJECT)
    words = ["docker-compose", "-f", str(tmp_path / "docker-compose.yml")]
    done = docker.run(*words, "up", "-t", "1", "--exit-code-from", "client", check=False, timeout=120)
    assert done.returncode == 3, done.stderr
    assert "hello" in done.stdout
    docker.run(*words, "down", "-v", "-t", "1")
    assert docker.docker("ps", "-aq").stdout == ""
