"""Message classes built at run time: the right files, the right classes, nothing more than asked for."""

import json
import subprocess
import sys

import pytest
from google.protobuf import any_pb2, descriptor_pool

from moorage_api import catalog, definitions
from moorage_api.messages import events, images, task_types, types


def in_fresh_interpreter(code: str) -> object:
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_a_message_is_the_same_class_each_time() -> None:
    assert images.Image is images.Image
    assert definitions.message("containerd.services.images.v1.Image") is images.Image
    assert type(images.GetImageResponse().image) is images.Image


def test_protobufs_own_messages_keep_their_classes() -> None:
    assert definitions.message("google.protobuf.Any") is any_pb2.Any
    assert type(types.Envelope().event) is any_pb2.Any


def test_nested_messages_are_attributes_and_found_by_name() -> None:
    assert definitions.message("containerd.events.ContainerCreate.Runtime") is events.ContainerCreate.Runtime


def test_enumerations_and_their_values_are_in_the_module() -> None:
    assert task_types.RUNNING == 2
    assert task_types.Status.Name(task_types.PAUSED) == "PAUSED"


def test_an_unknown_name_is_an_attribute_error_that_names_the_module() -> None:
    with pytest.raises(AttributeError, match=r"moorage_api\.messages\.images.*'Picture'"):
        images.Picture  # type: ignore[attr-defined]  # noqa: B018


def test_an_unknown_message_is_a_key_error() -> None:
    with pytest.raises(KeyError):
        definitions.message("containerd.services.images.v1.Picture")


def test_dir_lists_what_the_module_offers() -> None:
    assert {"Image", "ImageDelete", "ListImagesRequest"} <= set(dir(images))


@pytest.mark.parametrize("module", sorted(catalog.MODULES))
def test_everything_a_module_lists_can_be_loaded(module: str) -> None:
    attribute, directory = definitions.module(f"moorage_api.messages.{module}")
    assert directory()
    assert all(attribute(name) is not None for name in directory())


def test_every_file_belongs_to_one_module() -> None:
    members = [file for files in catalog.MODULES.values() for file in files]
    assert sorted(members) == sorted(definitions.files())


def test_only_the_files_needed_are_registered_and_grpc_stays_out() -> None:
    found = in_fresh_interpreter(
        "import json, sys\n"
        "from moorage_api.messages import ttrpc_events, shim_v2, tasks\n"
        "from google.protobuf import descriptor_pool\n"
        "ttrpc_events.ForwardRequest()\n"
        "def known(name):\n"
        "    try:\n"
        "        return bool(descriptor_pool.Default().FindFileByName(name))\n"
        "    except KeyError:\n"
        "        return False\n"
        "files = ['types/event.proto', 'runtime/task/v2/shim.proto', 'services/tasks/v1/tasks.proto']\n"
        "print(json.dumps([[known(f) for f in files], sorted({'grpc', 're2', 'asyncio'} & set(sys.modules))]))\n"
    )
    assert found == [[True, False, False], []]


FOREIGN_STATUS = """
import json, sys, types
from google.protobuf import any_pb2, descriptor_pb2, descriptor_pool
file = descriptor_pb2.FileDescriptorProto(name='google/rpc/status.proto', package='google.rpc', syntax='proto3')
file.options.java_package = 'com.google.rpc'
field = file.message_type.add(name='Status').field
field.add(name='code', number=1, type=5, label=1, json_name='code')
field.add(name='message', number=2, type=9, label=1, json_name='message')
descriptor_pool.Default().AddSerializedFile(file.SerializeToString())
module = types.ModuleType('google.rpc.status_pb2')
module.DESCRIPTOR = descriptor_pool.Default().FindFileByName('google/rpc/status.proto')
sys.modules['google.rpc'] = types.ModuleType('google.rpc')
sys.modules['google.rpc.status_pb2'] = module
"""


def test_the_definition_of_another_distribution_is_used_where_there_is_one() -> None:
    found = in_fresh_interpreter(
        FOREIGN_STATUS + "from moorage_api.messages import introspection, rpc_status\n"
        "plugin = introspection.Plugin(init_err=rpc_status.Status(code=5, message='m'))\n"
        "options = plugin.init_err.DESCRIPTOR.file.GetOptions()\n"
        "print(json.dumps([options.java_package, plugin.SerializeToString().hex()]))\n"
    )
    assert found == ["com.google.rpc", "3a05080512016d"]


def test_a_broken_distribution_does_not_matter() -> None:
    found = in_fresh_interpreter(
        "import json, sys\n"
        "class Broken:\n"
        "    def find_spec(self, name, path=None, target=None):\n"
        "        if name in ('google.rpc', 'grpc_health'):\n"
        "            raise RuntimeError('generated for another protobuf')\n"
        "sys.meta_path.insert(0, Broken())\n"
        "from moorage_api.messages import health, introspection, rpc_status\n"
        "introspection.ServerResponse, health.HealthCheckRequest\n"
        "print(json.dumps(rpc_status.Status().DESCRIPTOR.file.name))\n"
    )
    assert found == "google/rpc/status.proto"


def test_files_are_registered_in_the_default_pool() -> None:
    assert images.Image.DESCRIPTOR.file is descriptor_pool.Default().FindFileByName("services/images/v1/images.proto")


def test_a_missing_descriptor_set_is_an_error_that_names_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(catalog, "APIS", ("nonesuch",))
    definitions.files.cache_clear()
    try:
        with pytest.raises(OSError, match=r"nonesuch\.binpb"):
            definitions.files()
    finally:
        definitions.files.cache_clear()


def test_a_small_process_does_not_pay_for_resources() -> None:
    found = in_fresh_interpreter(
        "import json, sys\n"
        "before = set(sys.modules)\n"
        "from moorage_api.messages import events, shim_v3\n"
        "shim_v3.StateRequest, events.TaskExit\n"
        "costly = {'importlib.resources', 'zipfile', 'tempfile', 'ssl'}\n"
        "print(json.dumps(sorted(costly & (set(sys.modules) - before))))\n"
    )
    assert found == []
