"""The one error that is meant for the person at the screen."""


class InputError(ValueError):
    """Something the user gave cannot be used.

    ``str(error)`` is shown as it is: one sentence that says what was expected, what came and what to do.
    """
