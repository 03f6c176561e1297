"""The report as one HTML page that loads nothing: for the eye, for paper, for an audit."""

from phimask.observing.html.page import page
from phimask.observing.series import Recorded

__all__ = ["Recorded", "page"]
