"""The limits of the complexity classes that a profile has where it says nothing of them."""

from __future__ import annotations

from phimask.config.model import ClassLimits, Limits

LIMITS = Limits(simple=ClassLimits(49, 2, 99), medium=ClassLimits(200, 5, 500))
