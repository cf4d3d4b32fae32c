"""State of processes on the wire."""

from moorage_api.messages import task_types


def test_a_process_on_the_wire() -> None:
    process = task_types.Process(container_id="c", pid=5, status=task_types.STOPPED, exit_status=1)
    assert process.SerializeToString() == b"\x0a\x01c\x18\x05\x20\x03\x48\x01"


def test_states_have_containerds_numbers() -> None:
    assert task_types.Status.items() == [
        ("UNKNOWN", 0),
        ("CREATED", 1),
        ("RUNNING", 2),
        ("STOPPED", 3),
        ("PAUSED", 4),
        ("PAUSING", 5),
    ]
