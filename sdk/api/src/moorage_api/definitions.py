"""Message classes, enumerations and services, built at run time from the committed descriptor sets.

Code that protoc generates is bound to one major version of protobuf; a descriptor set is not, so this works from
protobuf 4.21 on. Files go into the default pool, and only those that a name needs.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable, Iterator
from functools import cache
from typing import Any

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory, symbol_database
from google.protobuf.descriptor import Descriptor, FileDescriptor
from google.protobuf.internal.enum_type_wrapper import EnumTypeWrapper
from google.protobuf.message import Message

from moorage_api import catalog

WELL_KNOWN = "google/protobuf/"
"""Files under this prefix are protobuf's own; their classes come from ``google.protobuf.<name>_pb2``."""

WELL_KNOWN_MESSAGES = {
    f"google.protobuf.{message}": f"{WELL_KNOWN}{file}.proto"
    for message, file in (("Any", "any"), ("Empty", "empty"), ("FieldMask", "field_mask"), ("Timestamp", "timestamp"))
}
"""Those that methods take or answer, or that travel inside an Any by themselves, and their files."""

OTHER_HOMES = {
    "google/rpc/status.proto": "google.rpc.status_pb2",  # googleapis-common-protos, which OTLP exporters import
    "grpc/health/v1/health.proto": "grpc_health.v1.health_pb2",  # grpcio-health-checking
    "grpc/reflection/v1alpha/reflection.proto": "grpc_reflection.v1alpha.reflection_pb2",  # grpcio-reflection
}
"""Files that another distribution registers too, and its module.

The pool takes one definition of a name, and a second one that differs only in an option is an error for whoever comes
second. So where that distribution is installed, its definition is used.
"""


@cache
def files() -> dict[str, descriptor_pb2.FileDescriptorProto]:
    """All files of all APIs by name. Nothing is registered by looking here."""
    # pkgutil and not importlib.resources, which imports 2 MB of modules that a small process does not need.
    raw = (pkgutil.get_data("moorage_api", f"descriptors/{api}.binpb") for api in catalog.APIS)
    sets = [descriptor_pb2.FileDescriptorSet.FromString(data or b"") for data in raw]
    return {file.name: file for each in sets for file in each.file}


@cache
def owners() -> dict[str, str]:
    """Full name of every message and service -> name of the file that defines it."""
    return {name: file.name for file in files().values() for name in _defined(file)}


def _defined(file: descriptor_pb2.FileDescriptorProto) -> Iterator[str]:
    for service in file.service:
        yield f"{file.package}.{service.name}"
    pending = [(file.package, message) for message in file.message_type]
    while pending:
        scope, message = pending.pop()
        name = f"{scope}.{message.name}"
        yield name
        pending += [(name, nested) for nested in message.nested_type]


@cache
def load(name: str) -> FileDescriptor:
    """Register the file ``name`` and what it imports in the default pool. Raises KeyError for a file of no API."""
    if name.startswith(WELL_KNOWN):
        importlib.import_module(name.removesuffix(".proto").replace("/", ".") + "_pb2")
        return descriptor_pool.Default().FindFileByName(name)
    for imported in files()[name].dependency:
        load(imported)
    return _foreign(name) or _own(name)


def _foreign(name: str) -> FileDescriptor | None:
    if name not in OTHER_HOMES:
        return None
    try:
        module = importlib.import_module(OTHER_HOMES[name])
    except Exception:  # noqa: BLE001  # Absent, or broken beside this protobuf: foreign code, and we have our own copy.
        return None
    found: FileDescriptor = module.DESCRIPTOR
    return found


def _own(name: str) -> FileDescriptor:
    pool = descriptor_pool.Default()
    try:
        return pool.FindFileByName(name)
    except KeyError:
        pool.AddSerializedFile(files()[name].SerializeToString())
        return pool.FindFileByName(name)


@cache
def message(full_name: str) -> type[Message]:
    """The class of a message of any API, nested or protobuf's own. Raises KeyError for a name that is none."""
    file = owners().get(full_name) or WELL_KNOWN_MESSAGES.get(full_name)
    if file:
        load(file)
    return message_class(descriptor_pool.Default().FindMessageTypeByName(full_name))


def message_class(descriptor: Descriptor) -> type[Message]:
    """The class that belongs to a descriptor of the default pool, the same one each time."""
    if hasattr(message_factory, "GetMessageClass"):
        kind = message_factory.GetMessageClass(descriptor)
    else:
        # Before 4.22. Not message_factory.MessageFactory: a second factory would make a second class.
        legacy: Any = symbol_database.Default()
        kind = legacy.GetPrototype(descriptor)
    for nested in descriptor.nested_types:
        if not hasattr(kind, nested.name):  # True only where protobuf runs without upb, as Debian 12's does
            setattr(kind, nested.name, message_class(nested))
    return kind


def module(name: str) -> tuple[Callable[[str], Any], Callable[[], list[str]]]:
    """``__getattr__`` and ``__dir__`` of the message module ``name`` (its dotted name).

    They offer what protoc would put into the module: messages, enumerations, their values, and extensions.
    """
    names = catalog.MODULES[name.rpartition(".")[2]]

    @cache
    def attribute(wanted: str) -> Any:
        for each in names:
            if wanted in _exported(each):
                return _lookup(load(each), wanted)
        raise AttributeError(f"module {name!r} has no attribute {wanted!r}")

    def directory() -> list[str]:
        return sorted(wanted for each in names for wanted in _exported(each))

    return attribute, directory


@cache
def _exported(name: str) -> frozenset[str]:
    file = files()[name]
    names = [each.name for each in file.message_type] + [each.name for each in file.enum_type]
    names += [each.name for each in file.extension]
    return frozenset(names + [value.name for enum in file.enum_type for value in enum.value])


def _lookup(file: FileDescriptor, name: str) -> Any:
    if name in file.message_types_by_name:
        return message_class(file.message_types_by_name[name])
    if name in file.enum_types_by_name:
        return EnumTypeWrapper(file.enum_types_by_name[name])
    if name in file.extensions_by_name:
        return file.extensions_by_name[name]
    values = (enum.values_by_name.get(name) for enum in file.enum_types_by_name.values())
    return next(value.number for value in values if value is not None)
