#!/bin/sh
# OpenTimelineIO 0.18.1 does not read or write EDL files.
#
# What one would guess: the library that editing programs exchange cuts with writes the oldest exchange format of all, CMX 3600
# EDL, as every tutorial shows: `otio.adapters.write_to_file(timeline, "cuts.edl")`.
# What happens: it raises NoKnownAdapterForExtensionError. The package holds only its own JSON formats (.otio, .otioz,
# .otiod); the EDL adapter is the separate package otio-cmx3600-adapter, which `pip install opentimelineio` does not bring.
# Why it matters: a tool that offers "EDL out" through this library works on the machine of its author, who once installed the
# adapters, and fails for everybody else. Write the few lines of an EDL oneself, or require the adapter by name.
set -eu
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
python3 -m pip install -q --disable-pip-version-check --target "$place" opentimelineio==0.18.1 2>/dev/null
cd "$place"
PYTHONPATH="$place" python3 - <<'PYTHON'
import opentimelineio as otio

timeline = otio.schema.Timeline("cuts")
track = otio.schema.Track("V1", kind=otio.schema.TrackKind.Video)
track.append(otio.schema.Clip("wide", source_range=otio.opentime.TimeRange(duration=otio.opentime.RationalTime(24, 24))))
timeline.tracks.append(track)
otio.adapters.write_to_file(timeline, "cuts.otio")
print("opentimelineio", otio.__version__, "knows", otio.adapters.available_adapter_names())
try:
    otio.adapters.write_to_file(timeline, "cuts.edl")
except otio.exceptions.NoKnownAdapterForExtensionError as error:
    print("cuts.edl:", type(error).__name__, error)
else:
    raise SystemExit("It writes EDL files now: this finding is out of date.")
PYTHON
