"""Pages made of recordings: one self-contained HTML file for each run."""

from hil.report.page import write_report

__all__ = ["write_report"]
