"""The house all tests share: starting Home Assistant takes long."""

from __future__ import annotations

import shutil
from collections.abc import Iterator

import pytest

from tests.broker import Mosquitto, start_broker
from tests.clients import install
from tests.clients.home_assistant import HomeAssistant
from tests.clients.house import House
from tests.clients.packages import EXAMPLES, packages


@pytest.fixture(scope="session")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    """A Home Assistant that is connected to a mosquitto; devices come with the tests."""
    try:
        python = install.home_assistant()
    except install.NotInstalledError as error:
        pytest.skip(str(error))
    folder = tmp_path_factory.mktemp("house")
    with start_broker(folder) as broker:
        if not isinstance(broker, Mosquitto):
            pytest.skip("mosquitto is not installed; see tests/install-mosquitto.sh")
        home = HomeAssistant(python, folder / "home", packages(folder), broker.port)
        blueprints = folder / "home" / "blueprints" / "automation" / "mien"
        shutil.copytree(EXAMPLES / "blueprints", blueprints)
        try:
            home.start()
            yield House(folder, broker, home)
        except AssertionError:
            print(home.log_path.read_text()[-4000:])  # pytest shows it with the failure
            raise
        finally:
            home.stop()


# What Home Assistant says of every broker that is away, and of how it is started here.
USUAL = (
    "Skipping pip",
    "zlib_ng",
    "No device components to cleanup",  # a removal comes back to it as an empty message
    "Failed to connect to MQTT server",
    "Error returned from MQTT server: The connection was lost",
)


@pytest.fixture(autouse=True)
def quiet_log(request: pytest.FixtureRequest) -> Iterator[None]:
    """Home Assistant's log complains of nothing, whatever a test does."""
    yield
    if "house" in request.fixturenames:
        home: HomeAssistant = request.getfixturevalue("house").home
        assert [c for c in home.complaints() if not any(usual in c for usual in USUAL)] == []
