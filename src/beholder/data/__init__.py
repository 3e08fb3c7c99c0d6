"""Examples to learn from and to be tested on: read from where they are, described, split, versioned and corrected.

    dataset = beholder.data.read("photos/")
    dataset.classes, dataset.counts(), dataset.notes

Datasets are only ever read in place; what is learned, kept or corrected goes into the person's own folders. Public
sets by name are in `beholder.data.public`, which alone can use the network.
"""

from beholder.data import corrections
from beholder.data.contents import ContentCache
from beholder.data.correcting import apply
from beholder.data.corrections import Change, Correction, CorrectionLog
from beholder.data.facts import FACTS_KIND, FACTS_VERSION, Facts, facts_of
from beholder.data.formats import FORMATS
from beholder.data.formats.idx import holds_idx, read_idx, unpack_idx
from beholder.data.grouping import Fingerprints, group
from beholder.data.looking import Looked, look_at
from beholder.data.manifest import Difference, Entry, Manifest, diff, load_version, save_version, with_digests
from beholder.data.near import near_hashes, near_vectors
from beholder.data.reading import read, require_trainable, write
from beholder.data.sample import NONE, SPLITS, UNKNOWN, Dataset, Sample, Split
from beholder.data.split import folds, groups_per_class, take_test
from beholder.data.statistics import Statistics, mean_image, statistics_of

__all__ = [
    "FACTS_KIND",
    "FACTS_VERSION",
    "FORMATS",
    "NONE",
    "SPLITS",
    "UNKNOWN",
    "Change",
    "ContentCache",
    "Correction",
    "CorrectionLog",
    "Dataset",
    "Difference",
    "Entry",
    "Facts",
    "Fingerprints",
    "Looked",
    "Manifest",
    "Sample",
    "Split",
    "Statistics",
    "apply",
    "corrections",
    "diff",
    "facts_of",
    "folds",
    "group",
    "groups_per_class",
    "holds_idx",
    "load_version",
    "look_at",
    "mean_image",
    "near_hashes",
    "near_vectors",
    "read",
    "read_idx",
    "require_trainable",
    "save_version",
    "statistics_of",
    "take_test",
    "unpack_idx",
    "with_digests",
    "write",
]
