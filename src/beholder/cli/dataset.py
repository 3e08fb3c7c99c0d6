"""`beholder dataset`: look at datasets, convert, compare, split and correct them, and fetch public ones."""

from __future__ import annotations

from typing import Final

from beholder.cli import dataset_classes, dataset_images, dataset_log, dataset_public
from beholder.cli import dataset_convert as convert
from beholder.cli import dataset_diff as diff
from beholder.cli import dataset_show as show
from beholder.cli import dataset_split as split
from beholder.cli.sub_verbs import SubVerb

SUB_VERBS: Final = {
    "show": SubVerb(
        "DATA [--quick] [--mean-image FILE] [--json]", "say what is in a dataset", show.add_arguments, show.run
    ),
    "convert": SubVerb(
        "DATA OUT [--to FORMAT] [--link]", "write a dataset in another format", convert.add_arguments, convert.run
    ),
    "diff": SubVerb(
        "A B [--json]", "what changed from one dataset or version to another", diff.add_arguments, diff.run
    ),
    "split": SubVerb(
        "DATA OUT.csv --test SHARE [--validation SHARE]",
        "choose images to test on; near duplicates stay together",
        split.add_arguments,
        split.run,
    ),
    "corrections": SubVerb(
        "DATA [--json]", "list what was corrected", dataset_log.add_data_arguments, dataset_log.run_corrections
    ),
    "undo": SubVerb("DATA ID…", "take corrections back", dataset_log.add_undo_arguments, dataset_log.run_undo),
    "adopt": SubVerb(
        "DATA OLD",
        "take over what was corrected where the dataset was before it was moved",
        dataset_log.add_adopt_arguments,
        dataset_log.run_adopt,
    ),
    "relabel": SubVerb(
        "DATA IMAGE LABEL…",
        "give an image other labels",
        dataset_images.add_relabel_arguments,
        dataset_images.run_relabel,
    ),
    "exclude": SubVerb(
        "DATA IMAGE…", "leave images out", dataset_images.add_images_arguments, dataset_images.run_exclude
    ),
    "include": SubVerb(
        "DATA IMAGE…",
        "take images in again that were left out",
        dataset_images.add_images_arguments,
        dataset_images.run_include,
    ),
    "move": SubVerb(
        "DATA IMAGE SPLIT",
        "put an image into another split",
        dataset_images.add_move_arguments,
        dataset_images.run_move,
    ),
    "merge": SubVerb(
        "DATA CLASS… --into CLASS",
        "make several classes one",
        dataset_classes.add_merge_arguments,
        dataset_classes.run_merge,
    ),
    "rename": SubVerb(
        "DATA CLASS --to NAME",
        "give a class another name",
        dataset_classes.add_rename_arguments,
        dataset_classes.run_rename,
    ),
    "sets": SubVerb("[--json]", "list the public sets", dataset_public.add_sets_arguments, dataset_public.run_sets),
    "fetch": SubVerb("NAME [DIR]", "fetch a public set", dataset_public.add_fetch_arguments, dataset_public.run_fetch),
}
"""The verbs of `beholder dataset`. Corrections go into a log; the data themselves never change."""
