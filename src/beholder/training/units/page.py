"""The page of a look into a network: maps of an image, what units answer to, and how that changes with depth."""

from __future__ import annotations

import base64
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from beholder.data.listing import counted
from beholder.evaluation.intervals import rounded
from beholder.evaluation.report import percent
from beholder.evaluation.report.markup import exact, name, section, text
from beholder.files import write_atomic
from beholder.result.pages import fill_page
from beholder.training.units.charts import probe_chart, selectivity_chart
from beholder.training.units.drawing import Pixels, jpeg, map_png, palette, shown_hw
from beholder.training.units.parts import Excited, StageStudy, Study, Unit

_LABELLED: Final = (
    "A unit’s preferred class is chosen on one half of the images and its selectivity taken on the other, both ways. "
    "Units shown are the most selective of their stage, of different classes where there are."
)
_UNLABELLED: Final = "Units shown are the sparsest of their stage: 0 answers to all images alike, 1 to a single one."

_TEMPLATE: Final = Path(__file__).with_name("page.html")

PREFERRING: Final = 1 / 3
"""From this selectivity on, twice as strong for one class as for the others, a unit is called by that class."""

SPECIFIC: Final = 0.05
"""By so much the mean selectivity must grow from the first stage to the last, to be called so."""

MOST_BARS: Final = 24
"""Of more classes, a unit's strengths are not drawn one by one."""


def write_page(
    study: Study, out: str | os.PathLike[str], *, answer: str | None = None, overwrite: bool = False
) -> Path:
    """Write the page; it needs nothing else.

    Args:
        study: what was seen.
        out: the file to make.
        answer: what the model says of the image on its way, in words.
        overwrite: whether an earlier file may be replaced.

    Raises:
        OutputExists: the file exists and `overwrite` is false.
        OutputFailed: it cannot be written.
    """
    with write_atomic(out, overwrite=overwrite) as stream:
        stream.write(page_html(study, answer).encode())
    return Path(out)


def page_html(study: Study, answer: str | None = None) -> str:
    """The page as text; arguments as in `write_page`."""
    sections = [_overview(study), _way(study, answer), *(_units(study, stage) for stage in study.stages)]
    stages = "".join(f'<a href="#{_anchor(stage)}">{text(stage.stage.name)}</a>' for stage in study.stages)
    depth = '<a href="#depth">By depth</a>' if study.classes else ""
    failed = len(study.failures)
    notes = [*study.notes, *([f"{counted(failed, 'image')} could not be read and left out."] if failed else [])]
    values = {
        "model": text(study.model),
        "hero": _hero(study),
        "navigation": f'{depth}<a href="#way">One image</a>{stages}',
        "sections": "".join(sections),
        "notes": "".join(f"<li>{text(note)}</li>" for note in notes),
        "images": counted(study.images, "image"),
        "choice": _LABELLED if study.classes else _UNLABELLED,
        "source": text(study.source),
        "colors": ", ".join(f"rgb({red} {green} {blue})" for red, green, blue in palette()[::51].tolist()),
    }
    return fill_page(_TEMPLATE, values)


def _hero(study: Study) -> str:
    looks = counted(study.images, "image")
    looks += f" of {counted(len(study.classes), 'class', 'classes')}" if study.classes else ", without labels"
    units = sum(stage.units for stage in study.stages)
    if _grows_specific(study):
        big = "<strong>General, then specific</strong> as an image goes through the network"
    else:
        big = (
            f"<strong>{exact(len(study.stages), str(len(study.stages)))} stages</strong> from the pixels to the answer"
        )
    parts = (
        f'<p class="big">{big}</p><p class="looked">An image passes through the network stage by stage. Each stage is '
        "made of <b>units</b>, and each unit draws a <b>map</b>: bright where it finds what it answers to, dark where "
        f"it does not. Here are {len(study.stages)} stages with {exact(units, f'{units:,}')} units, and what they made "
        f"of {looks}.</p>"
    )
    return f"<div>{parts}</div>{_first_and_last(study.stages[0], study.stages[-1])}"


def _grows_specific(study: Study) -> bool:
    """Whether the last stage is plainly more selective than the first, as in a network that has learned."""
    first, last = study.stages[0].selectivity, study.stages[-1].selectivity
    return first is not None and last is not None and last >= first + SPECIFIC


