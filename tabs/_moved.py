"""Where the modules of `tabs` went: their old names can be imported for one version more, see `camera._moved`."""

MODULES: dict[str, str] = {
    old: new
    for old, new in map(
        str.split,
        """
curation genxd.curation
directors dimensionx.directors
extend gen3c.continuation
folders parts.session_files
form parts.form
header parts.header
keep parts.restore
lift parts.send_to_scene
look theme
move parts.move
objects i2v3d.objects
orbit scene.orbit
players browser.players
points gen3c.cache_view
project i2v3d.project
rehearsal parts.rehearsal
scene_flight scene.flight
scene_making scene.making
scene_screen scene.viewer
shoot parts.shoot
solid scene.session
source parts.source
stage browser.stage
steps i2v3d.phases
take parts.session
train dimensionx.training
views genxd.given_views
""".strip().splitlines(),
    )
}
"""Old and new place, both below `tabs`."""
