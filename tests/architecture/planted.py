"""A small clean tree, and for each rule the files that break it with what is then told."""

from __future__ import annotations

CLEAN = {
    "CONTRIBUTING.md": "# C\n\n## An event's way\n\n`device/camera/*.py` `device/pipeline.py`\n\n## N\n",
    "device/__init__.py": '"""Mien."""\n',
    "device/__main__.py": '"""Says no TensorFlow."""\nimport os, sys\n\nprint(sys.argv, os.environ)\n',
    "device/errors.py": '"""Errors."""\n',
    "device/vocabulary.py": (
        "from dataclasses import dataclass\n\n@dataclass(frozen=True)\nclass Face:\n    score: float\n"
    ),
    "device/pipeline.py": (
        "from typing import Protocol\n\nfrom device.vocabulary import Face\n\n"
        "class FaceDetector(Protocol):\n    def detect(self, image): ...\n\n"
        "class Display(Protocol):\n    def show(self, scene): ...\n"
    ),
    "device/settings/__init__.py": "import tomllib\n",
    "device/camera/__init__.py": '"""Cameras."""\n',
    "device/camera/source.py": (
        "from typing import Protocol\n\nclass Source(Protocol):\n    def read(self): ...\n"
    ),
    "device/camera/demo.py": "class Demo:\n    def read(self):\n        pass\n",
    "device/camera/csi.py": (
        "class Csi:\n    def read(self):\n        from picamera2 import Picamera2\n"
    ),
    "device/display/__init__.py": '"""Displays."""\n',
    "device/display/console.py": "class Console:\n    def show(self, scene):\n        pass\n",
    "device/display/terminal.py": "class Terminal:\n    def show(self, scene):\n        pass\n",
    "device/mqtt/__init__.py": '"""MQTT."""\n',
    "device/mqtt/publisher.py": (
        "import json\nfrom datetime import datetime\n\nclass Publisher:\n    def publish(self, event):\n"
        "        return json.dumps([event, str(datetime.now())])\n"
    ),
    "device/vision/__init__.py": '"""Vision."""\n',
    "device/vision/preprocess.py": "CROP_PX = 48\n",
    "device/vision/model_card.py": "LABELS = ()\n",
    "device/vision/haar.py": "class Haar:\n    def detect(self, image):\n        return []\n",
    "device/vision/hog.py": "class Hog:\n    def detect(self, image):\n        return []\n",
    "device/daemon/__init__.py": '"""Daemon."""\n',
    "device/daemon/build.py": (
        "from device.camera.csi import Csi\nfrom device.camera.demo import Demo\n"
        "from device.display.console import Console\nfrom device.display.terminal import Terminal\n"
        "from device.mqtt.publisher import Publisher\nfrom device.pipeline import FaceDetector\n"
        "from device.vision.haar import Haar\nfrom device.vision.hog import Hog\n"
        "import device.camera.source, device.settings, device.vision.model_card\n"
    ),
    "device/cli/__init__.py": '"""Commands."""\n',
    "device/cli/run.py": (
        "from device.daemon.build import Csi\n\ntry:\n    Csi()\n"
        "except Exception:  # the report comes to its end\n    pass\n"
    ),
    "training/__init__.py": '"""Training."""\n',
    "training/fit.py": (
        "import keras\nfrom device.settings import Settings\nfrom device.vision import model_card\n"
        "from device.vocabulary import Face\n"
    ),
    "export/__init__.py": '"""Export."""\n',
    "export/card.py": (
        "from device.vision.preprocess import CROP_PX\nfrom training.fit import Face\n"
    ),
    "tests/__init__.py": '"""Tests."""\n',
    "tests/device/camera/test_demo.py": "assert True\n" * 120,
    "tests/export/test_card.py": "assert True\n" * 20,
    "tests/fleet/test_fleet.py": "assert True\n",
}

