"""The commands of ``mien``, one module each: ``add_arguments(parser)`` and ``main(args, environment)``."""
