"""Mien on the device: camera in, expression events out."""

__version__ = "0.1.0"
