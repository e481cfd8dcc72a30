"""Filters: stages that decide which documents stay, by heuristics, language, classifiers, privacy and deduplication."""

STAGES = {
    "language": "eyas.filters.language:Language",
    "repair": "eyas.filters.repair:Repair",
    "url_filter": "eyas.filters.url:UrlFilter",
    "datatrove_filter": "eyas.filters.datatrove_stage:DatatroveFilter",
    "datatrove_formatter": "eyas.filters.datatrove_stage:DatatroveFormatter",
    "train_classifier": "eyas.filters.classifiers.train:TrainClassifier",
    "classify": "eyas.filters.classifiers.classify:Classify",
    "threshold": "eyas.filters.classifiers.threshold:Threshold",
    "gopher_quality": "eyas.filters.heuristics.gopher:GopherQuality",
    "gopher_repetition": "eyas.filters.heuristics.repetition:GopherRepetition",
    "c4_quality": "eyas.filters.heuristics.c4:C4Quality",
    "fineweb_quality": "eyas.filters.heuristics.fineweb:FineWebQuality",
    "line_cleanup": "eyas.filters.heuristics.lines:LineCleanup",
    "code_quality": "eyas.filters.heuristics.code:CodeQuality",
    "math_quality": "eyas.filters.heuristics.math:MathQuality",
    "where": "eyas.filters.where:Where",
    "exact_dedup": "eyas.filters.dedup.exact:ExactDedup",
    "minhash_dedup": "eyas.filters.dedup.minhash:MinhashDedup",
    "line_dedup": "eyas.filters.dedup.lines:LineDedup",
    "substring_dedup": "eyas.filters.dedup.substring:SubstringDedup",
    "mask_pii": "eyas.filters.privacy.mask_pii:MaskPII",
}
"""Stages by name, as a plugin declares its own."""
