"""The named, versioned policies. A change of rule raises a version; the family, and a record's identity, stay."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from adapter.her2.model import Policy

ASCO_CAP_2023 = Policy(
    name="asco-cap-2023",
    family="asco-cap",
    version="1.0.0",
    guideline="ASCO/CAP 2018 focused update, affirmed 2023; T-DXd labels for HER2-low and -ultralow",
)
"""The default: the whole decision table [G], and this product's own policies where the guideline is silent [P]."""

BASIC = Policy(
    name="basic",
    family="basic",
    version="1.0.0",
    guideline="Five lines: IHC 0 negative, 1+ low, 2+ by ISH low or positive, 3+ positive",
)
"""Just the five lines; whatever goes beyond them is needs-review."""

POLICIES = {policy.name: policy for policy in (ASCO_CAP_2023, BASIC)}
"""By name, as the setting `policy.name` spells it."""

CHOICES: Final[Mapping[str, tuple[str, ...]]] = {
    "earlier_editions": ("limit", "strict"),
    "zero_plus": ("dated", "ultralow", "zero"),
    "tumour_site": ("optional", "required"),
}
"""What a site may choose within a policy, and the values of each choice, the default first."""


def choices(policy: Policy) -> dict[str, str]:
    """Give every choice of a policy with its value, by the attribute's name."""
    return {name: str(getattr(policy, name)) for name in CHOICES}


def departures(policy: Policy) -> dict[str, str]:
    """Give the choices that are not the default; the policy's version alone does not tell them."""
    return {name: value for name, value in choices(policy).items() if value != CHOICES[name][0]}
