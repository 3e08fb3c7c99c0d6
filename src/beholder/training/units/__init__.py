"""What the units of a network answer to, stage by stage, and the page that shows it."""

from beholder.training.units.page import page_html, write_page
from beholder.training.units.parts import Study
from beholder.training.units.studying import study

__all__ = ["Study", "page_html", "study", "write_page"]
