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


def language_names() -> dict[str, str]:
    """The English name of each known code."""
    others = dict(entry.split(" ", 1) for entry in _OTHERS.split(", "))
    return {**others, **FALCON_H1}
