"""Truth -> what sensors say, each source with its own noise."""
