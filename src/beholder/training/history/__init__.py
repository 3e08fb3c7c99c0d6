"""What the run folders hold: read, found by a short name, set side by side, drawn, and removed."""

from beholder.training.history.differing import Difference, Footing, differences, footing, other_differences
from beholder.training.history.finding import History, find_folder, find_run, list_runs, remove_folder
from beholder.training.history.page import runs_html, write_runs_page
from beholder.training.history.record import RunRecord, read_run
from beholder.training.history.unfinished import Unfinished, list_unfinished

__all__ = [
    "Difference",
    "Footing",
    "History",
    "RunRecord",
    "Unfinished",
    "differences",
    "find_folder",
    "find_run",
    "footing",
    "list_runs",
    "list_unfinished",
    "other_differences",
    "read_run",
    "remove_folder",
    "runs_html",
    "write_runs_page",
]
