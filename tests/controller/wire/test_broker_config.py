"""What mosquitto is told. That it obeys is shown in test_two_ends.py."""

from pathlib import Path

from controller.wire.broker_config import Listener, access_rules, configuration
from edge_agent.protocol.topics import NODE_WRITES, Word


def test_the_access_rules_are_never_empty() -> None:
    """An empty file allows everything to everybody."""
    assert "user centre\ntopic readwrite loa/v1/#\n" in access_rules()


def test_what_nodes_may_write_stands_under_their_own_name() -> None:
    patterns = [line for line in access_rules().splitlines() if line.startswith("pattern ")]
    writing = {line.split()[2] for line in patterns if line.split()[1] in {"write", "readwrite"}}
    assert writing == {f"loa/v1/nodes/%u/{word}" for word in NODE_WRITES}
    reading = {line.split()[2] for line in patterns if line.split()[1] == "read"}
    assert reading == {f"loa/v1/nodes/%u/{word}" for word in set(Word) - NODE_WRITES} | {"loa/v1/areas/#"}


def test_there_is_one_listener_and_it_asks_for_certificates() -> None:
    lines = configuration(Listener("127.0.0.1", 8883, Path("/run/x"))).splitlines()
    assert [line for line in lines if line.startswith(("listener", "port"))] == ["listener 8883 127.0.0.1"]
    for wanted in (
        "require_certificate true",
        "use_identity_as_username true",
        "use_username_as_clientid true",
        "allow_anonymous false",
        "acl_file /run/x/acl",
        "persistence false",
        "set_tcp_nodelay true",
    ):
        assert wanted in lines
