"""The screen: text on HDMI or in a terminal."""
