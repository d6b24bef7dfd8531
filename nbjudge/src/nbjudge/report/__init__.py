"""The class report: what a class did with a lesson, as one page to read and tables to import elsewhere."""

from nbjudge.report.report import Report, write_report

__all__ = ["Report", "write_report"]
