"""The settings: a frozen tree with default, unit and range on each field, read from TOML.

``tree`` declares every key, ``reader`` turns a file (and the environment, and what was set
over MQTT) into the tree or says in one line what is wrong with it.
"""

from device.settings.reader import load_settings, replace_setting
from device.settings.tree import Settings, Smoothing

__all__ = ["Settings", "Smoothing", "load_settings", "replace_setting"]
