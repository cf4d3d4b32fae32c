"""The slot ``runtime-preset``: what a runtime wants of the task manager beside the shim contract.

The task manager carries any runtime whose shim is a program (``containerd-shim-<name>-<version>``). Some need a hand:
a program that is called otherwise, options of their own, and that certain things never get to them. A preset lends it,
for the runtime names that it serves, and starts nothing itself::

    class Gentle(RuntimePreset):
        names = ("io.containerd.gentle.v1",)

        def program(self, runtime: str) -> str:
            return "/opt/gentle/shim"

        def prepare(self, namespace: str, creation: tasks.Creation) -> tasks.Creation:
            return replace(creation, options=creation.options or DEFAULT)

        def prepare_sandbox(self, namespace: str, creation: sandboxes.Creation) -> sandboxes.Creation:
            return creation

Unlike the hook ``adjust_container``, whose failures are passed over, a preset that raises keeps the container from
being made. So what protects the host belongs here. Hooks see what it returns, and are not held to it: they are plugins.
"""

from __future__ import annotations

from abc import ABC, abstractmethod

from moorage_sdk import sandboxes, tasks
from moorage_sdk.slots import Slot


class RuntimePreset(ABC):
    @property
    @abstractmethod
    def names(self) -> tuple[str, ...]:
        """The runtime names that it serves. The path of a program that one of them leads to counts as that name."""

    @abstractmethod
    def program(self, runtime: str) -> str:
        """The shim of one of its names: an absolute path, or a runtime name whose program is looked for as usual."""

    @abstractmethod
    def prepare(self, namespace: str, creation: tasks.Creation) -> tasks.Creation:
        """What the shim gets instead of ``creation``, of the same id and runtime. Blocks.

        Called before anything is made. Raises errors.InvalidArgument for what the shim must not get.
        """

    @abstractmethod
    def prepare_sandbox(self, namespace: str, creation: sandboxes.Creation) -> sandboxes.Creation:
        """The same for a sandbox."""


RUNTIME_PRESET: Slot[RuntimePreset] = Slot("runtime-preset", "io.containerd.runtime-preset.v1")