Plants = list[tuple[dict[str, str], str]]
PLANTED: dict[str, Plants] = {
    "training_takes_only_the_contract": [
        (
            {"training/fit.py": "from device.vision import haar\n"},
            "training.fit imports device.vision.haar",
        ),
        ({"training/fit.py": "import device.pipeline as loop\n"}, "imports device.pipeline"),
        (
            {"training/a.py": "def f():\n    from device import __version__\n"},
            "training.a imports device",
        ),
    ],
    "export_takes_only_the_contract": [
        ({"export/card.py": "from device.vision.haar import Haar\n"}, "imports device.vision.haar"),
        (
            {"export/card.py": "from device.settings.tree import Mqtt\n"},
            "imports device.settings.tree",
        ),
    ],
    "training_does_not_know_export": [
        ({"training/fit.py": "from export import card\n"}, "training.fit imports export.card"),
        (
            {"training/fit.py": "import importlib\nimportlib.import_module('export.card')\n"},
            "export.card",
        ),
    ],
    "device_stands_alone": [
        ({"device/vision/haar.py": "import keras.ops\n"}, "device.vision.haar imports keras.ops"),
        ({"device/cli/run.py": "def f():\n    import training.fit\n"}, "imports training.fit"),
        ({"device/cli/run.py": "from tests import fakes\n"}, "device.cli.run imports tests"),
        ({"device/cli/run.py": "import export\n"}, "device.cli.run imports export"),
        ({"device/cli/run.py": "import matplotlib.pyplot\n"}, "imports matplotlib.pyplot"),
        ({"device/cli/run.py": "from sklearn import svm\n"}, "imports sklearn"),
    ],
    "edges_do_not_know_each_other": [
        (
            {"device/mqtt/publisher.py": "from device.camera import demo\n"},
            "imports device.camera.demo",
        ),
        (
            {"device/display/console.py": "from ..vision.haar import Haar\n"},
            "imports device.vision.haar",
        ),
    ],
    "adapters_do_not_know_each_other": [
        (
            {
                "device/camera/csi.py": CLEAN["device/camera/csi.py"]
                + "\nimport device.camera.demo\n"
            },
            "device.camera.csi imports device.camera.demo",
        ),
        (
            {"device/vision/hog.py": CLEAN["device/vision/hog.py"] + "\nfrom .haar import Haar\n"},
            "device.vision.hog imports device.vision.haar",
        ),
        (
            {
                "device/display/console.py": "from device.display.terminal import Terminal\n\n"
                + CLEAN["device/display/console.py"]
            },
            "device.display.console imports device.display.terminal",
        ),
        (
            {"device/camera/source.py": "class Source: ...\n"},
            "device.camera: no class has all members",
        ),
    ],
    "loop_knows_protocols_and_vocabulary": [
        (
            {"device/pipeline.py": "from device.vision.haar import Haar\n"},
            "imports device.vision.haar",
        ),
        (
            {"device/pipeline.py": "from device.vision.preprocess import CROP_PX\n"},
            "vision.preprocess",
        ),
        ({"device/pipeline.py": ""}, "there is no device/pipeline.py"),
    ],
    "one_module_makes_the_parts": [
        (
            {
                "device/cli/run.py": "from device.camera.demo import Demo\nfrom device.mqtt import publisher\n"
            },
            "device.cli.run knows device.camera.demo.Demo, device.mqtt.publisher",
        ),
        ({"device/daemon/build.py": ""}, "there is no device.daemon.build"),
    ],
    "no_circle_of_folders": [
        (
            {"device/vision/haar.py": "from device.daemon import build\n"},
            "device.daemon -> device.vision, device.vision -> device.daemon",
        ),
        (
            {
                "device/errors.py": "import device.settings\n",
                "device/settings/__init__.py": "import device.errors\n",
            },
            "device.errors -> device.settings",
        ),
    ],
    "every_module_is_reached": [
        (
            {"device/vision/left_over.py": "import math\n"},
            "no command reaches device.vision.left_over",
        ),
    ],
    "only_main_reads_argv_and_environment": [
        (
            {"device/cli/run.py": "import sys as s\nprint(s.argv)\n"},
            "device.cli.run:2 reads sys.argv",
        ),
        ({"device/cli/run.py": "from os import environ\n"}, "device.cli.run:1 reads os.environ"),
        ({"device/cli/run.py": "import os\nos.getenv('A')\n"}, "device.cli.run:2 reads os.getenv"),
    ],
    "only_settings_knows_toml": [
        ({"device/cli/run.py": "def f():\n    import tomllib\n"}, "device.cli.run imports tomllib"),
    ],
    "only_mqtt_makes_json": [
        (
            {"device/cli/run.py": "import json\njson.dumps(1)\n"},
            "device.cli.run:2 calls json.dumps",
        ),
        ({"device/cli/run.py": "from json import dump as d\n"}, "device.cli.run:1 calls json.dump"),
    ],
    "only_mqtt_knows_the_wall_clock": [
        ({"device/cli/run.py": "import time\ntime.time()\n"}, "device.cli.run:2 uses time.time"),
        (
            {"device/cli/run.py": "from datetime import datetime\n"},
            "device.cli.run:1 uses datetime.datetime",
        ),
    ],
    "no_asyncio": [
        ({"device/cli/run.py": "import asyncio\n"}, "device.cli.run imports asyncio"),
        (
            {"device/mqtt/publisher.py": "from asyncio import run\n"},
            "device.mqtt.publisher imports asyncio",
        ),
    ],
    "hardware_is_imported_by_its_adapter": [
        ({"device/camera/csi.py": "import picamera2\n"}, "imports picamera2 outside a function"),
        ({"device/camera/csi.py": "try:\n    import libcamera\nfinally:\n    pass\n"}, "libcamera"),
        (
            {"device/cli/run.py": "def f():\n    import picamera2\n"},
            "device.cli.run imports picamera2",
        ),
    ],
    "device_does_not_name_tensorflow": [
        (
            {"device/cli/run.py": "import tensorflow.lite\n"},
            "device.cli.run imports tensorflow.lite",
        ),
        ({"device/cli/run.py": 'x = "no TensorFlow"\n'}, "device.cli.run:1 names TensorFlow"),
        (
            {"device/cli/run.py": 'P = ("a", "tensorflow.lite")\n'},
            "device.cli.run:1 names TensorFlow",
        ),
        ({"device/cli/run.py": "x = 1  # else tensorflow\n"}, "device.cli.run:1 names TensorFlow"),
        ({"device/cli/run.py": '"""Uses TensorFlow."""\n'}, "device.cli.run:1 names TensorFlow"),
    ],
    "few_broad_excepts": [
        (
            {"device/cli/run.py": "try:\n    f()\nexcept Exception:\n    pass\n"},
            "run:3: a broad except without",
        ),
        (
            {"device/cli/run.py": "try:\n    f()\nexcept (OSError, BaseException):\n    pass\n"},
            "run:3",
        ),
        (
            {"device/cli/run.py": "try:\n    f()\nexcept:\n    pass\n"},
            "run:3: a broad except without",
        ),
        (
            {
                "device/cli/run.py": "try:\n    f()\nexcept Exception:  # for a reason\n    pass\n"
                * 6
            },
            "6 broad excepts: device.cli.run:3",
        ),
    ],
    "no_catch_all_names": [
        ({"device/vision/utils.py": "A = 1\n"}, "device.vision.utils"),
        ({"training/common/__init__.py": "A = 1\n"}, "training.common"),
    ],
    "modules_stay_readable": [
        ({"device/vision/haar.py": "A = 1\n" * 301}, "device.vision.haar: 301 lines"),
        (
            {"tests/fakes.py": '"""Longer than 300 lines:"""\n' + "A = 1\n" * 300},
            "tests.fakes: 301 lines",
        ),
    ],
    "functions_stay_short": [
        ({"export/card.py": "def make():\n" + "    a = 1\n" * 40}, "export.card.make: 41 lines"),
    ],
    "tests_mirror_the_source": [
        ({"tests/device/service/test_x.py": "A = 1\n"}, "tests/device/service mirrors no folder"),
        ({"tests/other/test_x.py": "A = 1\n"}, "tests/other mirrors no folder"),
    ],
    "there_are_enough_tests": [
        ({"tests/device/camera/test_demo.py": "A = 1\n"}, "tests/device: 1 lines for"),
        (
            {"tests/export/test_card.py": "A = 1\n"},
            "tests/export: 1 lines for",
        ),
    ],
    "vocabulary_is_frozen": [
        (
            {
                "device/vocabulary.py": "from dataclasses import dataclass\n\n@dataclass\nclass Face:\n    a: int\n"
            },
            "device.vocabulary.Face is not frozen",
        ),
    ],
    "event_goes_a_short_way": [
        ({"CONTRIBUTING.md": "# C\n"}, 'has no section "An event\'s way"'),
        ({"CONTRIBUTING.md": "## An event's way\n\nFrom a to b.\n"}, "names no module"),
        (
            {"CONTRIBUTING.md": "## An event's way\n\n`device/mqtt/mailbox.py`\n"},
            "names device/mqtt/mailbox.py",
        ),
        (
            {
                "CONTRIBUTING.md": "## An event's way\n\n"
                + " ".join(f"device/m{n}.py" for n in range(15))
            },
            "names 15 modules",
        ),
    ],
}
