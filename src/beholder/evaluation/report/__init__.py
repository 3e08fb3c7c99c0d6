"""The report that a person reads: one page that needs nothing else, and its JSON twin."""

from beholder.evaluation.report.pictures import LabelIssue, Thumbnails
from beholder.evaluation.report.wording import headlines, summary
from beholder.evaluation.report.writing import ReportExtras, report_dict, report_html, write_report

__all__ = [
    "LabelIssue",
    "ReportExtras",
    "Thumbnails",
    "headlines",
    "report_dict",
    "report_html",
    "summary",
    "write_report",
]
