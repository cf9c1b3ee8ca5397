"""Ask every method about a shot before anything runs: what it needs, its warnings, and what it cannot do."""

import reshoot

scene = reshoot.open_picture("examples/still_life/colour.jpg", depth="guess")
path = reshoot.film_path("arc 20 ease", scene, frames=49)
for name in reshoot.NAMES:
    shot = reshoot.shoot.prepare(name, scene, path)
    try:
        warnings = shot.check()
        print(f"{shot.method.title}: {shot.estimate().seconds:.0f} s on the reference GPU;", *warnings)
    except reshoot.InputError as error:
        print(f"{shot.method.title}: {error}")
