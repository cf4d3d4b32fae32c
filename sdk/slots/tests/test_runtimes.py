from moorage_sdk.runtimes import RUNTIME, Endpoint, Runtime


def test_an_endpoint_is_of_the_newest_task_api_and_not_shared() -> None:
    assert Endpoint("/run/x.sock") == Endpoint("/run/x.sock", 3, False)


def test_the_slot() -> None:
    assert (RUNTIME.name, RUNTIME.type) == ("runtime", "io.containerd.runtime.v1")
    assert {"names", "start", "find", "cleanup"} <= Runtime.__abstractmethods__
