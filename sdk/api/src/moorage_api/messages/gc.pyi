# Written by generate.py from protos/; do not edit.

from collections.abc import Iterable as _Iterable, Mapping as _Mapping

from google.protobuf.descriptor import FieldDescriptor as _FieldDescriptor
from google.protobuf.internal.containers import (
    MessageMap as _MessageMap,
    RepeatedCompositeFieldContainer as _RepeatedCompositeFieldContainer,
    RepeatedScalarFieldContainer as _RepeatedScalarFieldContainer,
    ScalarMap as _ScalarMap,
)
from google.protobuf.internal.enum_type_wrapper import EnumTypeWrapper as _EnumTypeWrapper
from google.protobuf.message import Message as _Message
from google.protobuf import timestamp_pb2 as _timestamp_pb2

class Object(_Message):
    """An object as the collector names it, or as somebody spells it. What lies in a backend has no namespace."""
    kind: str
    namespace: str
    key: str
    def __init__(
        self,
        *,
        kind: str | None = ...,
        namespace: str | None = ...,
        key: str | None = ...,
    ) -> None: ...

class Step(_Message):
    """An object, and how the one before it refers to it; for the first one, why it is a root."""
    @property
    def object(self) -> Object: ...
    because: str
    def __init__(
        self,
        *,
        object: Object | None = ...,
        because: str | None = ...,
    ) -> None: ...

class Path(_Message):
    """From a root to the object in question."""
    @property
    def steps(self) -> _RepeatedCompositeFieldContainer[Step]: ...
    def __init__(
        self,
        *,
        steps: _Iterable[Step] | None = ...,
    ) -> None: ...

class WhyRequest(_Message):
    """Without a namespace the caller's is meant, without a kind any. The key may be shortened while it stays unambiguous."""
    @property
    def object(self) -> Object: ...
    def __init__(
        self,
        *,
        object: Object | None = ...,
    ) -> None: ...

class WhyResponse(_Message):
    """One path for each root that keeps the object, shortest first; none for garbage."""
    @property
    def object(self) -> Object: ...
    @property
    def paths(self) -> _RepeatedCompositeFieldContainer[Path]: ...
    def __init__(
        self,
        *,
        object: Object | None = ...,
        paths: _Iterable[Path] | None = ...,
    ) -> None: ...

class Removal(_Message):
    """What goes, and how many bytes of the disk come back by it. A name takes none; not every snapshotter can say."""
    @property
    def object(self) -> Object: ...
    size: int
    measured: bool
    def __init__(
        self,
        *,
        object: Object | None = ...,
        size: int | None = ...,
        measured: bool | None = ...,
    ) -> None: ...

class PlanRequest(_Message):
    def __init__(self) -> None: ...

class PlanResponse(_Message):
    @property
    def removals(self) -> _RepeatedCompositeFieldContainer[Removal]: ...
    @property
    def failures(self) -> _RepeatedScalarFieldContainer[str]: ...
    @property
    def next_expiry(self) -> _timestamp_pb2.Timestamp: ...
    def __init__(
        self,
        *,
        removals: _Iterable[Removal] | None = ...,
        failures: _Iterable[str] | None = ...,
        next_expiry: _timestamp_pb2.Timestamp | None = ...,
    ) -> None: ...

class RunRequest(_Message):
    def __init__(self) -> None: ...

class RunResponse(_Message):
    """The failures are removals that did not work and will be tried again."""
    @property
    def removals(self) -> _RepeatedCompositeFieldContainer[Removal]: ...
    @property
    def failures(self) -> _RepeatedScalarFieldContainer[str]: ...
    @property
    def next_expiry(self) -> _timestamp_pb2.Timestamp: ...
    def __init__(
        self,
        *,
        removals: _Iterable[Removal] | None = ...,
        failures: _Iterable[str] | None = ...,
        next_expiry: _timestamp_pb2.Timestamp | None = ...,
    ) -> None: ...
