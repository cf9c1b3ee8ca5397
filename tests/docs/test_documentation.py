"""The documentation's tables come from the records, its drawings from the code, and README's links lead somewhere."""

import re
from pathlib import Path

import pytest

from camera.formats import FORMATS
from docs import draw, tables
from pipelines import NAMES, method

ROOT = Path(__file__).parents[2]


def test_a_page_shows_every_setting_of_a_method_with_its_range():
    page = tables.on_page_markdown("# GEN3C\n\n{{ settings: gen3c }}\n")
    for name, control in method("gen3c").settings.controls().items():
        assert f"| `{name}` | {control.label} |" in page
    assert "| `steps` | Steps | 2 to 100 | `35` |" in page


def test_a_table_that_is_not_known_stops_the_build():
    with pytest.raises(KeyError, match="sliders"):
        tables.on_page_markdown("{{ sliders }}")


def test_every_method_and_path_format_has_its_row():
    assert all(method(name).title in tables.methods() for name in NAMES)
    assert all(f"| {kind.label} | `{kind.file_name}` |" in tables.path_formats() for kind in FORMATS.values())


@pytest.mark.parametrize("drawing", [draw.axes, draw.pixels])
def test_the_drawings_kept_are_the_ones_the_code_makes(drawing):
    assert (draw.FOLDER / f"{drawing.__name__}.svg").read_text() == drawing(), "run python -m docs.draw"


def test_links_of_the_readme_lead_to_files():
    links = re.findall(r"\]\((?!https?:)([^)#]+)", (ROOT / "README.md").read_text())
    assert links and not [link for link in links if not (ROOT / link).exists()]
