"""The older name of reflection, with the same messages."""

from moorage_api import methods
from moorage_api.messages import reflection, reflection_alpha


def test_both_versions_are_the_same_on_the_wire() -> None:
    old = reflection_alpha.ServerReflectionRequest(host="h", file_by_filename="x.proto")
    assert reflection.ServerReflectionRequest.FromString(old.SerializeToString()).file_by_filename == "x.proto"
    assert [each.name for each in reflection_alpha.ServerReflectionResponse.DESCRIPTOR.fields] == [
        each.name for each in reflection.ServerReflectionResponse.DESCRIPTOR.fields
    ]


def test_each_has_a_service_of_its_own() -> None:
    method = methods.service("grpc.reflection.v1alpha.ServerReflection").methods["ServerReflectionInfo"]
    assert method.request is reflection_alpha.ServerReflectionRequest
