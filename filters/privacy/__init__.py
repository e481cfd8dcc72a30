"""Privacy: personal data and secrets leave the text before anything is trained on it."""

from eyas.filters.privacy.mask_pii import MaskPII

__all__ = ["MaskPII"]
