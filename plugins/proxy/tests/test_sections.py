from moorage_proxy import sections
from moorage_proxy.entries import PROXIES


def test_the_table_is_ours() -> None:
    assert (PROXIES.name,) == sections.TABLES
