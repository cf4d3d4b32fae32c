from moorage_sdk.leases import Lease, Leases, Resource


def test_resources_are_told_apart_by_id_and_type() -> None:
    held = {Resource("sha256:0", "content"), Resource("sha256:0", "ingests"), Resource("sha256:0", "content")}
    assert len(held) == 2


def test_leases_do_not_share_labels() -> None:
    assert Lease("a").labels is not Lease("b").labels


def test_a_store_must_do_everything() -> None:
    names = {"create", "delete", "list", "add_resource", "delete_resource", "resources"}
    assert Leases.__abstractmethods__ == names
