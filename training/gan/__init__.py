"""What StarGAN and its baselines share: faces, networks, the fitting loop, sheets and measures.

Faces inside this package are float32 (N, 48, 48, 1) in -1..1 unless a docstring says uint8;
targets are class numbers in FER2013 order, or one-hot (N, 7) where a network takes them.
"""
