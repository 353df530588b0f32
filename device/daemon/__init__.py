"""The daemon: its parts made and joined, what people can ask of it, and how it reports."""
