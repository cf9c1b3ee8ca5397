"""`make test-fast` finds the tests affected by a change."""

from tests.changed import ALWAYS, files_for


def test_a_changed_module_brings_the_tests_that_import_it():
    chosen = files_for({"camera/rays.py"})
    assert "tests/camera/test_rays.py" in chosen and ALWAYS in chosen
    assert "tests/tabs/serving/test_status_page.py" not in chosen


def test_a_module_taken_out_of_its_package_counts(tmp_path):
    (tmp_path / "tests").mkdir()
    (tmp_path / "tests" / "test_a.py").write_text("from camera import rays\n")
    (tmp_path / "tests" / "test_b.py").write_text("import camera\n")
    assert files_for({"camera/rays.py"}, tmp_path) == ["tests/test_a.py", ALWAYS]
    assert files_for({"tests/test_b.py"}, tmp_path) == ["tests/test_b.py", ALWAYS]
