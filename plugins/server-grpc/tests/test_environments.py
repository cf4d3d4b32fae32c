"""What is set for which grpc, and that the installed one takes it without a word."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from moorage_server_grpc import environments


@pytest.mark.parametrize(
    "version, expected",
    [("1.51.1", None), ("1.69.0", None), ("1.70.0rc1", environments.LISTENER), ("2.0.0", environments.LISTENER)],
)
def test_only_versions_that_know_the_experiment_are_told(version: str, expected: str | None) -> None:
    environment: dict[str, str] = {}
    environments.prepare(environment, version)
    assert environment.get("GRPC_EXPERIMENTS") == expected
    assert environment["GRPC_ENABLE_FORK_SUPPORT"] == "false"


def test_what_the_operator_has_set_stays() -> None:
    environment = {"GRPC_EXPERIMENTS": "tcp_frame_size_tuning"}
    environments.prepare(environment, "1.80.0")
    assert environment["GRPC_EXPERIMENTS"] == "tcp_frame_size_tuning"


def test_the_installed_grpc_knows_the_experiment() -> None:
    """It would complain of a name that it has dropped; then this setting has to go."""
    environment = {key: value for key, value in os.environ.items() if not key.startswith("GRPC_")}
    environments.prepare(environment)
    code = "import asyncio, grpc.aio\nasync def main(): await grpc.aio.server().start()\nasyncio.run(main())"
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stderr) == (0, "")
