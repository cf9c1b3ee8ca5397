#!/usr/bin/env bash
# Two listeners of one Gradio event that both "always_last" wake each other again and again.
#
# One would guess: trigger_mode="always_last" is a matter of one listener. While it runs, further events of its component are put
#   off, and when it ends it runs once more, with the last value. Two such listeners of one component do so each by itself.
# What happens: the page keeps for each listener that something waits, but wakes all listeners of the event for it, one after the
#   other. While the second runs, the first is woken again, finds the second still waiting, and so on: after five quick changes of one
#   field the two handlers go on running with nobody at the page. With one such listener they stop.
# Why it matters: a page for cameras hangs its drawing, its notes and its forecasts on the same slider, and "always_last" is the
#   default of change events. Every edit then costs a server without end. Chain the second with .then(), or let both share one handler.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet "gradio==6.31.0" "playwright==1.65.2"
"$folder/venv/bin/python" - <<'PY'
import shutil, sys, time
import gradio as gr
from playwright.sync_api import sync_playwright

CHANGES, WATCHED = 5, 6.0
ran = []


def handler(name):
    def run(value):
        ran.append((time.monotonic(), name, value))
        time.sleep(0.2)
        return value
    return run


def page(chained):
    with gr.Blocks() as made:
        field, first, second = gr.Textbox(elem_id="field"), gr.Textbox(), gr.Textbox()
        quiet = {"queue": False, "show_progress": "hidden", "trigger_mode": "always_last"}
        drawn = field.change(handler("draw"), field, first, **quiet)
        (drawn.then if chained else field.change)(handler("note"), field, second, **quiet)
    return made


def runs(browser, chained):
    """Handlers that began more than two seconds after the last change, in the seconds that followed."""
    ran.clear()
    made = page(chained)
    _, address, _ = made.launch(prevent_thread_lock=True, quiet=True)
    tab = browser.new_page()
    tab.goto(address)
    box = tab.locator("#field textarea, #field input").first
    box.wait_for()
    for number in range(CHANGES):
        box.press_sequentially(str(number))
        tab.wait_for_timeout(60)
    last = time.monotonic()
    tab.wait_for_timeout(1000 * WATCHED)
    tab.close()
    made.close()
    return len(ran), sum(began > last + 2 for began, _, _ in ran)


chromium = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
with sync_playwright() as playwright:
    options = {"executable_path": chromium} if chromium else {}
    browser = playwright.chromium.launch(args=["--no-sandbox"], **options)
    print("gradio", gr.__version__, "Chromium", browser.version)
    both, late = runs(browser, chained=False)
    print(f"two listeners of one event: {both} runs, {late} of them over two seconds after the last of {CHANGES} changes")
    one, after = runs(browser, chained=True)
    print(f"the second chained with .then(): {one} runs, {after} of them so late")
    browser.close()
sys.exit(0 if late >= 5 and after == 0 else 1)
PY
