from moorage_sdk import config
from moorage_services import migrations
from moorage_services.plugin import DiffConfig, diff


def test_what_is_adopted_is_known() -> None:
    assert set(migrations.KEYS) <= set(config.defaults(DiffConfig))
    assert diff.uri == migrations.OUTER


def test_containerds_table_becomes_ours_in_the_newest_version_only() -> None:
    document = {
        "plugins": {migrations.INNER: {"default": ["erofs", "walking"]}},
        "required_plugins": [migrations.INNER],
    }
    migrations.migrate(document, 3)
    assert migrations.INNER in document["plugins"]
    migrations.migrate(document, 4)
    assert document == {
        "plugins": {migrations.OUTER: {"default": ["erofs", "walking"]}},
        "required_plugins": [migrations.OUTER],
    }
