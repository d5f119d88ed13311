"""The pages under /insight: what is in their files, how they are served, and that they use nothing from elsewhere."""

from __future__ import annotations

import gzip
import re

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient

from api.desk.page import STATIC
from api.insight.page import (
    CONTENT_SECURITY_POLICY,
    ECHARTS,
    ECHARTS_FILE,
    ECHARTS_VERSION,
    MEDIA,
    REPORT_SCRIPTS,
    REPORT_STYLES,
    SCRIPTS,
    SHARED,
    STYLES,
    content,
    join_script,
    join_style,
    router,
)

OWN = sorted(path.name for path in (STATIC / "insight").iterdir())
USED = {name for name in (*SCRIPTS, *REPORT_SCRIPTS, *STYLES, *REPORT_STYLES) if name.startswith("insight/")}
# Of the library: names of XML's own namespaces, and where licences are written down; nothing is fetched from there.
HARMLESS = ("www.w3.org/", "www.apache.org/licenses/", "github.com/ecomfe/zrender/blob/master/LICENSE")


@pytest.fixture
def client() -> TestClient:
    app = FastAPI()
    app.include_router(router)
    return TestClient(app)


def test_every_file_of_the_pages_is_in_a_bundle() -> None:
    assert sorted([name.removeprefix("insight/") for name in USED] + ["index.html"]) == OWN
    script, style = join_script(), join_style()
    for name in (*SHARED, *SCRIPTS):
        assert script.count((STATIC / name).read_text("utf-8")) == 1
    for name in STYLES:
        assert style.count((STATIC / name).read_text("utf-8")) == 1


def test_the_page_comes_under_a_policy_that_lets_nothing_in_from_elsewhere(client: TestClient) -> None:
    answer = client.get("/insight")
    assert (answer.status_code, answer.headers["content-type"]) == (200, "text/html; charset=utf-8")
    policy = answer.headers["content-security-policy"]
    assert policy == CONTENT_SECURITY_POLICY
    assert "default-src 'none'" in policy
    assert "require-trusted-types-for 'script'" in policy
    assert "unsafe" not in policy
    assert answer.headers["cache-control"] == "no-cache"
    assert client.get("/insight/").content == answer.content
    for source in re.findall(r'(?:src|href)="([^"]+)"', answer.text):
        assert source == "data:," or client.get(source).status_code == 200


@pytest.mark.parametrize("name", sorted(MEDIA))
def test_a_file_comes_with_a_tag_compressed_for_who_can_read_it(client: TestClient, name: str) -> None:
    whole = client.get(f"/insight/static/{name}", headers={"Accept-Encoding": "identity"})
    assert (whole.status_code, whole.headers["content-type"]) == (200, MEDIA[name])
    assert whole.text == content(name)
    etag = whole.headers["etag"]
    again = client.get(f"/insight/static/{name}", headers={"If-None-Match": etag})
    assert (again.status_code, again.content, again.headers["etag"]) == (304, b"", etag)
    with client.stream("GET", f"/insight/static/{name}", headers={"Accept-Encoding": "gzip"}) as packed:
        raw = b"".join(packed.iter_raw())
    assert packed.headers["content-encoding"] == "gzip"
    assert gzip.decompress(raw) == whole.content
    assert whole.headers["vary"] == "Accept-Encoding"


def test_echarts_is_kept_for_ever_because_its_version_stands_in_its_name(client: TestClient) -> None:
    assert client.get(f"/insight/static/{ECHARTS}").headers["cache-control"] == "public, max-age=31536000, immutable"
    assert client.get("/insight/static/insight.js").headers["cache-control"] == "no-cache"
    assert f'"{ECHARTS_VERSION}"' in (STATIC / ECHARTS_FILE).read_text("utf-8")
    assert ECHARTS in (STATIC / "insight" / "index.html").read_text("utf-8")


def test_echarts_has_its_licence_and_its_notice_beside_it() -> None:
    folder = (STATIC / ECHARTS_FILE).parent
    assert "Apache License" in (folder / "LICENSE").read_text("utf-8")
    assert "Apache Software Foundation" in (folder / "NOTICE").read_text("utf-8")
    assert ECHARTS_VERSION in (folder / "README.md").read_text("utf-8")


def test_there_is_no_other_file(client: TestClient) -> None:
    for name in ("index.html", "page.css", "..%2Fdesk%2Findex.html", "vendor"):
        assert client.get(f"/insight/static/{name}").status_code == 404


@pytest.mark.parametrize("name", sorted(MEDIA))
def test_no_file_names_a_foreign_address(name: str) -> None:
    found = [one[1] for one in re.finditer(r"(?:https?:)?//((?:[a-z0-9-]+\.)+[a-z]{2,}/[^\s\"'`)]*)", content(name))]
    assert [one for one in found if not one.startswith(HARMLESS)] == []


@pytest.mark.parametrize("name", [name for name in OWN if name.endswith(".js")])
def test_our_files_are_short_and_use_nothing_that_a_strict_policy_forbids(name: str) -> None:
    text = (STATIC / "insight" / name).read_text("utf-8")
    assert len(text.splitlines()) < 250
    forbidden = (
        r"outerHTML|insertAdjacentHTML|document\.write|\beval\(|new Function|\sstyle=|\.style\b|\(\?<[=!]|"
        r"\.innerHTML\s*="
    )
    said = [line for line in text.splitlines() if not line.startswith("/* ECharts clears its own boxes")]
    assert re.findall(forbidden, "\n".join(said)) == []


def test_names_of_the_files_that_share_a_scope_do_not_meet() -> None:
    for names in (SHARED + SCRIPTS, REPORT_SCRIPTS):
        text = "\n".join((STATIC / name).read_text("utf-8") for name in names)
        declared = re.findall(r"^(?:async )?(?:function|const|let|class) ([A-Za-z_$][\w$]*)", text, re.MULTILINE)
        assert sorted({name for name in declared if declared.count(name) > 1}) == []
