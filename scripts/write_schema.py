"""Write the published JSON Schema of the model card.

python scripts/write_schema.py            writes src/beholder/model/card.schema.json
python scripts/write_schema.py --check    exits with 1 when it is not up to date
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from beholder.model import card

PATH = Path(card.__file__).with_name("card.schema.json")


def schema_text() -> str:
    """The schema as it is published."""
    return json.dumps(card.card_json_schema(), indent=2, ensure_ascii=False) + "\n"


def main(arguments: list[str]) -> int:
    """Write the file, or check it."""
    if arguments not in ([], ["--check"]):
        print(__doc__, file=sys.stderr)
        return 2
    if not arguments:
        PATH.write_text(schema_text(), encoding="utf-8")
    elif not PATH.is_file() or PATH.read_text(encoding="utf-8") != schema_text():
        print(f"{PATH}: is not up to date; run: python scripts/write_schema.py", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
