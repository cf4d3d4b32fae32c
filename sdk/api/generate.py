"""Compile ``protos/`` into descriptor sets and write the stubs of the message modules.

Needs grpcio-tools and an installed moorage-api.

    python generate.py            write what differs
    python generate.py --check    write nothing; exit 1 and name what differs

Descriptor sets are compared by meaning: two versions of protoc may serialize the same file in different orders.
"""

from __future__ import annotations

import argparse
import importlib
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path

import stubs
from google.protobuf import descriptor_pb2

from moorage_api import catalog

HERE = Path(__file__).resolve().parent
SOURCE = HERE / "src" / "moorage_api"
PROTOS = HERE / "protos"


def compiled(api: str) -> descriptor_pb2.FileDescriptorSet:
    """Compile one API, comments included. Raises SystemExit when protoc finds a fault (it prints which)."""
    grpc_tools, protoc = (importlib.import_module(name) for name in ("grpc_tools", "grpc_tools.protoc"))

    root = PROTOS / api
    names = sorted(str(path.relative_to(root)) for path in root.rglob("*.proto"))
    includes = [str(PROTOS / each) for each in catalog.APIS] + [str(Path(str(grpc_tools.__file__)).parent / "_proto")]
    with tempfile.TemporaryDirectory() as folder:
        target = Path(folder, "set.binpb")
        flags = ["--include_source_info", f"--descriptor_set_out={target}"]
        if protoc.main(["protoc", *(f"-I{each}" for each in includes), *flags, *names]):
            raise SystemExit(f"{api}: protoc failed")
        return descriptor_pb2.FileDescriptorSet.FromString(target.read_bytes())


def outputs() -> dict[Path, bytes]:
    """Everything that is generated: path -> content."""
    sets = {api: compiled(api) for api in catalog.APIS}
    files = {file.name: file for each in sets.values() for file in each.file}
    written = {
        SOURCE / "messages" / f"{name}.pyi": stubs.render(name, files, catalog.MODULES).encode()
        for name in catalog.MODULES
    }
    for api, each in sets.items():
        for file in each.file:
            file.ClearField("source_code_info")
        written[SOURCE / "descriptors" / f"{api}.binpb"] = each.SerializeToString(deterministic=True)
    return written


def differences(wanted: Mapping[Path, bytes]) -> list[Path]:
    """Paths whose content on disk is not what it should be."""
    return [path for path, content in wanted.items() if not path.exists() or not _same(path, content)]


def _same(path: Path, content: bytes) -> bool:
    if path.suffix != ".binpb":
        return path.read_bytes() == content
    parse = descriptor_pb2.FileDescriptorSet.FromString
    return bool(parse(path.read_bytes()) == parse(content))


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(description="Compile protos and write stubs.")
    parser.add_argument("--check", action="store_true", help="write nothing, fail if anything differs")
    check = parser.parse_args(arguments).check
    wanted = outputs()
    for path in differences(wanted):
        sys.stdout.write(f"{path.relative_to(HERE)}: {'differs' if check else 'written'}\n")
        if not check:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(wanted[path])
    return 1 if check and differences(wanted) else 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
