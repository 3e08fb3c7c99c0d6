"""How often a network is right on Fashion-MNIST that was trained from random weights in a quarter of an hour.

It learns from the owner's 60,000 training images and is tested on the owner's 10,000 test images, by the exported file.
The recipe is a file, `recipes/fashion.toml`; a part of the training images is held out for confidence. Minutes are
those of fitting; the whole run, with reading 70,000 files, the export and the test, is told beside them.
"""

from __future__ import annotations

import sys

from figures import Figure, arguments, parse, report
from training_sets import fashion, made_by, percent, prepare, recipe_of, train, training_arguments

LEAST = 0.945


def main() -> int:
    parser = arguments(__doc__, peers=False)
    training_arguments(parser, recipe="fashion.toml")
    args = parse(parser)
    work, recipe = prepare(args), recipe_of(args)
    trained = train(fashion(work, args), work / f"from-scratch-{made_by(args, __file__)}.onnx", recipe)
    facts, told = trained.facts, trained.to_dict()
    top1 = trained.top1.value or 0.0
    size = f"{facts['architecture']}, width {facts['width']:g}, {facts['parameters']:,} parameters"
    waited, rate = facts["waited_share"], facts["images_per_second"]
    figures = [
        Figure(
            f"**top-1 on {trained.top1.count:,} test images**",
            top1,
            percent(told["top1"]),
            f"at least {LEAST:.1%}",
            top1 >= LEAST,
            told,
        ),
        Figure("fitting", trained.fit_seconds / 60, f"{trained.fit_seconds / 60:.1f} minutes"),
        Figure("the whole run", trained.seconds / 60, f"{trained.seconds / 60:.1f} minutes"),
        Figure("training", rate, f"{rate:,.0f} images/s, each of {facts['fitted']:,} seen {trained.epochs:.1f} times"),
        Figure("share of the time that it waited for batches", waited, f"{waited:.1%}"),
        Figure("the file says what the network says", facts["agreeing"], f"{facts['agreeing']} of {facts['compared']}"),
    ]
    notes = [
        f"{size}; {facts['precision']}, batches of {facts['batch']}, {facts['optimizer']}, {facts['threads']} threads",
        f"augmentation: {', '.join(facts['augment'])}; recipe: {args.recipe.name} {' '.join(args.set)}".rstrip(),
    ]
    return report(args, "From random weights", notes, figures)


if __name__ == "__main__":
    sys.exit(main())
