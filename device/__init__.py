"""Mien on the device: camera in, expression events out."""

import os

__version__ = "0.1.0"

# OpenCV compares a picture's size with this before it reserves memory, whatever the format, but
# it reads the limit only once, while it is loaded; its own is 2^30.
MAX_PICTURE_PIXELS = 64 << 20  # 67 megapixels: about 400 MB while a colour picture is decoded
os.putenv("OPENCV_IO_MAX_IMAGE_PIXELS", str(MAX_PICTURE_PIXELS))
