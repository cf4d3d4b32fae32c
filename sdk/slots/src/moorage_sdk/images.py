"""Images: names for descriptors. That the content exists is nobody's promise."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from moorage_sdk.descriptors import Descriptor


@dataclass(frozen=True)
class Image:
    """Times in nanoseconds since the epoch; set by the store."""

    name: str
    target: Descriptor
    labels: Mapping[str, str] = field(default_factory=dict)
    created_at: int = 0
    updated_at: int = 0


class Images(ABC):
    """The images of one namespace."""

    @abstractmethod
    def get(self, name: str) -> Image:
        """Raises errors.NotFound."""

    @abstractmethod
    def list(self) -> list[Image]:
        """All, by name."""

    @abstractmethod
    def create(self, image: Image, *, at: int = 0) -> Image:
        """``at`` (source date epoch) overrides the time of creation.

        Raises errors.AlreadyExists, errors.InvalidArgument.
        """

    @abstractmethod
    def update(self, image: Image, paths: Sequence[str] = (), *, at: int = 0) -> Image:
        """Replace all that may change, or what ``paths`` name (labels, annotations, target).

        Raises errors.NotFound, errors.InvalidArgument.
        """

    @abstractmethod
    def delete(self, name: str, *, target: str = "") -> None:
        """Raises errors.NotFound, also when ``target`` is given and is not the image's digest."""
