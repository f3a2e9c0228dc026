"""The doctor's page: every finding on it, thumbnails inside, text escaped, nothing asked of a network."""

from __future__ import annotations

import re
from pathlib import Path

from plait.doctor.check import check_data
from plait.report.check import check_thumbnails, write_check
from tests.doctor.sick import healthy, sick


def test_every_finding_is_on_the_page(tmp_path: Path) -> None:
    data = sick(tmp_path / "data")
    with (data / "captions.csv").open("a", encoding="utf-8") as file:
        file.write("p8.png,<script>alert(1)</script> <b>,CC BY 4.0\n")
    found = check_data(data)
    told = found.to_json()
    thumbnails = check_thumbnails(told, found.material.photos)
    assert {"p2.png", "p9.png"} < set(thumbnails)
    assert "p4.png" not in thumbnails  # cut short
    page = write_check(told, thumbnails, tmp_path / "out" / "check.html").read_text(encoding="utf-8")
    for one in found.findings:
        assert f'id="{one.code}"' in page
    assert "5 errors, 7 warnings, 5 notes." in page
    assert "<script" not in page
    assert page.count("<b>Fix:</b>") == len(found.findings)
    assert page.count("data:image/jpeg;base64,") >= 4
    assert not re.search(r'(?:src|href)="(?!data:|#)', page)


def test_a_page_without_findings_says_so(tmp_path: Path) -> None:
    told = {**check_data(healthy(tmp_path / "data")).to_json(), "findings": []}
    told["counts"] = {"error": 0, "warning": 0, "note": 0}
    page = write_check(told, {}, tmp_path / "check.html").read_text(encoding="utf-8")
    assert "Nothing was found." in page
