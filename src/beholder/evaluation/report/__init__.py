"""The report that a person reads: one page that needs nothing else, and its JSON twin."""

from beholder.evaluation.report.headline import headlines
from beholder.evaluation.report.overview import key_numbers
from beholder.evaluation.report.pictures import LabelIssue, Thumbnails
from beholder.evaluation.report.takeaways import measured_on, summary
from beholder.evaluation.report.thumbnails import thumbnails_of
from beholder.evaluation.report.wording import about, images, percent
from beholder.evaluation.report.writing import ReportExtras, report_dict, report_html, require_free, write_report

__all__ = [
    "LabelIssue",
    "ReportExtras",
    "Thumbnails",
    "about",
    "headlines",
    "images",
    "key_numbers",
    "measured_on",
    "percent",
    "report_dict",
    "report_html",
    "require_free",
    "summary",
    "thumbnails_of",
    "write_report",
]
