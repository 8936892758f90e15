"""The forms a board can take: in process, as a process of its own, on real hardware."""
