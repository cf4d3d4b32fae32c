from moorage_proxy.scopes import NOBODY, Scope


def test_what_is_done_on_nobodys_behalf_goes_by_the_key() -> None:
    assert NOBODY.headers == (("containerd-namespace", "default"),)
    assert NOBODY.of("web/1/k").headers == (("containerd-namespace", "web"),)
    assert NOBODY.of("web/1/k/with/slashes").namespace == "web"
    assert NOBODY.of("a/b").namespace == ""


def test_a_client_counts_more_than_the_key_and_the_configuration_most() -> None:
    assert Scope().within("web").namespace == "web"
    assert Scope("here").of("web/1/k").namespace == "here"
    pinned = Scope("kept", "held", pinned=True)
    assert pinned.within("web").headers == (("containerd-namespace", "kept"), ("containerd-lease", "held"))