def _first_and_last(first: StageStudy, last: StageStudy) -> str:
    """A unit of the first stage beside one of the last."""
    shown = [(stage, stage.telling[0], title) for stage, title in ((first, "early"), (last, "late")) if stage.telling]
    figures = "".join(
        f"<figure>{_grid(unit.excited_by)}<figcaption><b>{title}</b> {_in_short(stage, unit)}</figcaption></figure>"
        for stage, unit, title in shown
    )
    return f'<div class="pair">{figures}</div>'


def _in_short(stage: StageStudy, unit: Unit) -> str:
    """What excites a unit, in a few words."""
    where = f"unit {unit.number} of {'stage ' if stage.stage.name.startswith('Stage') else 'the '}"
    where += text(stage.stage.name.lower().removeprefix("stage "))
    if unit.label is None:
        return where
    if unit.index < PREFERRING:
        return f"{where}: no class in particular"
    return f"{where}: {_times(unit.index)} for {name(unit.label)}"


def _overview(study: Study) -> str:
    if not study.classes:
        return ""
    plots = (
        f"<figure><h3>How specific units are</h3>{selectivity_chart(study.stages)}<figcaption>0: as strong for every "
        "class. 1: silent for all but one. The dot is the mean of a stage’s units, the bar holds the middle half of "
        "them.</figcaption></figure>"
    )
    if any(stage.probe.value is not None for stage in study.stages):
        plots += (
            f"<figure><h3>How well classes come apart</h3>{probe_chart(study.stages, 1 / len(study.classes))}"
            "<figcaption>A linear head on each stage alone, every image told by a head that was fitted without it. The "
            "thin lines are 95% intervals.</figcaption></figure>"
        )
    title = "Early stages are general, late ones specific" if _grows_specific(study) else "From stage to stage"
    return section("depth", title, _said(study), f'<div class="two">{plots}</div>')


def _said(study: Study) -> str:
    """What the two plots say, in words, whatever that is."""
    first, last = study.stages[0], study.stages[-1]
    said = ""
    if first.selectivity is not None and last.selectivity is not None:
        said = (
            f"A unit’s selectivity is {_index(first.selectivity)} in the mean at the first stage and "
            f"{_index(last.selectivity)} at the last."
        )
    if first.probe.value is not None and last.probe.value is not None:
        said += (
            " From the first stage alone a linear head tells "
            f"{exact(first.probe.value, percent(first.probe.value))} of the images right, from the last "
            f"{exact(last.probe.value, percent(last.probe.value))}."
        )
    return (
        f"{said} What is early serves any task; what is late was learned for one." if _grows_specific(study) else said
    )


def _way(study: Study, answer: str | None) -> str:
    rows = "".join(_way_row(stage) for stage in study.stages if stage.active)
    said = f'<div class="answer"><b>What it says</b><p>{text(answer)}</p></div>' if answer else ""
    picture = f'<img class="input" src="{_jpeg_uri(study.input, 85)}" alt="{text(study.image_name)}">'
    start = (
        f'<div class="start">{picture}<div><b>What goes in</b><p class="file">{name(study.image_name)}</p>'
        f"<p>{study.input.shape[1]} × {study.input.shape[0]} pixels. Below are the maps of the units that it excites "
        "most beyond what is usual for them; bright is loud, dark is silent.</p>"
        '<p class="scale"><span>silent</span><i></i><span>loud</span></p></div></div>'
    )
    lead = (
        "Maps grow smaller and units more: where things are is given up for what they are. Early maps look like the "
        "image, late ones mark a few places."
    )
    return section("way", "One image on its way", lead, start, f'<div class="way">{rows}</div>', said)


def _way_row(stage: StageStudy) -> str:
    maps = "".join(
        f'<img src="data:image/png;base64,{base64.b64encode(map_png(values)).decode()}" alt="map of unit {unit}" '
        f'title="unit {unit}" loading="lazy">'
        for unit, values in stage.active
    )
    about = f'<div class="about"><b>{text(stage.stage.name)}</b>{_facts(stage)}</div>'
    return f'<div class="row">{about}<div class="maps" style="--maps:{len(stage.active)}">{maps}</div></div>'


def _facts(stage: StageStudy) -> str:
    facts = [f"{exact(stage.units, f'{stage.units:,}')} units"]
    if stage.map_hw is not None:
        facts.append(f"maps of {stage.map_hw[1]} × {stage.map_hw[0]}")
    return "".join(f"<span>{fact}</span>" for fact in facts)


