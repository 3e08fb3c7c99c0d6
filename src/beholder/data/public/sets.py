"""Well-known public sets: where they are, what must arrive, on what terms, and what they do not stand for.

Digests and sizes: the official pages of CIFAR-10 (MD5 c32a1d4a…) and Fashion-MNIST (MD5), torchvision's and TensorFlow
Datasets' tables of checksums, which agree where they name the same file.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from beholder.data.public import unpacking
from beholder.data.writing import Progress

Unpack = Callable[[Mapping[str, Path], Path, Progress | None], None]
"""From the files that arrived, by name, to a folder per split and class."""


@dataclass(frozen=True, slots=True)
class PublicFile:
    """A file to fetch.

    Attributes:
        url: where it is.
        size: in bytes.
        digest: `sha256:…` or `md5:…` of its bytes; MD5 where no better one was published.
    """

    url: str
    size: int
    digest: str

    @property
    def name(self) -> str:
        """Its name without folders."""
        return self.url.rpartition("/")[2]


@dataclass(frozen=True, slots=True)
class PublicSet:
    """A public set.

    Attributes:
        name: what to fetch it by.
        title: as its authors call it.
        images: how many there are.
        classes: how many there are.
        license: the terms, as far as its authors state any.
        not_represented: what a model that does well on it may still fail at.
        citation: the paper that introduced it.
        files: what is fetched.
        unpack: makes a folder of it.
        elsewhere: how to get it without this network; empty where there is no other way.
    """

    name: str
    title: str
    images: int
    classes: int
    license: str
    not_represented: str
    citation: str
    files: tuple[PublicFile, ...]
    unpack: Unpack
    elsewhere: str = ""

    @property
    def size(self) -> int:
        """Bytes to fetch."""
        return sum(file.size for file in self.files)

    def about(self) -> str:
        """A page for the person who uses it; it lies beside the images."""
        files = "\n".join(f"  {file.url}\n    {file.size:,} bytes, {file.digest}" for file in self.files)
        return (
            f"{self.title}: {self.images:,} images of {self.classes} classes.\n\nLicense: {self.license}\n\n"
            f"Not represented: {self.not_represented}\n\nCite: {self.citation}\n\nFetched from:\n{files}\n"
        )


_CIFAR: Final = "https://www.cs.toronto.edu/~kriz"
_CIFAR_LICENSE: Final = (
    "none stated. The images were collected from the web without their makers being asked; the collection that they "
    "are a part of, Tiny Images, was withdrawn by its authors in 2020 because of offensive labels and images."
)
_CIFAR_LIMITS: Final = (
    "32 x 32 pixels: no detail, one centered object each, photographs found on the web before 2009. Some test images "
    "are nearly the same as training images (3.3% in CIFAR-10, 10% in CIFAR-100: Barz and Denzler, Journal of Imaging "
    "2020)."
)
_CIFAR_PAPER: Final = "Krizhevsky, Learning Multiple Layers of Features from Tiny Images, 2009."
_FASHION: Final = (
    "https://raw.githubusercontent.com/zalandoresearch/fashion-mnist/b2617bb6d3ffa2e429640350f613e3291e10b141"
)
_FLOWERS: Final = "https://www.robots.ox.ac.uk/~vgg/data/flowers/102"
_PETS: Final = "https://www.robots.ox.ac.uk/~vgg/data/pets/data"

_ALL: Final = (
    PublicSet(
        name="cifar10",
        title="CIFAR-10",
        images=60_000,
        classes=10,
        license=_CIFAR_LICENSE,
        not_represented=_CIFAR_LIMITS,
        citation=_CIFAR_PAPER,
        files=(
            PublicFile(
                f"{_CIFAR}/cifar-10-binary.tar.gz",
                170_052_171,
                "sha256:c4a38c50a1bc5f3a1c5537f2155ab9d68f9f25eb1ed8d9ddda3db29a59bca1dd",
            ),
        ),
        unpack=unpacking.cifar10,
    ),
    PublicSet(
        name="cifar100",
        title="CIFAR-100",
        images=60_000,
        classes=100,
        license=_CIFAR_LICENSE,
        not_represented=_CIFAR_LIMITS,
        citation=_CIFAR_PAPER,
        files=(
            PublicFile(
                f"{_CIFAR}/cifar-100-binary.tar.gz",
                168_513_733,
                "sha256:58a81ae192c23a4be8b1804d68e518ed807d710a4eb253b1f2a199162a40d8ec",
            ),
        ),
        unpack=unpacking.cifar100,
    ),
    PublicSet(
        name="fashion-mnist",
        title="Fashion-MNIST",
        images=70_000,
        classes=10,
        license="MIT, Copyright 2017 Zalando SE.",
        not_represented=(
            "28 x 28 gray pixels of single garments from one shop's catalog, cut out on black: no people, no color, no "
            "background, no wear. Shirt, T-shirt, pullover and coat are often not to be told apart at that size."
        ),
        citation="Xiao, Rasul, Vollgraf, Fashion-MNIST, arXiv:1708.07747, 2017.",
        files=(
            PublicFile(
                f"{_FASHION}/data/fashion/train-images-idx3-ubyte.gz",
                26_421_880,
                "sha256:3aede38d61863908ad78613f6a32ed271626dd12800ba2636569512369268a84",
            ),
            PublicFile(
                f"{_FASHION}/data/fashion/train-labels-idx1-ubyte.gz",
                29_515,
                "sha256:a04f17134ac03560a47e3764e11b92fc97de4d1bfaf8ba1a3aa29af54cc90845",
            ),
            PublicFile(
                f"{_FASHION}/data/fashion/t10k-images-idx3-ubyte.gz",
                4_422_102,
                "sha256:346e55b948d973a97e58d2351dde16a484bd415d4595297633bb08f03db6a073",
            ),
            PublicFile(
                f"{_FASHION}/data/fashion/t10k-labels-idx1-ubyte.gz",
                5_148,
                "sha256:67da17c76eaffca5446c3361aaab5c3cd6d1c2608764d35dfb1850b086bf8dd5",
            ),
        ),
        unpack=unpacking.idx,
        elsewhere=(
            "Debian's package dataset-fashion-mnist has it; then: "
            "beholder dataset convert /usr/share/datasets/fashion-mnist FOLDER"
        ),
    ),
    PublicSet(
        name="imagenette",
        title="Imagenette 2, 320 pixels",
        images=13_394,
        classes=10,
        license=(
            "the selection is Apache-2.0; the photographs are ImageNet's, which may be used for non-commercial "
            "research and education only, and whose makers keep their rights."
        ),
        not_represented=(
            "ten classes that are easy to tell apart, chosen for that. Nearly every pretrained network has seen its "
            "images, so that results on it do not tell how well a network does on new ones."
        ),
        citation="Howard, Imagenette, https://github.com/fastai/imagenette, 2019.",
        files=(
            PublicFile(
                "https://s3.amazonaws.com/fast-ai-imageclas/imagenette2-320.tgz",
                341_663_724,
                "md5:3df6f0d01a2c9592104656642f5e78a3",
            ),
        ),
        unpack=unpacking.imagenette,
    ),
    PublicSet(
        name="flowers102",
        title="Oxford 102 Category Flower Dataset",
        images=8_189,
        classes=102,
        license="none stated; the photographs are from the web and from their authors' own cameras.",
        not_represented=(
            "flowers that are common in the United Kingdom, in bloom, large in the picture. The test split is six "
            "times as large as the training split."
        ),
        citation="Nilsback, Zisserman, Automated Flower Classification over a Large Number of Classes, ICVGIP 2008.",
        files=(
            PublicFile(
                f"{_FLOWERS}/102flowers.tgz",
                344_862_509,
                "sha256:2d01ecc807db462958cfe3d92f57a8c252b4abd240eb955770201e45f783b246",
            ),
            PublicFile(
                f"{_FLOWERS}/imagelabels.mat",
                502,
                "sha256:4903e94206bac23bf772aadf06451916df56b58fc483a62db32a97b82656651d",
            ),
            PublicFile(
                f"{_FLOWERS}/setid.mat",
                14_989,
                "sha256:46b8678f91fd95d3c8f4feab80d271a6c834a1dd896fe29fd3e6ad9ce5c8dccd",
            ),
        ),
        unpack=unpacking.flowers,
    ),
    PublicSet(
        name="pets",
        title="Oxford-IIIT Pet Dataset",
        images=7_349,
        classes=37,
        license=(
            "CC BY-SA 4.0 by its page; the README inside says for research only. The makers of the photographs keep "
            "their rights."
        ),
        not_represented=(
            "37 breeds of cats and dogs, as their owners show them on the web: no mixed breeds, no other animals, "
            "seldom more than one animal, good light."
        ),
        citation="Parkhi, Vedaldi, Zisserman, Jawahar, Cats and Dogs, CVPR 2012.",
        files=(
            PublicFile(
                f"{_PETS}/images.tar.gz",
                791_918_971,
                "sha256:67195c5e1c01f1ab5f9b6a5d22b8c27a580d896ece458917e61d459337fa318d",
            ),
            PublicFile(
                f"{_PETS}/annotations.tar.gz",
                19_173_078,
                "sha256:52425fb6de5c424942b7626b428656fcbd798db970a937df61750c0f1d358e91",
            ),
        ),
        unpack=unpacking.pets,
    ),
)

PUBLIC_SETS: Final[Mapping[str, PublicSet]] = {found.name: found for found in _ALL}
