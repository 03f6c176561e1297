"""Which detectors are built in. To read their lists takes as long as to start a worker: only who needs them does."""

from __future__ import annotations

import importlib.util
from typing import Final

from phimask import Detector
from phimask_plugins.detectors.addresses import StreetAddressDetector, ZipDetector
from phimask_plugins.detectors.dates import AgeDetector, DateDetector
from phimask_plugins.detectors.email import EmailDetector
from phimask_plugins.detectors.licences import DeaDetector, MbiDetector, NpiDetector, VinDetector
from phimask_plugins.detectors.money import CardDetector, IbanDetector, RoutingDetector, WalletDetector
from phimask_plugins.detectors.names import NameDetector
from phimask_plugins.detectors.network import IpDetector, MacDetector, UrlDetector
from phimask_plugins.detectors.places import PlaceDetector
from phimask_plugins.detectors.records import (
    AccountDetector,
    DeviceDetector,
    HealthPlanDetector,
    IdentifierDetector,
    LicenceDetector,
    MedicalRecordDetector,
    PassportDetector,
    PlateDetector,
)
from phimask_plugins.detectors.us_phone import FaxDetector, UsPhoneDetector
from phimask_plugins.detectors.us_ssn import UsItinDetector, UsSsnDetector

ALL: Final[tuple[type[Detector], ...]] = (
    AccountDetector,
    AgeDetector,
    CardDetector,
    DateDetector,
    DeaDetector,
    DeviceDetector,
    EmailDetector,
    FaxDetector,
    HealthPlanDetector,
    IbanDetector,
    IdentifierDetector,
    IpDetector,
    LicenceDetector,
    MacDetector,
    MbiDetector,
    MedicalRecordDetector,
    NameDetector,
    NpiDetector,
    PassportDetector,
    PlaceDetector,
    PlateDetector,
    RoutingDetector,
    StreetAddressDetector,
    UrlDetector,
    UsItinDetector,
    UsPhoneDetector,
    UsSsnDetector,
    VinDetector,
    WalletDetector,
    ZipDetector,
)


def optional() -> tuple[type[Detector], ...]:
    """Those that need an extra, where it is installed. They look only where they are named."""
    if importlib.util.find_spec("presidio_analyzer") is None:
        return ()
    from phimask_plugins.detectors.presidio import PresidioDetector  # noqa: PLC0415  (an extra)

    return (PresidioDetector,)
