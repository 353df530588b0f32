"""Sequences of expressions, filmed as a camera would and named as on the device."""
