"""Short programs that run a model file with stock ONNX Runtime, and give the same answer as Beholder."""

from __future__ import annotations

import json
from pathlib import Path
from string import Template
from typing import Final, Literal

from beholder.errors import WrongTask
from beholder.model.card import ModelCard
from beholder.model.geometry import Geometry

Language = Literal["python", "js"]

_TEMPLATES: Final = Path(__file__).with_name("snippets")

_PYTHON_ANSWER: Final = {
    "classify": """\
(probabilities,) = session.run(["probabilities"], {"image": pixels})
for index in np.argsort(-probabilities[0], kind="stable")[:5]:
    print(f"{probabilities[0, index]:.6f}  {card['labels'][index]}")""",
    "embed": """\
(embedding,) = session.run(["embedding"], {"image": pixels})
print(json.dumps([float(str(value)) for value in embedding[0]]))""",
}

_JS_ANSWER: Final = {
    "classify": """\
  const { probabilities } = await session.run({ image });
  return Array.from(probabilities.data, (confidence, index) => ({ name: card.labels[index], confidence }))
    .sort((a, b) => b.confidence - a.confidence).slice(0, 5);""",
    "embed": """\
  const { embedding } = await session.run({ image });
  return Array.from(embedding.data);""",
}

_JS_FILTERS: Final = {  # support and weight at a distance, as in Pillow's Resample.c
    "box": ("0.5", "(x) => (x <= 0.5 ? 1 : 0)"),
    "bilinear": ("1", "(x) => Math.max(0, 1 - x)"),
    "hamming": (
        "1",
        "(x) => (x === 0 ? 1 : x >= 1 ? 0 : (Math.sin(Math.PI * x) / (Math.PI * x)) * "
        "(0.54 + 0.46 * Math.cos(Math.PI * x)))",
    ),
    "bicubic": (
        "2",
        "(x) => (x < 1 ? (1.5 * x - 2.5) * x * x + 1 : x < 2 ? ((-0.5 * x + 2.5) * x - 4) * x + 2 : 0)",
    ),
    "lanczos": (
        "3",
        "(x) => (x === 0 ? 1 : x >= 3 ? 0 : (3 * Math.sin(Math.PI * x) * Math.sin((Math.PI * x) / 3)) / "
        "(Math.PI * x) ** 2)",
    ),
}


def snippet(path: Path, card: ModelCard, language: Language) -> str:
    """A program that runs a model file with ONNX Runtime alone.

    Args:
        path: the model file.
        card: its card.
        language: `python`, or `js` for a browser or Node.

    Raises:
        WrongTask: there is no program for the model's task, geometry or filter.
    """
    answers = _PYTHON_ANSWER if language == "python" else _JS_ANSWER
    if card.task not in answers:
        raise WrongTask(f"{card.name}: a snippet can be had for {' and '.join(answers)}, not for {card.task}")
    if card.geometry.method == "letterbox" or card.geometry.resample == "nearest":
        raise WrongTask(f"{card.name}: no snippet for {card.geometry.method} with the filter {card.geometry.resample}")
    template = Template((_TEMPLATES / f"{language}.txt").read_text(encoding="utf-8"))
    parts = _python_parts(card.geometry) if language == "python" else _js_parts(card.geometry)
    text = template.substitute(
        file="".join(character if character.isprintable() else "?" for character in path.name),
        path=json.dumps(str(path), ensure_ascii=False) if str(path).isprintable() else repr(str(path)),
        url=json.dumps(path.name),
        answer=answers[card.task],
        **parts,
    )
    return text.replace("\n\n\n", "\n\n")


def _python_parts(geometry: Geometry) -> dict[str, str]:
    height, width = geometry.size_hw
    names = ("io", "json", "math", "os", "sys") if geometry.draft is not None else ("io", "json", "os", "sys")
    imports = "\n".join(f"import {name}" for name in names)
    resize = f"image = image.resize(({width}, {height}), Image.Resampling.{geometry.resample.upper()}"
    if geometry.method == "squash":
        needed = f"max({width} / upright[0], {height} / upright[1])"
        return {"imports": imports, "draft": _python_draft(geometry, needed), "geometry": f"{resize})"}
    lines = (
        f"scale = min(image.size) / {geometry.resize}  # shorter side to {geometry.resize}, the center is kept",
        f"left, top = max(0, (image.width - {width} * scale) / 2), max(0, (image.height - {height} * scale) / 2)",
        f"right, bottom = min(image.width, left + {width} * scale), min(image.height, top + {height} * scale)",
        f"{resize}, box=(left, top, right, bottom))",
    )
    draft = _python_draft(geometry, f"{geometry.resize} / min(image.size)")
    return {"imports": imports, "draft": draft, "geometry": "\n".join(lines)}


def _python_draft(geometry: Geometry, needed: str) -> str:
    if geometry.draft is None:
        return ""
    turned = "upright = image.size[::-1] if image.getexif().get(274, 1) >= 5 else image.size\n"
    return (
        f"{turned if 'upright' in needed else ''}"
        f"needed = {geometry.draft:g} * {needed}  # large JPEGs are decoded at 1/2, 1/4 or 1/8\n"
        'if needed < 1 and image.format in ("JPEG", "MPO"):\n'
        "    image.draft(None, (math.ceil(image.width * needed), math.ceil(image.height * needed)))"
    )


def _js_parts(geometry: Geometry) -> dict[str, str]:
    support, weight = _JS_FILTERS[geometry.resample]
    if geometry.method == "squash":
        box = "  const left = 0, top = 0, right = width, bottom = height;"
    else:
        box = (
            "  const scale = Math.min(width, height) / card.geometry.resize;\n"
            "  const left = (width - inputWidth * scale) / 2, top = (height - inputHeight * scale) / 2;\n"
            "  const right = left + inputWidth * scale, bottom = top + inputHeight * scale;"
        )
    return {"geometry": box, "support": support, "filter": weight}
