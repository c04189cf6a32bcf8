"""Areas of the globe, in degrees and metres."""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import pairwise

EARTH_RADIUS_METRES = 6_371_008.8
MAX_LATITUDE, MAX_LONGITUDE = 90.0, 180.0
DECIMALS = 12
"""Degrees are rounded to a ten-thousandth of a millimetre."""


@dataclass(frozen=True, slots=True)
class Place:
    """A point of the globe."""

    lat: float
    lon: float

    @classmethod
    def of(cls, lat: float, lon: float) -> Place | None:
        """Return the place, rounded, None when there is none on the globe."""
        if abs(lat) <= MAX_LATITUDE and abs(lon) <= MAX_LONGITUDE:
            return cls(round(float(lat), DECIMALS), round(float(lon), DECIMALS))
        return None


@dataclass(frozen=True, slots=True)
class Circle:
    """Everything within `radius` metres along the surface."""

    center: Place
    radius: float

    def contains(self, place: Place) -> bool:
        """Say whether the place lies within, by the haversine formula."""
        lat, center_lat = math.radians(place.lat), math.radians(self.center.lat)
        rise = math.sin((lat - center_lat) / 2) ** 2
        turn = math.sin(math.radians(place.lon - self.center.lon) / 2) ** 2
        chord = rise + math.cos(lat) * math.cos(center_lat) * turn
        return 2 * EARTH_RADIUS_METRES * math.asin(math.sqrt(min(1.0, chord))) <= self.radius


@dataclass(frozen=True, slots=True)
class Box:
    """Between two parallels and two meridians; west of its left side when it crosses the date line."""

    top_left: Place
    bottom_right: Place

    def contains(self, place: Place) -> bool:
        """Say whether the place lies within or on a side."""
        west, east = self.top_left.lon, self.bottom_right.lon
        inside = west <= place.lon <= east if west <= east else place.lon >= west or place.lon <= east
        return inside and self.bottom_right.lat <= place.lat <= self.top_left.lat


@dataclass(frozen=True, slots=True)
class Polygon:
    """A closed line of places, straight in degrees, with holes."""

    exterior: tuple[Place, ...]
    interiors: tuple[tuple[Place, ...], ...] = ()

    def contains(self, place: Place) -> bool:
        """Say whether the place lies within; what lies exactly on a side may be either."""
        return _within(place, self.exterior) and not any(_within(place, hole) for hole in self.interiors)


def _within(place: Place, ring: tuple[Place, ...]) -> bool:
    """Count the sides east of the place."""
    inside = False
    for one, other in pairwise((*ring, ring[0])):
        if (one.lat > place.lat) != (other.lat > place.lat):
            crossing = one.lon + (place.lat - one.lat) / (other.lat - one.lat) * (other.lon - one.lon)
            inside ^= place.lon < crossing
    return inside


Area = Circle | Box | Polygon
