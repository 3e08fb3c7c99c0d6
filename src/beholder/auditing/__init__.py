"""What is wrong with a dataset, and what to do about it.

audit = beholder.audit("photos/")
audit.summary, audit.counts(), audit.findings
"""

from beholder.auditing.auditing import audit, in_one_line, quick_findings
from beholder.auditing.finding import KINDS, SAFE, Audit, Finding, Kind, Severity, changes_of, ordered

__all__ = [
    "KINDS",
    "SAFE",
    "Audit",
    "Finding",
    "Kind",
    "Severity",
    "audit",
    "changes_of",
    "in_one_line",
    "ordered",
    "quick_findings",
]
