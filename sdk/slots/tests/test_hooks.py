from collections.abc import Mapping
from typing import Any

import pluggy
import pytest

from moorage_sdk import hooks


def manager() -> pluggy.PluginManager:
    made = pluggy.PluginManager(hooks.PROJECT)
    made.add_hookspecs(hooks)
    return made


def test_an_implementation_may_leave_arguments_out() -> None:
    class Tighten:
        @hooks.impl
        def adjust_container(self, spec: Mapping[str, Any]) -> Mapping[str, Any]:
            return {**spec, "hostname": "x"}

    made = manager()
    made.register(Tighten())
    made.check_pending()
    assert made.hook.adjust_container(namespace="default", id="a", spec={}) == [{"hostname": "x"}]


def test_an_argument_that_no_hook_has_is_refused() -> None:
    class Wrong:
        @hooks.impl
        def daemon_stopping(self, why: str) -> None: ...

    with pytest.raises(pluggy.PluginValidationError, match="why"):
        manager().register(Wrong())


def test_the_moments_are_these() -> None:
    found = {name for name in vars(hooks) if hasattr(vars(hooks)[name], "moorage_spec")}
    assert found == {"plugins_ready", "daemon_ready", "daemon_stopping", "adjust_container"}


def test_a_context_that_can_chain_is_found_by_asking() -> None:
    class Can:
        def chain(self, hook: str, carried: str, /, **arguments: Any) -> Any:
            return arguments[carried]

    assert isinstance(Can(), hooks.Chains)
    assert not isinstance(object(), hooks.Chains)
