"""Events on behalf of a dead shim."""

from moorage_api.messages import events
from moorage_sdk.tasks import Exit
from moorage_tasks_shim import deaths
from moorage_testkit.fakes.events import MemoryExchange


def test_exit_comes_before_delete_and_names_the_task() -> None:
    exchange = MemoryExchange()
    deaths.announce(exchange, "ns", "web", Exit(137, 5_000_000_001, 42, "web"))
    assert [(each.namespace, each.topic) for each in exchange.log] == [("ns", "/tasks/exit"), ("ns", "/tasks/delete")]
    assert [each.event.type_url for each in exchange.log] == [
        "containerd.events.TaskExit",
        "containerd.events.TaskDelete",
    ]
    exited = events.TaskExit.FromString(exchange.log[0].event.value)
    assert (exited.container_id, exited.id, exited.pid, exited.exit_status) == ("web", "web", 42, 137)
    assert (exited.exited_at.seconds, exited.exited_at.nanos) == (5, 1)
    assert events.TaskDelete.FromString(exchange.log[1].event.value).exit_status == 137
