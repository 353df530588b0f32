"""The screen: text on HDMI or in a terminal.

A ``Painter`` (framebuffer, terminal) puts one state on its screen and knows no threads;
``Screen`` drives it at its own pace with the newest state; ``choose.py`` finds the one that
works here.
"""
