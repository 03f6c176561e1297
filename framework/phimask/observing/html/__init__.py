"""The report as one HTML page that loads nothing: for the eye, for paper, for an audit."""

from phimask.observing.html.over_time import Recorded
from phimask.observing.html.page import page

__all__ = ["Recorded", "page"]
