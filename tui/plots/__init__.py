"""Figures as lines of text. What a figure shows is data (``runner.figures``); plotext draws it on cells.

``load`` imports plotext off the screen's thread; until then ``loaded`` is false and nothing can be drawn.
"""

from tui.plots.canvas import Frame, be_plain, is_plain, load, loaded
from tui.plots.painter import CLOUD, crowded, paint

__all__ = ["CLOUD", "Frame", "be_plain", "crowded", "is_plain", "load", "loaded", "paint"]
