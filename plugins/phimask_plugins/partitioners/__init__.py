"""The built-in partitioners."""

from phimask_plugins.partitioners.paginate import PaginatePartitioner
from phimask_plugins.partitioners.sample import SamplePartitioner
from phimask_plugins.partitioners.single import SinglePartitioner

ALL = (PaginatePartitioner, SamplePartitioner, SinglePartitioner)
