from moorage_sdk import config
from moorage_tasks_shim import migrations
from moorage_tasks_shim.plugin import Config, plugin


def test_what_is_adopted_is_known() -> None:
    assert set(migrations.KEYS) <= set(config.defaults(Config))
    assert plugin.uri == migrations.TASKS


def test_containerds_table_becomes_ours_in_the_newest_version_only() -> None:
    document = {"plugins": {migrations.MANAGER: {"env": ["A=b"]}}, "required_plugins": [migrations.MANAGER]}
    migrations.migrate(document, 3)
    assert migrations.MANAGER in document["plugins"]
    migrations.migrate(document, 4)
    assert document == {
        "plugins": {migrations.TASKS: {"env": ["A=b"]}},
        "required_plugins": [migrations.TASKS],
    }
