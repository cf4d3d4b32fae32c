from moorage_sdk import digests
from moorage_testkit.fakes.content import MemoryStore
from moorage_testkit.suites.blobs import put, read


def test_damage_shows() -> None:
    store = MemoryStore()
    digest = put(store, b"whole")
    store.blobs[digest] = b"holes"
    assert digests.of(read(store, digest)) != digest
