"""Old names of the modules of `tabs`, which can be imported for one more version, see `camera._moved`."""

MODULES: dict[str, str] = {
    old: new
    for old, new in map(
        str.split,
        """
curation genxd.curation
directors dimensionx.directors
extend gen3c.continuation
form parts.form
header parts.header
keep shared.restore
lift parts.send_to_scene
look theme
move shared.move
objects i2v3d.objects
orbit scene.orbit
players browser.players
points gen3c.cache_view
rehearsal shared.rehearsal
scene_flight scene.flight
scene_making scene.making
scene_screen scene.viewer
shoot parts.shoot
solid scene.session
source shared.source
stage browser.stage
steps i2v3d.phases
train dimensionx.training
views genxd.given_views
parts.move shared.move
parts.rehearsal shared.rehearsal
parts.restore shared.restore
parts.session project.project
parts.source shared.source
""".strip().splitlines(),
    )
}
"""Old and new place, both below `tabs`."""
