"""The house all tests share: starting Home Assistant takes long."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.broker import Mosquitto, start_broker
from tests.clients import install
from tests.clients.home_assistant import HomeAssistant
from tests.clients.house import House
from tests.clients.packages import packages


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
        try:
            home.start()
            yield House(folder, broker, home)
        except AssertionError:
            print(home.log_path.read_text()[-4000:])  # pytest shows it with the failure
            raise
        finally:
            home.stop()
