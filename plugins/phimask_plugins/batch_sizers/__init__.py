"""The built-in batch sizers."""

from phimask_plugins.batch_sizers.adaptive import AdaptiveBatchSizer
from phimask_plugins.batch_sizers.classed import ClassedBatchSizer
from phimask_plugins.batch_sizers.fixed import FixedBatchSizer
from phimask_plugins.batch_sizers.predictive import PredictiveBatchSizer

ALL = (AdaptiveBatchSizer, ClassedBatchSizer, FixedBatchSizer, PredictiveBatchSizer)
