import re
from pathlib import Path

from device.settings.reader import load_settings
from device.settings.tree import Settings
from tests.settings_file import example

SHIPPED = Path("systemd/mien.toml")


def test_shipped_file_is_what_the_tree_says():
    remedy = "run: python -m tests.settings_file > systemd/mien.toml"
    assert SHIPPED.read_text(encoding="utf-8") == example(), remedy


def test_shipped_file_reads_as_the_defaults():
    assert load_settings(SHIPPED) == Settings()


def test_every_key_can_be_uncommented_as_it_stands(tmp_path):
    uncommented = re.sub(r"^#(\w+ = )", r"\1", SHIPPED.read_text(encoding="utf-8"), flags=re.M)
    assert uncommented.count("\n#") < SHIPPED.read_text(encoding="utf-8").count("\n#")
    path = tmp_path / "mien.toml"
    path.write_text(uncommented, encoding="utf-8")
    assert load_settings(path) == Settings()


def test_limits_and_choices_stand_beside_the_key():
    assert "(1 to 60)\n#frame_rate_hz" in example()
    assert "(debug, info, warning, error)\n#level" in example()