def _units(study: Study, stage: StageStudy) -> str:
    cards = "".join(_card(study, unit) for unit in stage.telling)
    numbers = [f"{exact(stage.units, f'{stage.units:,}')} units"]
    if stage.selectivity is not None:
        numbers.append(f"selectivity {_index(stage.selectivity)} in the mean")
    if stage.probe.value is not None:
        numbers.append(f"a linear head tells {exact(stage.probe.value, percent(stage.probe.value))} right")
    if stage.silent:
        numbers.append(f"{exact(stage.silent, f'{stage.silent:,}')} never answer")
    lead = f"{_sees(study, stage)} {'; '.join(numbers)}."
    if not cards:
        cards = "<li>No unit answers to images enough to be shown.</li>"
    tensor = f'<p class="note">In the graph: <code>{text(stage.stage.tensor)}</code></p>'
    return section(_anchor(stage), text(stage.stage.name), lead, f'<ul class="cards">{cards}</ul>', tensor)


def _sees(study: Study, stage: StageStudy) -> str:
    """What is shown of the images, and why."""
    if stage.map_hw is None:
        return "It has no maps, but one value of each unit for an image: whole images are shown."
    height, width = study.input.shape[:2]
    sight = stage.stage.sight
    shown = shown_hw(sight, (height, width))
    if sight is None or shown is None:
        return "A place of its maps can see all of the image. In color: where the unit answers."
    seen = min(width, round(sight.size_yx[1])), min(height, round(sight.size_yx[0]))
    said = f"A place of its maps sees {seen[0]} × {seen[1]} pixels of the image"
    if shown != (seen[1], seen[0]):
        return f"{said}, their middle best: shown are {shown[1]} × {shown[0]} around the peak."
    return f"{said}: those around the peak are shown."


def _card(study: Study, unit: Unit) -> str:
    if unit.label is None:
        said = f"<b>unit {unit.number}</b><p>sparseness {_index(unit.index)}</p>"
    else:
        own = sum(found.label == unit.label for found in unit.excited_by)
        times, index = _times(unit.index), _index(unit.index)
        if unit.index < PREFERRING:
            title = "no class in particular"
            how = f"most: {name(unit.label)}, {times}" if times else "all about alike"
        else:
            title, how = name(unit.label), f"{times} as for the others"
        said = (
            f"<b>{title}</b><p>{how}</p>{_bars(study, unit)}<p>{own} of the {len(unit.excited_by)} are "
            f"{name(unit.label)} · selectivity {index} · unit {unit.number}</p>"
        )
    return f'<li>{_grid(unit.excited_by)}<div class="words">{said}</div></li>'


def _index(value: float) -> str:
    return exact(rounded(value), f"{value:.2f}")


def _times(index: float) -> str:
    """How many times as strong an index means; nothing where it hardly is."""
    if index < 0.05:
        return ""
    if index > 0.98:
        return "more than 99 times as strong"
    times = (1 + index) / (1 - index)
    return f"{times:.0f} times as strong" if times >= 10 else f"{times:.1f} times as strong"


def _bars(study: Study, unit: Unit) -> str:
    """How strongly a unit answers to each class."""
    if len(study.classes) > MOST_BARS:
        return ""
    bars = "".join(
        f'<i{" class=own" if label == unit.label else ""} style="height:{max(3, round(100 * share))}%" '
        f'title="{text(label)}: {percent(share, 0)} of the strongest"></i>'
        for label, share in zip(study.classes, unit.by_class, strict=True)
    )
    return f'<div class="bars" role="img" aria-label="how strong for each class">{bars}</div>'


def _grid(excited_by: Sequence[Excited]) -> str:
    tiles = "".join(
        f'<img src="{_jpeg_uri(found.pixels)}" alt="{text(found.label or found.name)}" title="{_tip(found)}" '
        'loading="lazy">'
        for found in excited_by
    )
    return f'<div class="grid">{tiles}</div>'


def _tip(found: Excited) -> str:
    return text(found.name if found.label is None else f"{found.label}: {found.name}")


def _jpeg_uri(pixels: Pixels, quality: int = 78) -> str:
    return f"data:image/jpeg;base64,{base64.b64encode(jpeg(pixels, quality)).decode()}"


def _anchor(stage: StageStudy) -> str:
    return stage.stage.name.lower().replace(" ", "-")
