"""Measurements of everything that ships or is compared, and the pages made from them."""
