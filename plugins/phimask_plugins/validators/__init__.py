"""The built-in validators: what must hold of every masked document, whatever masked and wrote it.

They share no code with the framework's masking and writing: their own reader of BSON (`walk`), their own
matching of rules to paths (`matcher`), one walk over a document before and after (`compare`, and `quick`
before it), which also takes it apart (`parts`) for those that look for originals elsewhere.
"""

from phimask_plugins.validators.count import Count
from phimask_plugins.validators.indexes import Indexes
from phimask_plugins.validators.leak import Leak
from phimask_plugins.validators.no_original import NoOriginal
from phimask_plugins.validators.referential import Referential
from phimask_plugins.validators.residual import Residual
from phimask_plugins.validators.structure import Structure
from phimask_plugins.validators.untouched import Untouched

ALL = (Count, Structure, NoOriginal, Untouched, Residual, Leak, Referential, Indexes)

__all__ = [
    "ALL",
    "Count",
    "Indexes",
    "Leak",
    "NoOriginal",
    "Referential",
    "Residual",
    "Structure",
    "Untouched",
]
