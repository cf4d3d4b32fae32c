from moorage_metadata_lmdb import migrations
from moorage_metadata_lmdb.plugin import Config, plugin
from moorage_sdk import config


def test_what_is_adopted_is_known() -> None:
    assert set(migrations.KEYS) <= set(config.defaults(Config))
    assert plugin.uri == migrations.LMDB


def test_containerds_table_becomes_ours_in_the_newest_version_only() -> None:
    document = {
        "plugins": {migrations.BOLT: {"content_sharing_policy": "isolated"}},
        "required_plugins": [migrations.BOLT],
    }
    migrations.migrate(document, 3)
    assert migrations.BOLT in document["plugins"]
    migrations.migrate(document, 4)
    assert document == {
        "plugins": {migrations.LMDB: {"content_sharing_policy": "isolated"}},
        "required_plugins": [migrations.LMDB],
    }
