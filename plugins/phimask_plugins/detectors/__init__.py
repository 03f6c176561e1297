"""The built-in detectors."""

from phimask_plugins.detectors.email import EmailDetector
from phimask_plugins.detectors.us_phone import UsPhoneDetector
from phimask_plugins.detectors.us_ssn import UsSsnDetector

ALL = (EmailDetector, UsPhoneDetector, UsSsnDetector)
