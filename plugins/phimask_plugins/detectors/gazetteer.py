"""Places by name: cities, states with their abbreviations, and hospitals that go without the word."""

from __future__ import annotations

from typing import Final

from phimask_plugins.detectors.lists import words

STATES: Final = (
    "Alabama", "Alaska", "Arizona", "Arkansas", "California", "Colorado", "Connecticut", "Delaware",
    "Florida", "Georgia", "Hawaii", "Idaho", "Illinois", "Indiana", "Iowa", "Kansas", "Kentucky",
    "Louisiana", "Maine", "Maryland", "Massachusetts", "Michigan", "Minnesota", "Mississippi", "Missouri",
    "Montana", "Nebraska", "Nevada", "New Hampshire", "New Jersey", "New Mexico", "New York",
    "North Carolina", "North Dakota", "Ohio", "Oklahoma", "Oregon", "Pennsylvania", "Rhode Island",
    "South Carolina", "South Dakota", "Tennessee", "Texas", "Utah", "Vermont", "Virginia", "Washington",
    "West Virginia", "Wisconsin", "Wyoming", "Puerto Rico",
)  # fmt: skip
"""No identifier by themselves: 45 CFR 164.514(b)(2)(i)(B) speaks of subdivisions smaller than a state."""

STATE_CODES: Final = (
    "AL", "AK", "AZ", "AR", "CA", "CO", "CT", "DE", "DC", "FL", "GA", "HI", "ID", "IL", "IN", "IA", "KS", "KY", "LA",
    "ME", "MD", "MA", "MI", "MN", "MS", "MO", "MT", "NE", "NV", "NH", "NJ", "NM", "NY", "NC", "ND", "OH", "OK", "OR",
    "PA", "PR", "RI", "SC", "SD", "TN", "TX", "UT", "VT", "VA", "WA", "WV", "WI", "WY",
)  # fmt: skip
"""Source: USPS, Publication 28, appendix B."""

NATIONS: Final = words("nations")
"""Countries and continents, which are larger than a state, and what their languages are called."""
CITIES: Final = words("cities")
"""The larger cities of the United States, and some of the world's."""
HOSPITALS: Final = words("hospitals")
"""Hospitals and their groups as clinicians call them."""
NOT_ALONE: Final = words("cities_not_alone") | words("hospitals_not_alone")
"""Names and words as well, which need a word such as `in` before them."""
