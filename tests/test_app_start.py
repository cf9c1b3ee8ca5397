"""The app starts fast: it imports nothing that the first page does not need, and renderers are compiled afterwards."""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent

VISIT = """
import json, sys, threading, time, urllib.request
import app
page = app.build()
_, address, _ = app.launch(page, share=False, prevent_thread_lock=True, quiet=True)
assert b"Reshoot" in urllib.request.urlopen(address).read()
never = ("numba", "torch", "scipy", "pandas.core", "av", "cv2", "plotly.graph_objects", "rich", "pygments", "tomlkit")
heavy = [m for m in never if m in sys.modules]
(visit,) = (i for i, fn in page.fns.items() if fn.name == "_visited")
body = json.dumps({"fn_index": visit, "data": [], "session_hash": "one"}).encode()
def call():
    request = urllib.request.Request(address + "gradio_api/run/predict", body, {"Content-Type": "application/json"})
    return urllib.request.urlopen(request).status
app.PAGE_FIRST = 0.0
assert call() == call() == 200
warming = [thread for thread in threading.enumerate() if thread.name == "warm-up"]
for thread in warming:
    thread.join(120)
page._queue.events_recorded = 1
page._queue.compute_analytics_summary([{"function": "draw", "status": "success", "process_time": 0.1}])
print(json.dumps([heavy, len(warming), "numba" in sys.modules, "pandas.core" in sys.modules]))
"""


def python(code: str) -> str:
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=240)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip().splitlines()[-1]


def test_the_first_page_needs_little_and_the_first_visit_warms_the_renderers_once():
    assert python(VISIT) == "[[], 1, true, false]"


def test_gradio_is_imported_without_stubs_and_pandas_comes_when_asked():
    code = """
import sys
from tabs.light_gradio import light_gradio
with light_gradio():
    import gradio
import gradio.component_meta as meta
assert meta.create_or_modify_pyi.__module__ == "tabs.light_gradio"
assert "pandas.core" not in sys.modules
import pandas
print(len(gradio.DataFrame().postprocess(pandas.DataFrame({"a": [1, 2]})).data))
"""
    assert python(code) == "2"


def test_gradios_command_line_comes_when_asked():
    code = """
import sys
from tabs.light_gradio import light_gradio
with light_gradio():
    import gradio
assert "gradio.cli.commands" not in sys.modules and "rich" not in sys.modules
try:
    gradio.deploy("no folder", nonsense=1)
except TypeError as error:
    assert "nonsense" in str(error)
import gradio.cli.commands
assert gradio.cli.deploy is gradio.cli.commands.deploy and gradio.cli.custom_component
import httpx, httpx._main
print(callable(httpx.main), type(sys.modules["gradio.cli"]).__name__)
"""
    assert python(code) == "True module"


def test_gradio_is_collected_again_after_its_import_and_after_the_page_is_built():
    assert python("import gc, app; a = gc.isenabled(); app.build(); print(a, gc.isenabled())") == "True True"


def test_pandas_is_whole_for_every_thread_that_asks_at_once():
    code = """
import sys, threading
from tabs.light_gradio import light_gradio
with light_gradio():
    import gradio
import pandas
assert "pandas.core" not in sys.modules
sys.setswitchinterval(1e-5)
together, faults = threading.Barrier(8), []
def ask():
    together.wait()
    try:
        import pandas.io.formats.style
        pandas.DataFrame({"a": [1]})
    except Exception as fault:
        faults.append(fault)
threads = [threading.Thread(target=ask) for _ in range(8)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
print(faults, hasattr(pandas, "nonsense"), type(pandas).__name__, type(pandas.__spec__.loader).__name__)
"""
    assert python(code) == "[] False module SourceFileLoader"


def test_an_import_of_gradio_before_is_left_alone():
    code = """
import gradio, sys
from tabs.light_gradio import light_gradio
before = list(sys.meta_path)
with light_gradio():
    import gradio
print(sys.meta_path == before, gradio.component_meta.create_or_modify_pyi.__module__)
"""
    assert python(code) == "True gradio.component_meta"
