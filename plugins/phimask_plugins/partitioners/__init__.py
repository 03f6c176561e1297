"""The built-in partitioners."""

from phimask_plugins.partitioners.objectid_time import ObjectIdTimePartitioner
from phimask_plugins.partitioners.paginate import PaginatePartitioner
from phimask_plugins.partitioners.sample import SamplePartitioner
from phimask_plugins.partitioners.sharded import ShardedPartitioner
from phimask_plugins.partitioners.single import SinglePartitioner
from phimask_plugins.partitioners.split_vector import SplitVectorPartitioner

ALL = (
    ObjectIdTimePartitioner,
    PaginatePartitioner,
    SamplePartitioner,
    ShardedPartitioner,
    SinglePartitioner,
    SplitVectorPartitioner,
)
