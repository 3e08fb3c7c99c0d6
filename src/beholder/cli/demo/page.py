"""The demo's page: what happened, with every image, in one file that needs nothing else."""

from __future__ import annotations

import base64
from collections.abc import Iterable
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Final

import PIL.Image

from beholder.cli.demo.story import Fault, Story, Stranger
from beholder.cli.demo.tiles import CLASSES
from beholder.evaluation.report.markup import section, share_range, share_value, table, text
from beholder.files import write_atomic
from beholder.result.pages import fill_page

if TYPE_CHECKING:
    from beholder.auditing import Finding
    from beholder.evaluation import Estimate
    from beholder.result import Classification

_TEMPLATE: Final = Path(__file__).with_name("page.html")
_STRANGER_SIDE: Final = 640


def write_page(story: Story, folder: Path) -> Path:
    """Write `index.html` into the demo's folder.

    Raises:
        OutputFailed: it cannot be written.
    """
    sections = (
        _folder(story),
        _faults(story),
        _fixed(story),
        _answers(story),
        _strangers(story.strangers),
        _care(),
        _yours(story, folder),
    )
    values = {"lead": _lead(story), "tiles": _tiles(story), "sections": "".join(sections)}
    page = folder / "index.html"
    with write_atomic(page, overwrite=True) as stream:
        stream.write(fill_page(_TEMPLATE, values).encode())
    return page


def _lead(story: Story) -> str:
    return (
        f"Three photographs, cut into tiles, with {len(story.faults)} faults planted among them. Everything on this "
        f"page happened on this machine in {story.seconds:.0f} seconds, without a network: a model was trained, the "
        "faults were found and fixed, it was trained again, and asked about tiles that it had never seen."
    )


def _tiles(story: Story) -> str:
    wrong = len(story.answers) - story.right_count - story.unanswered_count
    unknown = sum(bool(one.answer.unknown) for one in story.strangers)
    numbers = (
        (f"{story.found_count} of {len(story.faults)}", "planted faults found, with the right fix"),
        (
            f"{story.right_count} of {len(story.answers)}",
            f"tiles it has never seen answered rightly; {story.unanswered_count} “unknown”, {wrong or 'none'} wrong",
        ),
        (f"{unknown} of {len(story.strangers)}", "strangers answered “unknown”"),
        (f"{story.seconds:.0f} s", "from the photographs to this page"),
    )
    return "".join(f'<div class="tile"><b>{value}</b><span>{words}</span></div>' for value, words in numbers)


def _folder(story: Story) -> str:
    faulty = {fault.source for fault in story.faults}
    rows = []
    for name in CLASSES:
        files = sorted((story.planted.training / name).iterdir())
        images = "".join(
            f"<li{' class=bad' if f'{name}/{file.name}' in faulty else ''}>{_image(file, file.name)}</li>"
            for file in files
        )
        head = f'<div><h3>{name}/</h3><p class="note">{len(files)} images</p></div>'
        rows.append(f'<div class="class">{head}<ul class="strip">{images}</ul></div>')
    lead = (
        "A folder for each class is all that is needed. Outlined are the planted faults, of which nothing else tells."
    )
    return section("folder", "The folder", lead, *rows)


def _faults(story: Story) -> str:
    cards = "".join(_fault(fault, story.planted.training) for fault in story.faults)
    lead = (
        "The audit looks for broken files, copies, and labels that a model which has not seen the image finds "
        "implausible. It proposes a fix for each; the files themselves are never touched."
    )
    more = ""
    if story.others:
        reasons = "".join(f"<li>{_source(one, story)}{text(one.reason)}</li>" for one in story.others[:5])
        rest = f"<li>and {len(story.others) - 5} more</li>" if len(story.others) > 5 else ""
        more = f'<div class="also"><h3>It also said</h3><ul>{reasons}{rest}</ul></div>'
    return section("faults", "What was wrong with it", lead, f'<ul class="faults">{cards}</ul>', more)


def _source(finding: Finding, story: Story) -> str:
    """Which image a finding is about; nothing where it is about all of them."""
    return f"{text(finding.source)}: " if (story.planted.training / finding.source).is_file() else ""


def _fault(fault: Fault, training: Path) -> str:
    image = _image(training / fault.source, fault.what)
    said = '<p class="missed">missed</p>'
    if fault.finding is not None:
        verdict = '<p class="found">found</p>' if fault.is_right else '<p class="missed">found, but not why</p>'
        said = f"{verdict}<p>{_said(fault.finding, fault.source)}</p>"
    return f"<li>{image}<div><h3>{text(fault.what)}</h3><p>{text(fault.source)}</p>{said}</div></li>"


