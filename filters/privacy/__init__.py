"""Privacy: replaces personal data and secrets in texts by placeholders, before anything is trained on them."""

from eyas.filters.privacy.mask_pii import MaskPII

__all__ = ["MaskPII"]
