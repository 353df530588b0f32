"""Where frames come from: one module an adapter, none imports another.

An adapter is a ``Source`` (``source.py``): blocking, without threads. ``NewestFrameCamera``
runs one in its own thread, keeps the newest frame and opens it again when it is lost;
``choose.py`` makes the one the settings name.
"""
