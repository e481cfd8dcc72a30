"""English names of languages by ISO 639-1 code, for reports: more readers know Croatian than `hr`.

They are the 18 languages of Falcon-H1 and the next most frequent ones of web corpora. Reports show a code without a name as
it is.
"""

from __future__ import annotations

FALCON_H1 = {
    "ar": "Arabic",
    "cs": "Czech",
    "de": "German",
    "en": "English",
    "es": "Spanish",
    "fr": "French",
    "hi": "Hindi",
    "it": "Italian",
    "ja": "Japanese",
    "ko": "Korean",
    "nl": "Dutch",
    "pl": "Polish",
    "pt": "Portuguese",
    "ro": "Romanian",
    "ru": "Russian",
    "sv": "Swedish",
    "ur": "Urdu",
    "zh": "Chinese",
}
"""The 18 languages that Falcon-H1 was trained on."""

_OTHERS = (
    "af Afrikaans, az Azerbaijani, be Belarusian, bg Bulgarian, bn Bengali, bs Bosnian, ca Catalan, da Danish, el "
    "Greek, eo Esperanto, et Estonian, eu Basque, fa Persian, fi Finnish, fil Filipino, ga Irish, gl Galician, gu "
    "Gujarati, he Hebrew, hr Croatian, hu Hungarian, hy Armenian, id Indonesian, is Icelandic, ka Georgian, kk "
    "Kazakh, km Khmer, kn Kannada, la Latin, lo Lao, lt Lithuanian, lv Latvian, mk Macedonian, ml Malayalam, mn "
    "Mongolian, mr Marathi, ms Malay, my Burmese, nb Norwegian (Bokmål), ne Nepali, nn Norwegian (Nynorsk), no "
    "Norwegian, pa Punjabi, ps Pashto, si Sinhala, sk Slovak, sl Slovenian, sq Albanian, sr Serbian, sw Swahili, "
    "ta Tamil, te Telugu, th Thai, tl Tagalog, tr Turkish, uk Ukrainian, uz Uzbek, vi Vietnamese"
)


_THREE_LETTERS = (
    "ar ara, cs ces cze, de deu ger, en eng, es spa, fr fra fre, hi hin, it ita, ja jpn, ko kor, nl nld dut, pl pol, pt por, "
    "ro ron rum, ru rus, sv swe, ur urd, zh zho chi cmn, af afr, az aze, be bel, bg bul, bn ben, bs bos, ca cat, da dan, "
    "el ell gre, eo epo, et est, eu eus baq, fa fas per pes, fi fin, ga gle, gl glg, gu guj, he heb iw, hr hrv, hu hun, "
    "hy hye arm, id ind, is isl ice, ka kat geo, kk kaz, km khm, kn kan, la lat, lo lao, lt lit, lv lav lvs, mk mkd mac, "
    "ml mal, mn mon khk, mr mar, ms msa may zsm, my mya bur, ne nep npi, nn nno, no nor nob nb, pa pan, ps pus pbt, si sin, "
    "sk slk slo, sl slv, sq sqi alb als, sr srp, sw swa swh, ta tam, te tel, th tha, tl tgl fil, tr tur, uk ukr, uz uzb uzn, "
    "vi vie"
)
"""ISO 639-1 codes, each with the ISO 639-2 and -3 codes that people write for it, and what older lists call it."""


def codes_meant(name: str) -> list[str]:
    """The codes by which models may know a language: `eng`, `English` and `eng_Latn` give `en` and `eng`.

    Empty if `name` is no language that is known here.
    """
    plain = name.strip().lower().replace("-", "_").split("_")[0]
    by_name = {english.lower(): code for code, english in language_names().items()}
    for entry in _THREE_LETTERS.split(", "):
        codes = entry.split()
        if plain in codes or by_name.get(plain) == codes[0]:
            return codes
    return []


def language_names() -> dict[str, str]:
    """The English name of each known code."""
    others = dict(entry.split(" ", 1) for entry in _OTHERS.split(", "))
    return {**others, **FALCON_H1}
