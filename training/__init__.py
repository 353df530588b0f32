"""The workstation: from published data to a trained run; needs the extra ``training``."""
