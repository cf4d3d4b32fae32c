"""That the suite notices a store that is wrong."""

import pytest

from moorage_testkit.fakes.content import MemoryStore
from moorage_testkit.suites.ingests import IngestSuite


class Forgetful(MemoryStore):
    def abort(self, ref: str) -> None:
        self.status(ref)


def test_suite_notices_an_ingest_that_stays() -> None:
    with pytest.raises(pytest.fail.Exception, match="DID NOT RAISE"):
        IngestSuite().test_abort_forgets_the_ingest(Forgetful())
