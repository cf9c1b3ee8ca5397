"""A file's account: fields that were read count as used, all others are reported once."""

import pytest

from camera.errors import InputError
from camera.formats.account import MOST_NAMED, Account, refusal


def test_reading_a_field_marks_it_used_and_iterating_does_not():
    account = Account("a.json")
    values = account.fields({"fl_x": 5.0, "aabb_scale": 4, "mood": "blue", "w": 7})
    assert values["fl_x"] == 5.0 and values.get("w") == 7 and values.get("none", 3) == 3
    assert "mood" in values and list(values) == ["fl_x", "aabb_scale", "mood", "w"] and len(values) == 4
    assert account.notes() == ["a.json also holds aabb_scale, mood, which is not known and was not used."]


def test_fields_without_effect_are_reported_separately():
    account = Account("a.json")
    account.fields({"scale": 1, "mood": 2}, idle=("scale", "absent"))
    assert account.notes() == [
        "a.json also holds scale, which changes nothing here.",
        "a.json also holds mood, which is not known and was not used.",
    ]


def test_fields_of_the_same_part_are_reported_together():
    account = Account("a.json")
    for number in range(3):
        account.fields({"pose": 1, f"odd{number}": 2}, "frames")["pose"]
    assert (
        account.text()
        == "a.json also holds odd0 (frames), odd1 (frames), odd2 (frames), which is not known and was not used."
    )


def test_overlaid_fields_take_the_upper_value_first():
    account = Account("a.json")
    low = account.fields({"fl_x": 1.0, "cx": 2.0})
    both = account.fields({"fl_x": 3.0}, "frames").over(low)
    assert both["fl_x"] == 3.0 and both["cx"] == 2.0 and both.get("cy") is None
    assert account.notes() == [], "what is overruled was looked at"
    with pytest.raises(KeyError):
        both["cy"]


def test_left_out_records_are_counted():
    account = Account("a.txt")
    account.left_out(0, 5, "lines", "none")
    account.left_out(1, 5, "lines", "it has no pose")
    account.left_out(2, 5, "lines", "they repeat a stamp")
    assert account.notes() == [
        "1 of 5 lines of a.txt is left out: it has no pose.",
        "2 of 5 lines of a.txt are left out: they repeat a stamp.",
    ]


def test_long_lists_of_names_are_shortened_and_accounts_add_up():
    inner, outer = Account("b"), Account("a")
    inner.fields({f"f{i}": 0 for i in range(MOST_NAMED + 3)})
    outer.say("First.")
    outer.add(inner)
    assert outer.notes()[0] == "First." and outer.notes()[1].endswith(
        "f11 and 3 more, which is not known and was not used."
    )


def test_a_refusal_names_the_field_its_meaning_and_the_remedy():
    error = refusal("'is_fisheye'", "a.json", "a fish-eye lens", "undistort the pictures first")
    assert isinstance(error, InputError)
    assert (
        str(error)
        == "'is_fisheye' of a.json means a fish-eye lens, which cannot be followed here; undistort the pictures first."
    )