def _said(finding: Finding, source: str) -> str:
    """What was found, beside the image of a name: another that it is about is named."""
    about = "" if finding.source == source else f"{text(finding.source)}: "
    return about + " ".join(text(part) for part in (finding.reason, finding.proposal) if part)


def _fixed(story: Story) -> str:
    first, second = story.left_out
    rows = (
        (
            "its own tiles, each left out of training in turn and compared with its label",
            _share(first.top1),
            _share(second.top1),
        ),
        ("held-out tiles, from another region of each photograph", _share(story.before.top1), _share(story.after.top1)),
    )
    lead = (
        "Right first answers before and after, “unknown” or not. The first line counts a wrong label as a mistake of "
        "the model, which is how it was found, and the corrected one as right. A range holds the true share 19 times "
        "of 20."
    )
    return section(
        "fixed", "Fixed, and trained again", lead, table(("measured on", "with the faults", "corrected"), rows)
    )


def _share(measured: Estimate) -> str:
    return f"{share_value(measured)}{share_range(measured, 'tiles')}"


def _answers(story: Story) -> str:
    items = "".join(_answer(truth, answer) for truth, answer in story.answers)
    lead = (
        "What the corrected model says of each held-out tile, with its confidence. About 5 of 100 known images may be "
        "answered “unknown”: that is the price, which you can set, of finding strangers."
    )
    return section("answers", "Tiles it has never seen", lead, f'<ul class="answers">{items}</ul>')


def _answer(truth: str, answer: Classification) -> str:
    if answer.unknown:
        kind, said = "unknown", f"unknown ({truth})"
    elif answer.label == truth:
        kind, said = "right", f"{answer.label} {_sure(answer.confidence)}"
    else:
        kind, said = "wrong", f"{answer.label} {_sure(answer.confidence)}, is {truth}"
    return f'<li class="{kind}">{_image(Path(answer.source), said)}<span>{text(said)}</span></li>'


def _sure(confidence: float) -> str:
    return ">99%" if confidence > 0.99 else f"{confidence:.0%}"


def _strangers(strangers: Iterable[Stranger]) -> str:
    items = []
    for one in strangers:
        unknown = bool(one.answer.unknown)
        said = "unknown" if unknown else f"{one.answer.label}, which is wrong"
        picture = _image(one.path, f"a {one.what}", _STRANGER_SIDE)
        items.append(f'<li class="{"right" if unknown else "wrong"}">{picture}<b>{text(said)}</b></li>')
    lead = "A model that knows three textures is asked about a cat and a cup. It must not call them gravel."
    return section("strangers", "What it was never taught", lead, f'<ul class="strangers">{"".join(items)}</ul>')


def _care() -> str:
    lead = (
        "Each class came from one photograph. These numbers say how well other tiles of the same photographs are told "
        "apart, not how well brick, grass and gravel are, anywhere, in any light. Images of your own should come from "
        "many places, days and cameras, and so should those you test on."
    )
    return section("care", "What this does not show", lead).replace("<section", '<section class="care"', 1)


def _yours(story: Story, folder: Path) -> str:
    commands = (
        ("beholder train FOLDER", "a folder of images for each class; about 100 of each is plenty"),
        ("beholder audit FOLDER", "what is wrong with images and labels; --fix leaves out what is broken or twice"),
        ("beholder predict NEW --model FOLDER.onnx", "what is in new images"),
        ("beholder evaluate FOLDER.onnx OTHER", "how good it is on images from elsewhere"),
    )
    lines = "\n".join(f"{command:<42}<i># {text(words)}</i>" for command, words in commands)
    lead = "The same four commands work on your images, offline."
    kept = (
        f'<p class="note">The images and the model of this page are in {text(folder.resolve())}; the report of its '
        f"training is {text(story.report)}.</p>"
    )
    return section("yours", "Now yours", lead, f"<pre>{lines}</pre>", kept)


def _image(path: Path, words: str, side: int | None = None) -> str:
    """An image inside the page; stripes for a file that is broken."""
    try:
        with PIL.Image.open(path) as opened:
            image = opened.convert("RGB")
    except (OSError, SyntaxError):
        return '<div class="nothing" title="cannot be read"></div>'
    if side is not None:
        image.thumbnail((side, side))
    stream = BytesIO()
    image.save(stream, "JPEG", quality=85)
    data = base64.b64encode(stream.getvalue()).decode()
    return f'<img src="data:image/jpeg;base64,{data}" alt="{text(words)}">'
