"""Buses and serial links: what is on the wires, and how it gets from one board to the other."""
