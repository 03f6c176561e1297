"""The words that sample documents are made of, prepared once.

Names come from Faker's lists. Nothing here can reach or name a real person: telephone numbers are 555-0100 to
555-0199 (set aside for fiction by the North American Numbering Plan), social security numbers have an area of
9xx (never issued), e-mail goes to example.com (RFC 2606), NPIs begin with 9 (real ones with 1 or 2).
"""

from __future__ import annotations

import random
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final

from bson.decimal128 import Decimal128

DIAGNOSES: Final = (
    ("E11.9", "Type 2 diabetes mellitus without complications"),
    ("I10", "Essential (primary) hypertension"),
    ("J45.909", "Unspecified asthma, uncomplicated"),
    ("M54.50", "Low back pain, unspecified"),
    ("E78.5", "Hyperlipidemia, unspecified"),
    ("F41.1", "Generalized anxiety disorder"),
    ("K21.9", "Gastro-esophageal reflux disease without esophagitis"),
    ("N39.0", "Urinary tract infection, site not specified"),
    ("J06.9", "Acute upper respiratory infection, unspecified"),
    ("D64.9", "Anemia, unspecified"),
    ("G43.909", "Migraine, unspecified, not intractable"),
    ("I48.91", "Unspecified atrial fibrillation"),
)

LABS: Final = (
    ("2345-7", "mg/dL", 70.0, 140.0),
    ("718-7", "g/dL", 11.0, 17.0),
    ("2160-0", "mg/dL", 0.5, 1.4),
    ("2951-2", "mmol/L", 132.0, 147.0),
    ("2823-3", "mmol/L", 3.4, 5.3),
    ("4548-4", "%", 4.8, 9.5),
    ("2093-3", "mg/dL", 140.0, 260.0),
    ("6690-2", "10*3/uL", 4.0, 11.5),
)

VISIT_TYPES: Final = ("outpatient", "inpatient", "emergency", "telehealth", "follow-up")
RELATIONSHIPS: Final = ("spouse", "parent", "child", "sibling", "friend")
GENDERS: Final = ("F", "M", "F", "M", "X")
PLANS: Final = ("HMO Basic", "PPO Plus", "Silver 70", "Gold 80", "Medicare Advantage")
SOURCES: Final = ("emr", "portal", "import", "lab-feed")
TAGS: Final = ("diabetes", "consented", "research", "high-risk", "portal-user", "new", "interpreter", "vip")
DEPARTMENTS: Final = ("Cardiology", "Family Medicine", "Neurology", "Oncology", "Orthopedics", "Pediatrics")

_FINDINGS: Final = (
    "Reports feeling well since the last visit.",
    "Complains of intermittent headache for about two weeks, worse in the evening.",
    "Denies chest pain, shortness of breath and palpitations.",
    "Blood pressure was above target on three home readings.",
    "Lungs clear on both sides, no wheeze, heart regular without murmur.",
    "Gait steady, strength five of five in all limbs.",
    "Appetite reduced, weight stable within one kilogram.",
    "Sleeps about six hours, wakes once, no snoring reported.",
    "Tolerates the present medication without side effects.",
    "Fasting glucose was somewhat elevated and is to be repeated.",
    "Wound edges are dry, no redness, sutures to be taken out next week.",
    "Discussed diet, exercise and the use of the inhaler at length.",
    "Immunizations are up to date apart from the yearly influenza shot.",
    "Continue the current dose; recheck renal function in three months.",
    "Referred for physical therapy twice a week over six weeks.",
    "Return at once with fever, bleeding or sudden weakness.",
)

_AREA_CODES: Final = ("202", "212", "303", "312", "404", "415", "503", "617", "702", "808")


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """Pools to draw from; none is empty, none is to be changed.

    `providers` are (name, NPI, department, telephone); `places` are (city, state, ZIP code); `paragraphs` are
    free text without any identifier; `series` are numbers to cut pieces from.
    """

    first_names: tuple[str, ...]
    last_names: tuple[str, ...]
    streets: tuple[str, ...]
    places: tuple[tuple[str, str, str], ...]
    providers: tuple[tuple[str, str, str, str], ...]
    facilities: tuple[str, ...]
    phones: tuple[str, ...]
    amounts: tuple[Decimal128, ...]
    paragraphs: tuple[str, ...]
    series: list[int]


@lru_cache(maxsize=1)
def vocabulary() -> Vocabulary:
    """The pools, the same in every process."""
    # Faker takes half a second to import: whoever has documents of their own should not wait for it.
    from faker.providers.address.en_US import Provider as Address  # noqa: PLC0415
    from faker.providers.person.en_US import Provider as Person  # noqa: PLC0415

    draw = random.Random("phimask sample vocabulary")  # noqa: S311  (test data is to be repeatable, not secret)
    first_names = _sorted(Person.first_names)
    last_names = _sorted(Person.last_names)
    cities = [
        f"{draw.choice(Address.city_prefixes)} {draw.choice(last_names)}{draw.choice(Address.city_suffixes)}"
        for _ in range(300)
    ]
    phones = tuple(f"{area}-555-01{line:02d}" for area in _AREA_CODES for line in range(100))
    return Vocabulary(
        first_names=first_names,
        last_names=last_names,
        streets=tuple(
            f"{draw.choice(last_names)} {draw.choice(Address.street_suffixes)}" for _ in range(500)
        ),
        places=tuple(
            (city, draw.choice(Address.states_abbr), f"{draw.randrange(501, 99951):05d}") for city in cities
        ),
        providers=tuple(
            (
                f"Dr. {draw.choice(first_names)} {draw.choice(last_names)}",
                f"9{draw.randrange(10**9):09d}",
                draw.choice(DEPARTMENTS),
                draw.choice(phones),
            )
            for _ in range(400)
        ),
        facilities=tuple(f"{city} General Hospital" for city in cities[:60]),
        phones=phones,
        amounts=tuple(Decimal128(f"{draw.randrange(2000, 900000) / 100:.2f}") for _ in range(500)),
        paragraphs=tuple(" ".join(draw.sample(_FINDINGS, draw.randrange(3, 9))) for _ in range(300)),
        series=[draw.randrange(55, 140) for _ in range(1000)],
    )


def _sorted(names: Any) -> tuple[str, ...]:
    # Faker's lists hold names twice, in an order of its own.
    return tuple(sorted(set(names)))
