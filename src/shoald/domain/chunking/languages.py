"""What the rules of sentences need to know of each language: abbreviations, ordinal dots, marks of its own.

The abbreviations are those that never end a sentence, without their last dot and in lower case; one that may end it
(`etc.`) needs no entry, since a sentence goes on where a small letter follows.
"""
# ruff: noqa: RUF001 - letters of other scripts look like Latin ones

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Language:
    """One language; `has_ordinal_dots` says that `3.` may mean "third", `marks` are further ends of sentences."""

    abbreviations: frozenset[str] = frozenset()
    has_ordinal_dots: bool = False
    marks: str = ""


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


_GREEK_QUESTION_MARKS = ";\u037e"

LANGUAGES: Mapping[str, Language] = {
    "arabic": Language(abbreviations=_words("د أ م")),
    "bulgarian": Language(abbreviations=_words("г д-р проф инж доц акад св ул стр вж напр т.е т.н")),
    "chinese": Language(),
    "czech": Language(
        abbreviations=_words("dr ing mgr bc prof doc mudr judr rndr phdr např tzv tj sv ul č čl str obr tab viz mj"),
        has_ordinal_dots=True,
    ),
    "danish": Language(
        abbreviations=_words("dr hr fr prof nr kl f.eks bl.a ca jf s kap stk pkt pga mht dvs evt adr"),
        has_ordinal_dots=True,
    ),
    "dutch": Language(
        abbreviations=_words("dr drs ir ing mr mevr dhr prof nr blz art bijv o.a d.w.z m.b.t t.a.v ca vgl")
    ),
    "english": Language(
        abbreviations=_words(
            "mr mrs ms mx dr prof rev hon st gen col maj capt lt sgt cmdr adm gov sen rep pres messrs mt ft"
            " no nos vol vols pp ch sec fig figs eq eqs ref refs tab art al ed eds vs cf viz e.g i.e eg ie approx ca"
            " jan feb mar apr jun jul aug sep sept oct nov dec"
        )
    ),
    "estonian": Language(abbreviations=_words("hr pr dr prof nr lk jne nt st vt tn mnt pst"), has_ordinal_dots=True),
    "finnish": Language(
        abbreviations=_words("hra rva nti dr prof nro esim ts ks vrt s mm ym klo n"), has_ordinal_dots=True
    ),
    "french": Language(
        abbreviations=_words(
            "m mm mme mlle dr pr prof me st ste no p pp art av bd chap fig cf éd env vol ex p.ex c.-à-d"
        )
    ),
    "german": Language(
        abbreviations=_words(
            "hr fr dr prof dipl ing hrsg nr abb abs abschn art aufl bd bzw ca ebd evtl ggf inkl kap lt max min mind"
            " s sog st str tab tel u.a usf vgl z.b z d.h u.u o.ä i.d.r v.a zzgl jan feb apr jun jul aug sep sept okt"
            " nov dez"
        ),
        has_ordinal_dots=True,
    ),
    "greek": Language(abbreviations=_words("κ κα δρ καθ αρ σελ π.χ δηλ βλ αγ λεωφ"), marks=_GREEK_QUESTION_MARKS),
    "hindi": Language(abbreviations=_words("डॉ श्री प्रो सं")),
    "hungarian": Language(
        abbreviations=_words("dr prof ifj id özv pl ill kb sz ún vö ti old köt stb"), has_ordinal_dots=True
    ),
    "indonesian": Language(abbreviations=_words("dr drs ir prof jl no hlm tn ny sdr yth a.n")),
    "italian": Language(
        abbreviations=_words(
            "sig sigg sig.ra sig.na dott dott.ssa prof prof.ssa ing avv arch geom on rev art pag pp n cap cfr fig es ca"
            " vol"
        )
    ),
    "japanese": Language(),
    "korean": Language(),
    "malayalam": Language(abbreviations=_words("ഡോ ശ്രീ പ്രൊഫ")),
    "norwegian": Language(
        abbreviations=_words("dr hr fr prof nr kl f.eks bl.a ca jf s kap pkt pga mht dvs evt adm"),
        has_ordinal_dots=True,
    ),
    "persian": Language(abbreviations=_words("د م")),
    "polish": Language(
        abbreviations=_words(
            "dr hab prof inż mgr lek ks św ul al pl nr np tzw tj m.in str rys tab por zob art ust pkt ok r w"
        ),
        has_ordinal_dots=True,
    ),
    "portuguese": Language(
        abbreviations=_words(
            "sr sra srs dr dra prof profa eng d exmo exma av r n nº pág págs p.ex ex fig art cap vol cf"
        )
    ),
    "romanian": Language(abbreviations=_words("dl dna d-na dr prof ing nr str bd pag art cap fig ex sf")),
    "russian": Language(
        abbreviations=_words(
            "г гг д-р проф акад доц инж им ул пр пер пл д кв стр рис табл см ср напр т.е т.д т.п т.к св н.э руб тыс млн"
        )
    ),
    "slovene": Language(
        abbreviations=_words("dr prof mag inž g ga gdč npr tj oz št str ul sv gl prim t.i"), has_ordinal_dots=True
    ),
    "spanish": Language(
        abbreviations=_words(
            "sr sra sres srta dr dra prof profa ing lic d dña ud uds av avda c n nº núm pág págs p.ej ej fig art"
            " cap vol cf ee.uu"
        )
    ),
    "swedish": Language(abbreviations=_words("dr hr fr prof nr kl t.ex bl.a ca jfr s kap dvs osv m.fl f.d s.k p.g.a")),
    "turkish": Language(
        abbreviations=_words("dr prof doç yrd av sn bay bn no cad sok mah vb örn bkz s apt"), has_ordinal_dots=True
    ),
    "ukrainian": Language(
        abbreviations=_words(
            "р рр д-р проф акад доц інж ім вул пр пров пл буд кв стор рис табл див пор напр т.зв т.д св грн тис млн"
        )
    ),
    "vietnamese": Language(abbreviations=_words("ts ths gs pgs bs tp tr")),
}

_CODES = {
    "ar": "arabic",
    "bg": "bulgarian",
    "cs": "czech",
    "da": "danish",
    "de": "german",
    "el": "greek",
    "en": "english",
    "es": "spanish",
    "et": "estonian",
    "fa": "persian",
    "fi": "finnish",
    "fr": "french",
    "hi": "hindi",
    "hu": "hungarian",
    "id": "indonesian",
    "it": "italian",
    "ja": "japanese",
    "ko": "korean",
    "ml": "malayalam",
    "nb": "norwegian",
    "nl": "dutch",
    "nn": "norwegian",
    "no": "norwegian",
    "pl": "polish",
    "pt": "portuguese",
    "ro": "romanian",
    "ru": "russian",
    "sl": "slovene",
    "sv": "swedish",
    "tr": "turkish",
    "uk": "ukrainian",
    "vi": "vietnamese",
    "zh": "chinese",
}


def language_named(name: str) -> Language | None:
    """Return a language by its English name or its ISO 639-1 code, in any case; None for one that has no rules.

    >>> language_named("German") is language_named("de"), language_named("klingon")
    (True, None)
    """
    word = name.strip().lower()
    return LANGUAGES.get(_CODES.get(word, word))
