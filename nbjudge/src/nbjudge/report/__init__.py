"""The class report: how a class did in an assignment, as one HTML page and tables for other programs."""

from nbjudge.report.report import Report, write_report

__all__ = ["Report", "write_report"]
