"""Stubs of the message modules: what a type checker must know of classes that exist only at run time.

A field of an enumeration is an ``int``, a map is a ``ScalarMap`` or ``MessageMap``, a field of a message type can be
read but not assigned (``CopyFrom``), and constructors take every field by keyword, as at run time.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from google.protobuf import descriptor_pb2

File = descriptor_pb2.FileDescriptorProto
Field = descriptor_pb2.FieldDescriptorProto
Node = descriptor_pb2.DescriptorProto

SCALARS = {
    Field.TYPE_DOUBLE: "float",
    Field.TYPE_INT32: "int",
    Field.TYPE_INT64: "int",
    Field.TYPE_UINT32: "int",
    Field.TYPE_UINT64: "int",
    Field.TYPE_ENUM: "int",
    Field.TYPE_BOOL: "bool",
    Field.TYPE_STRING: "str",
    Field.TYPE_BYTES: "bytes",
}
WELL_KNOWN = "google/protobuf/"
HEADER = """\
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
"""
"""Imported under private names: containerd has messages called Descriptor and Mapping would be no surprise either."""


def render(module: str, files: Mapping[str, File], modules: Mapping[str, tuple[str, ...]]) -> str:
    """The stub of one module. ``files`` carry source information (comments become docstrings)."""
    return _Stub(module, files, modules).text()


class _Stub:
    def __init__(self, module: str, files: Mapping[str, File], modules: Mapping[str, tuple[str, ...]]) -> None:
        self.module = module
        self.files = [files[name] for name in modules[module]]
        self.homes = {file: name for name, members in modules.items() for file in members}
        self.symbols = dict(_symbols(files.values()))
        self.imports: set[str] = set()

    def text(self) -> str:
        body: list[str] = []
        for file in self.files:
            comments = {tuple(each.path): each.leading_comments.strip() for each in file.source_code_info.location}
            for enum in file.enum_type:
                body += ["", *_enum(enum, "")]
            for extension in file.extension:
                body += ["", f"{extension.name}: _FieldDescriptor"]
            for index, node in enumerate(file.message_type):
                body += ["", *self._message(node, "", comments.get((4, index), ""))]
        return "\n".join([HEADER + "".join(f"{line}\n" for line in sorted(self.imports)), *body[1:], ""])

    def _message(self, node: Node, indent: str, comment: str) -> list[str]:
        maps = {each.name: each for each in node.nested_type if each.options.map_entry}
        inner = indent + "    "
        lines = [f"{indent}class {node.name}(_Message):"]
        if comment:
            lines.append(f'{inner}"""{" ".join(comment.split())}"""')
        for nested in node.nested_type:
            if nested.name not in maps:
                lines += self._message(nested, inner, "")
        for enum in node.enum_type:
            lines += _enum(enum, inner)
        for field in node.field:
            lines += [f"{inner}{line}" for line in self._field(field, maps)]
        return lines + self._constructor(node, maps, inner)

    def _field(self, field: Field, maps: Mapping[str, Node]) -> list[str]:
        held, _ = self._types(field, maps)
        if field.label == Field.LABEL_REPEATED or field.type == Field.TYPE_MESSAGE:
            return ["@property", f"def {field.name}(self) -> {held}: ..."]
        return [f"{field.name}: {held}"]

    def _constructor(self, node: Node, maps: Mapping[str, Node], indent: str) -> list[str]:
        if not node.field:
            return [f"{indent}def __init__(self) -> None: ..."]
        fields = [f"{indent}    {each.name}: {self._types(each, maps)[1]} | None = ..." for each in node.field]
        opening = [f"{indent}def __init__(", f"{indent}    self,", f"{indent}    *,"]
        return opening + [f"{line}," for line in fields] + [f"{indent}) -> None: ..."]

    def _types(self, field: Field, maps: Mapping[str, Node]) -> tuple[str, str]:
        """What the attribute holds, and what the constructor accepts."""
        entry = maps.get(field.type_name.rpartition(".")[2]) if field.type == Field.TYPE_MESSAGE else None
        if entry is not None:
            key, value = (self._element(each) for each in entry.field)
            kind = "_MessageMap" if entry.field[1].type == Field.TYPE_MESSAGE else "_ScalarMap"
            return f"{kind}[{key}, {value}]", f"_Mapping[{key}, {value}]"
        element = self._element(field)
        if field.label != Field.LABEL_REPEATED:
            return element, element
        kind = "Composite" if field.type == Field.TYPE_MESSAGE else "Scalar"
        return f"_Repeated{kind}FieldContainer[{element}]", f"_Iterable[{element}]"

    def _element(self, field: Field) -> str:
        if field.type != Field.TYPE_MESSAGE:
            return SCALARS[field.type]
        full_name = field.type_name.removeprefix(".")
        package, file = self.symbols.get(full_name, ("google.protobuf", ""))
        name = full_name.removeprefix(package + ".")
        if full_name not in self.symbols:
            return self._well_known(name)
        home = self.homes[file]
        if home == self.module:
            return name
        self.imports.add(f"from moorage_api.messages import {home} as _{home}")
        return f"_{home}.{name}"

    def _well_known(self, name: str) -> str:
        module = {"FieldMask": "field_mask_pb2"}.get(name, f"{name.lower()}_pb2")
        self.imports.add(f"from google.protobuf import {module} as _{module}")
        return f"_{module}.{name}"


def _symbols(files: Iterable[File]) -> Iterator[tuple[str, tuple[str, str]]]:
    """Full name of each message -> (package, file)."""
    for file in files:
        pending = [(file.package, node) for node in file.message_type]
        while pending:
            scope, node = pending.pop()
            yield f"{scope}.{node.name}", (file.package, file.name)
            pending += [(f"{scope}.{node.name}", nested) for nested in node.nested_type]


def _enum(enum: descriptor_pb2.EnumDescriptorProto, indent: str) -> list[str]:
    return [f"{indent}{enum.name}: _EnumTypeWrapper", *(f"{indent}{value.name}: int" for value in enum.value)]
