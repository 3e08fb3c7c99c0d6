"""Bags of visual words: how often which kind of key point occurs in an image.

The descriptors of key points (SIFT, SURF) of the images that are learned from are gathered into clusters; a cluster is
a word, and an image is the histogram of its words.

Sources: D. Lowe, "Distinctive image features from scale-invariant keypoints", IJCV 2004 (SIFT); H. Bay, T. Tuytelaars,
L. Van Gool, "SURF: speeded up robust features", ECCV 2006; G. Csurka et al., "Visual categorization with bags of
keypoints", ECCV workshop 2004; R. Arandjelović and A. Zisserman, "Three things everyone should know to improve object
retrieval", CVPR 2012 (square roots of SIFT).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final, Literal

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from beholder.image import Image

_LONGER_SIDE: Final = 256
"""To which images are scaled, pixels: key points of a tiny image are few, those of a large one many and slow."""

_SHORTER_SIDE: Final = 16
_MOST_POINTS: Final = 256
"""Key points that are kept of an image, the strongest ones."""

_MOST_DESCRIPTORS: Final = 4_000_000
"""Key points that are kept of all images, at 128 bytes each; of many images fewer are kept of each."""

_FEWEST_POINTS: Final = 16
_WORDS: Final = 500
_SAMPLED: Final = 50_000
"""Descriptors that words are made of."""

_POINTS_PER_WORD: Final = 20
"""Where there are fewer descriptors for each word, there are fewer words."""

_AT_ONCE: Final = 100_000


class Words:
    """Bags of visual words.

    Args:
        kind: of the key points.
        count: how many images there are, which decides how many key points of each are kept.
    """

    def __init__(self, kind: Literal["sift", "surf"], count: int) -> None:
        self._kind = kind
        self._most = max(_FEWEST_POINTS, min(_MOST_POINTS, _MOST_DESCRIPTORS // max(count, 1)))

    def needed_scale(self, size_hw: tuple[int, int]) -> float:
        """The smallest scale at which an image of this size may be decoded."""
        return min(1.0, 2 * _LONGER_SIDE / max(size_hw))

    def look(self, image: Image) -> NDArray[Any]:
        """The descriptors of its strongest key points, `(m, d)`; uint8 of SIFT, float16 of SURF; m may be 0."""
        import PIL.Image

        scale = _LONGER_SIDE / max(image.pil.size)
        width, height = (max(_SHORTER_SIDE, round(side * scale)) for side in image.pil.size)
        gray = image.pil.convert("L").resize((width, height), PIL.Image.Resampling.BICUBIC)
        points, descriptors = self._detector().detectAndCompute(np.asarray(gray), None)
        if descriptors is None or not len(points):
            return np.empty((0, 1), np.uint8)
        strongest = np.argsort([-point.response for point in points], kind="stable")[: self._most]
        return np.asarray(descriptors[strongest], np.uint8 if self._kind == "sift" else np.float16)

    def vectors(self, looks: Sequence[NDArray[Any]], fitted: NDArray[np.bool_], seed: int) -> NDArray[np.float32]:
        """The square roots of each image's shares of words, `(n, words)`; 0 everywhere where it has no key point.

        Args:
            looks: the descriptors of every image.
            fitted: bool `(n,)`; the words are made of the key points of these images only.
            seed: of the draw of descriptors, and of the clusters.
        """
        sampled = self._sample(
            [looked for looked, used in zip(looks, fitted, strict=True) if used and len(looked)], seed
        )
        if sampled is None:  # nothing that is learned from has a key point
            return np.zeros((len(looks), 1), np.float32)
        words = _clusters(sampled, seed)
        return np.sqrt(self._shares(looks, words))

    def _detector(self) -> Any:
        import cv2

        opencv: Any = cv2
        if self._kind == "surf":
            return opencv.xfeatures2d.SURF_create()
        return opencv.SIFT_create(nfeatures=self._most)

    def _sample(self, looks: Sequence[NDArray[Any]], seed: int) -> NDArray[np.float32] | None:
        if not looks:
            return None
        together = np.concatenate(looks)
        chosen = np.random.default_rng(seed).permutation(len(together))[:_SAMPLED]
        return self._scaled(together[chosen])

    def _scaled(self, descriptors: NDArray[Any]) -> NDArray[np.float32]:
        """Descriptors as they are compared: of SIFT the square roots of what adds up to 1."""
        values = descriptors.astype(np.float32)
        if self._kind == "surf":
            return values
        return np.asarray(np.sqrt(values / np.maximum(values.sum(axis=1, keepdims=True), 1)), np.float32)

    def _shares(self, looks: Sequence[NDArray[Any]], words: Any) -> NDArray[np.float32]:
        """Of each image's key points, the share of each word, `(n, words)`."""
        width = len(words.cluster_centers_)
        counts = np.zeros((len(looks), width), np.float32)
        step = max(1, _AT_ONCE // self._most)
        for start in range(0, len(looks), step):
            part = looks[start : start + step]
            owners = np.repeat(np.arange(start, start + len(part)), [len(looked) for looked in part])
            described = [looked for looked in part if len(looked)]
            if described:
                np.add.at(counts, (owners, words.predict(self._scaled(np.concatenate(described)))), 1)
        return np.asarray(counts / np.maximum(counts.sum(axis=1, keepdims=True), 1), np.float32)


def _clusters(sampled: NDArray[np.float32], seed: int) -> Any:
    from sklearn.cluster import MiniBatchKMeans

    count = min(_WORDS, max(1, len(sampled) // _POINTS_PER_WORD), len(np.unique(sampled, axis=0)))
    clusters = MiniBatchKMeans(count, batch_size=4096, max_iter=20, n_init=1, random_state=seed)
    return clusters.fit(sampled)
