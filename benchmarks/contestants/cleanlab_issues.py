"""cleanlab's order of labels, the most suspicious first. Arguments: ASKED.npz ANSWERED.npz.

Asked: `probabilities` of heads that have not seen the image, and the labels `given`. Answered, for each of its scores:
what `find_label_issues` calls an issue in its order, then all others by the same score; `count`: how many are issues.
"""

from __future__ import annotations

import sys

import numpy as np
from cleanlab.filter import find_label_issues
from cleanlab.rank import get_label_quality_scores


def main() -> None:
    asked, answered = sys.argv[1:]
    with np.load(asked) as given:
        probabilities, labels = given["probabilities"], given["given"]
    orders = {}
    for score in ("self_confidence", "normalized_margin"):
        issues = find_label_issues(labels, probabilities, return_indices_ranked_by=score, n_jobs=1)
        quality = get_label_quality_scores(labels, probabilities, method=score)
        others = np.setdiff1d(np.argsort(quality, kind="stable"), issues, assume_unique=True)
        orders[score] = np.concatenate([issues, others]).astype(np.int64)
        orders["count"] = np.array([len(issues)])
    np.savez(answered, **orders)


if __name__ == "__main__":
    main()
