"""The slot ``runtime-preset`` for Kata."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from moorage_runtime_kata import layers, options, permits, pods, specs
from moorage_sdk import sandboxes, tasks
from moorage_sdk.presets import RuntimePreset

log = logging.getLogger(__name__)

DEFAULT = "io.containerd.kata.v2"
PROGRAM = "containerd-shim-kata-v2"


@dataclass(frozen=True)
class Handler:
    """One runtime name. ``annotations`` are patterns of those that pass."""

    runtime_path: str = ""
    config_path: str = ""
    annotations: tuple[str, ...] = ()


class KataPreset(RuntimePreset):
    """Handlers by runtime name. A path of the shim counts as the default name, which is the last of all to be asked."""

    def __init__(self, handlers: Mapping[str, Handler]) -> None:
        self._handlers = {DEFAULT: Handler(), **handlers}

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(self._handlers)

    def program(self, runtime: str) -> str:
        return self._handler(runtime).runtime_path or DEFAULT

    def prepare(self, namespace: str, creation: tasks.Creation) -> tasks.Creation:
        subject, handler = f'container "{creation.id}"', self._handler(creation.runtime)
        layers.require(subject, creation.rootfs)
        spec, refused = specs.cleaned(subject, creation.spec, handler.annotations)
        _tell(subject, namespace, refused)
        return replace(creation, spec=spec, options=options.completed(creation.options, handler.config_path))

    def prepare_sandbox(self, namespace: str, creation: sandboxes.Creation) -> sandboxes.Creation:
        sandbox, pod = creation.sandbox, creation.options
        subject, handler = f'sandbox "{sandbox.id}"', self._handler(sandbox.runtime.name)
        layers.require(subject, creation.rootfs)
        passing, refused = permits.allowed(creation.annotations, handler.annotations)
        if sandbox.spec is not None and sandbox.spec.value:
            spec, taken = specs.cleaned(subject, sandbox.spec.value, handler.annotations)
            sandbox = replace(sandbox, spec=replace(sandbox.spec, value=spec))
            refused += taken
        if pod is not None and pods.holds(pod):
            config, taken = pods.cleaned(subject, pod.value, handler.annotations)
            pod = replace(pod, value=config)
            refused += taken
        _tell(subject, namespace, refused)
        told = options.completed(sandbox.runtime.options, handler.config_path)
        sandbox = replace(sandbox, runtime=replace(sandbox.runtime, options=told))
        return replace(creation, sandbox=sandbox, options=pod, annotations=passing)

    def _handler(self, runtime: str) -> Handler:
        """Of a name; or of a path, by the name that leads to it."""
        if runtime in self._handlers:
            return self._handlers[runtime]
        by_path = (each for each in self._handlers.values() if each.runtime_path == runtime)
        return next(by_path, self._handlers[DEFAULT])


def faults(name: str, handler: Handler) -> list[str]:
    """What is wrong with a handler, each a sentence about one of its settings."""
    found = [
        f'{key} "{path}": must be an absolute path'
        for key, path in (("runtime_path", handler.runtime_path), ("config_path", handler.config_path))
        if path and not Path(path).is_absolute()
    ]
    found += [
        f'annotations: "{pattern}": must begin with "{permits.PREFIX}"'
        for pattern in handler.annotations
        if not pattern.startswith(permits.PREFIX)
    ]
    return [f'runtimes."{name}".{fault}' for fault in found]


def warnings(handlers: Mapping[str, Handler]) -> list[str]:
    """What an operator should know that he let pass."""
    return [
        f'runtime "{name}": annotation "{pattern}" lets whoever makes a pod choose what runs on this host'
        for name, handler in handlers.items()
        for pattern in permits.powerful(handler.annotations)
    ]


def _tell(subject: str, namespace: str, refused: list[str]) -> None:
    if refused:
        names = ", ".join(sorted(set(refused)))
        log.warning('%s in namespace "%s": annotations not passed on: %s', subject, namespace, names)
