"""gateway/ingest/server_config.py: who may listen, connect, publish."""

import json
from pathlib import Path

import pytest

from gateway.ingest.server_config import DeviceLogin, Listener, ListenRefused, ServerConfig, render

LOGIN = DeviceLogin("freezer-1", "secret", "freezer-1")


def config(*logins: DeviceLogin) -> ServerConfig:
    return ServerConfig(Listener("127.0.0.1", 1883), Path("/data/store"), Path("/data/pid"), "own", logins)


def permissions(login: DeviceLogin) -> dict[str, dict[str, list[str]]]:
    users = json.loads(render(config(login)))["accounts"]["GATEWAY"]["users"]
    found: dict[str, dict[str, list[str]]] = next(u["permissions"] for u in users if u["user"] == login.username)
    return found


@pytest.mark.parametrize("listen", ["127.0.0.1:1883", "127.9.9.9:0", "[::1]:1883", "localhost:1883"])
def test_a_loopback_address_needs_neither_tls_nor_logins(listen: str) -> None:
    Listener.parse(listen).check(())


@pytest.mark.parametrize("listen", ["0.0.0.0:1883", "192.168.1.5:1883", "[::]:1883", "broker.example.com:1883"])
def test_any_other_address_is_refused_and_the_message_says_what_is_missing(listen: str, tmp_path: Path) -> None:
    certificate = tmp_path / "cert.pem"
    certificate.touch()
    with pytest.raises(ListenRefused, match=r"it has no certificate \(broker.tls_cert.*and no logins"):
        Listener.parse(listen).check(())
    with pytest.raises(ListenRefused, match=r"it has no certificate [^[]*; set what is missing"):
        Listener.parse(listen).check([LOGIN])
    with pytest.raises(ListenRefused, match=r"it has no logins for the devices \(\[\[broker.logins\]\]\); set"):
        Listener.parse(listen, certificate, certificate).check(())
    Listener.parse(listen, certificate, certificate).check([LOGIN])


@pytest.mark.parametrize("listen", ["1883", ":1883", "127.0.0.1", "127.0.0.1:mqtt", "127.0.0.1:70000"])
def test_an_address_that_is_none_is_refused(listen: str) -> None:
    with pytest.raises(ListenRefused, match="not of the form"):
        Listener.parse(listen)


def test_a_certificate_without_its_key_or_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ListenRefused, match="belong together"):
        Listener.parse("127.0.0.1:1883", tmp_path / "cert.pem").check(())
    with pytest.raises(ListenRefused, match=r"tls_cert: there is no file .*cert\.pem"):
        Listener.parse("127.0.0.1:1883", tmp_path / "cert.pem", tmp_path / "key.pem").check(())


def test_a_device_may_publish_below_its_own_id_alone() -> None:
    assert permissions(LOGIN)["publish"]["allow"] == ["devices.freezer-1", "devices.freezer-1.>"]


def test_further_topics_of_a_login_are_allowed_beside_its_own() -> None:
    hub = DeviceLogin("hub", "secret", "hub-1", ("zigbee2mqtt/#",))
    assert permissions(hub)["publish"]["allow"][2:] == ["zigbee2mqtt", "zigbee2mqtt.>"]
    assert "allow" not in permissions(DeviceLogin("any", "secret"))["publish"]


@pytest.mark.parametrize("login", [LOGIN, DeviceLogin("any", "secret")])
def test_no_login_reaches_the_log_or_jetstreams_api(login: DeviceLogin) -> None:
    assert {"$JS.>", "$MQTT.>", "$GW.>", "$SYS.>"} <= set(permissions(login)["publish"]["deny"])
    assert {"$JS.>", "$GW.>", "$SYS.>"} <= set(permissions(login)["subscribe"]["deny"])


@pytest.mark.parametrize("device_id", ["*", ">", "#", "+", "a/b", "", "white space"])
def test_a_device_id_that_would_speak_for_others_is_refused(device_id: str) -> None:
    with pytest.raises(ValueError, match=r"topic|wildcard"):
        render(config(DeviceLogin("name", "secret", device_id)))


def test_the_gateways_own_username_cannot_be_taken() -> None:
    with pytest.raises(ValueError, match="the gateway's own"):
        render(config(DeviceLogin("gateway", "secret")))


def test_with_logins_nobody_connects_without_one() -> None:
    assert "no_auth_user" in json.loads(render(config()))["mqtt"]
    assert "no_auth_user" not in json.loads(render(config(LOGIN)))["mqtt"]


def test_a_password_shows_in_no_repr() -> None:
    assert "secret" not in repr(config(LOGIN))
    assert "own" not in repr(config()).replace("own=", "")
