"""Rigs: load, validate, build. The only room that knows every station."""
