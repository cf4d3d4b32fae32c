"""The health protocol of gRPC."""

from moorage_api.messages import health


def test_the_answer_on_the_wire() -> None:
    answer = health.HealthCheckResponse(status=health.HealthCheckResponse.SERVING)
    assert answer.SerializeToString() == b"\x08\x01"


def test_states_have_names() -> None:
    assert health.HealthCheckResponse.ServingStatus.Name(3) == "SERVICE_UNKNOWN"
