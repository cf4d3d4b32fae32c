import pytest

from moorage_differ_walking import jobs
from moorage_differ_walking.jobs import Apply, Compare, Outcome
from moorage_differ_walking.limits import Limits
from moorage_differ_walking.targets import Target
from moorage_sdk import errors
from moorage_sdk.mounts import Mount

MOUNT = Mount("bind", "/ü\udcff", ("rbind",), "t")


@pytest.mark.parametrize(
    "job",
    [
        Apply("/w", Target(upper="/u", lower=("/a", "/b")), "gzip", True, Limits(entries=5)),
        Apply("/w", Target(mounts=(MOUNT,))),
        Compare("/w", (MOUNT,), (), "zstd", 7),
    ],
)
def test_jobs_arrive_as_they_were_sent(job: Apply | Compare) -> None:
    assert jobs.load_job(jobs.dump_job(job)) == job


def test_outcomes_arrive_and_errors_keep_their_class() -> None:
    outcome = Outcome("sha256:x", 5)
    assert jobs.load_outcome(jobs.dump_outcome(outcome)) == outcome
    with pytest.raises(errors.ResourceExhausted, match=r"^full \(buy a disk\)$"):
        jobs.load_outcome(jobs.dump_outcome(errors.ResourceExhausted("full", hint="buy a disk")))
    with pytest.raises(errors.Internal):
        jobs.load_outcome(b"Traceback")
