"""Tables of services, without grpc."""

import json
import subprocess
import sys

import pytest
from google.protobuf import any_pb2, empty_pb2

from moorage_api import methods
from moorage_api.messages import content, images


def test_a_unary_method() -> None:
    method = methods.service("containerd.services.images.v1.Images").methods["Get"]
    assert method.path == "/containerd.services.images.v1.Images/Get"
    assert (method.request, method.response) == (images.GetImageRequest, images.GetImageResponse)
    assert (method.client_streaming, method.server_streaming) == (False, False)


def test_streams_know_their_direction() -> None:
    table = methods.service("containerd.services.content.v1.Content").methods
    assert (table["Read"].client_streaming, table["Read"].server_streaming) == (False, True)
    assert (table["Write"].client_streaming, table["Write"].server_streaming) == (True, True)
    assert table["Write"].request is content.WriteContentRequest


def test_methods_keep_the_order_of_the_proto_file() -> None:
    names = list(methods.service("containerd.services.namespaces.v1.Namespaces").methods)
    assert names == ["Get", "List", "Create", "Update", "Delete"]


def test_protobufs_own_messages_are_found() -> None:
    assert methods.service("containerd.services.streaming.v1.Streaming").methods["Stream"].request is any_pb2.Any
    assert methods.service("containerd.services.version.v1.Version").methods["Version"].request is empty_pb2.Empty


@pytest.mark.parametrize("name", ["containerd.services.images.v1.Pictures", "containerd.services.images.v1.Image", ""])
def test_what_is_no_service_is_a_key_error(name: str) -> None:
    with pytest.raises(KeyError):
        methods.service(name)


@pytest.mark.parametrize("name", methods.names())
def test_every_service_has_a_table(name: str) -> None:
    service = methods.service(name)
    assert service.methods
    assert all(method.path == f"/{name}/{key}" for key, method in service.methods.items())


@pytest.mark.parametrize(
    "name",
    ["containerd.services.version.v1.Version", "containerd.services.streaming.v1.Streaming", "containerd.task.v3.Task"],
)
def test_a_table_is_the_first_thing_a_process_may_ask_for(name: str) -> None:
    code = (
        "import json, sys\n"
        "from moorage_api import methods\n"
        f"table = methods.service({name!r}).methods\n"
        "print(json.dumps([len(table), 'grpc' in sys.modules]))\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    count, grpc_loaded = json.loads(done.stdout)
    assert count == len(methods.service(name).methods)
    assert not grpc_loaded
