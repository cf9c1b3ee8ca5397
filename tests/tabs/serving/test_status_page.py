"""/metrics and /status are answered beside the app, and all other requests reach it."""

from prometheus_client.parser import text_string_to_metric_families
from starlette.responses import PlainTextResponse
from starlette.testclient import TestClient

from tabs.serving.status_page import StatusPages

client = TestClient(StatusPages(PlainTextResponse("the app")))


def test_prometheus_gets_its_form():
    answer = client.get("/metrics")
    assert answer.headers["content-type"].startswith("text/plain; version=0.0.4")
    assert "reshoot_nodes" in {family.name for family in text_string_to_metric_families(answer.text)}


def test_people_get_a_page_with_the_device_and_its_queue():
    page = client.get("/status").text
    assert "<li>all methods: 0 running, 0 waiting</li>" in page and "<title>Reshoot: status</title>" in page


def test_everything_else_reaches_the_app():
    assert client.get("/").text == "the app" and client.post("/status").text == "the app"


def test_a_pool_that_is_not_there_is_said(monkeypatch):
    monkeypatch.setenv("RESHOOT_RAY", "auto")
    monkeypatch.setenv("RESHOOT_PLACES", "many")
    answer = client.get("/status")
    assert answer.status_code == 503 and "RESHOOT_PLACES must be a whole number" in answer.text
