"""The identifiers of the Safe Harbor method, 45 CFR 164.514(b)(2)(i), by the letters that rules name them by."""

from __future__ import annotations

from typing import Final

FREE_TEXT: Final = "text"
"""What a rule names in place of a letter where its field is free text, which may hold any of them."""

IDENTIFIERS: Final = {
    "A": "Names",
    "B": "Geographic subdivisions smaller than a state, but for the first three digits of most ZIP codes",
    "C": "All elements of dates but the year; ages over 89",
    "D": "Telephone numbers",
    "E": "Fax numbers",
    "F": "E-mail addresses",
    "G": "Social security numbers",
    "H": "Medical record numbers",
    "I": "Health plan beneficiary numbers",
    "J": "Account numbers",
    "K": "Certificate and license numbers",
    "L": "Vehicle identifiers and serial numbers, license plates",
    "M": "Device identifiers and serial numbers",
    "N": "Web addresses (URLs)",
    "O": "IP addresses",
    "P": "Biometric identifiers, finger and voice prints",
    "Q": "Full-face photographs and comparable images",
    "R": "Any other unique identifying number, characteristic or code",
}
"""Letter to what it stands for, in the order of the regulation."""
