"""The layout of I2V3D's tab."""

from __future__ import annotations

from pipelines import method
from tabs.i2v3d.objects import DRAWN, Objects
from tabs.i2v3d.phases import Steps
from tabs.i2v3d.project import ProjectFile
from tabs.parts.method_tab import MethodTab
from tabs.shared.old_endpoints import Shared
from tabs.shared.studio import Studio

METHOD = method("i2v3d")


def build(studio: Studio, shared: Shared) -> None:
    """Place the tab; call inside a `gr.Tab`."""
    objects = Objects(METHOD, studio.project)
    tab = MethodTab(METHOD, studio, shared, between=objects.controls)
    steps = Steps(tab.shoot, studio.project)
    with tab.results():
        objects.picture()
        tab.finish(DRAWN)
        steps.controls()
    ProjectFile(tab, steps).place()
    steps.remember(tab.showing)
    objects.empty(tab.shoot, studio.opened)
    objects.connect(tab.shoot, shared)
