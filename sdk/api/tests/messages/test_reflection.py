"""Questions and answers of server reflection."""

from moorage_api import methods
from moorage_api.messages import reflection


def test_a_question_on_the_wire() -> None:
    request = reflection.ServerReflectionRequest(file_containing_symbol="x")
    assert request.SerializeToString() == b"\x22\x01x"
    assert request.WhichOneof("message_request") == "file_containing_symbol"


def test_an_answer_on_the_wire() -> None:
    answer = reflection.ServerReflectionResponse()
    answer.list_services_response.service.add(name="x")
    assert answer.SerializeToString() == b"\x32\x05\x0a\x03\x0a\x01x"


def test_questions_and_answers_are_streamed() -> None:
    method = methods.service("grpc.reflection.v1.ServerReflection").methods["ServerReflectionInfo"]
    assert method.client_streaming and method.server_streaming
