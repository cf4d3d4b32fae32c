"""The verb ``oci-hook``: a hook of a container that gets facts of it as arguments.

As ``cmd/containerd/command/oci-hook.go`` in containerd v2.3: the container's state comes on standard input, facts are
filled into the arguments and the environment, and the process becomes the program that they name.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from moorage_containerd import templates
from moorage_sdk import errors
from moorage_sdk.verbs import Command


def hook(command: Command) -> int:
    """Become the program behind the verb; returns never."""
    words = command.words[1:] if command.words[:1] == ("--",) else command.words
    facts = functions(_object(sys.stdin.read(), "standard input"))
    arguments = [templates.render(word, facts) for word in words]
    environment = dict(templates.render(f"{k}={v}", facts).partition("=")[::2] for k, v in os.environ.items())
    if not arguments:
        raise errors.InvalidArgument(
            "oci-hook: no program is named: invalid argument", hint=f"{command.program} oci-hook -- PROGRAM ARGUMENTS"
        )
    try:
        os.execve(arguments[0], arguments, environment)
    except (OSError, ValueError) as error:  # ValueError: a zero byte in an annotation
        raise errors.Error(f'oci-hook: exec "{arguments[0]}": {error}') from error


def functions(state: Mapping[str, Any]) -> dict[str, Callable[..., str]]:
    """What templates may call, for a container's state (``State`` of runtime-spec). Reads its specification, too."""
    bundle = str(state.get("bundle", ""))
    annotations = state.get("annotations") or {}
    root = _root(Path(bundle) / "config.json")
    return {
        "id": lambda: str(state.get("id", "")),
        "bundle": lambda: bundle,
        "rootfs": lambda: str(Path(bundle) / root),
        "pid": lambda: str(state.get("pid", 0)),
        "status": lambda: str(state.get("status", "")),
        "annotation": lambda key: str(annotations.get(key, "")),
    }


def _root(file: Path) -> str:
    try:
        spec = _object(file.read_text(), f'specification "{file}"')
    except OSError as error:
        raise errors.FailedPrecondition(f'specification "{file}": {error.strerror}') from error
    root = spec.get("root")
    if not isinstance(root, dict) or not isinstance(root.get("path"), str):
        raise errors.InvalidArgument(f'specification "{file}": names no root.path: invalid argument')
    return str(root["path"])


def _object(text: str, subject: str) -> dict[str, Any]:
    try:
        value = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise errors.InvalidArgument(f"{subject}: no JSON: {error}: invalid argument") from error
    if not isinstance(value, dict):
        raise errors.InvalidArgument(f"{subject}: no JSON object: invalid argument")
    return value
