"""Synthetic patient documents for a first run and for tests: small and huge, tidy and odd, of nobody real."""

from phimask.store.sample.documents import DEFAULT_MIX, ID_TYPES, sample_document, sample_documents
from phimask.store.sample.loading import load_samples

__all__ = ["DEFAULT_MIX", "ID_TYPES", "load_samples", "sample_document", "sample_documents"]
