"""What may be said to a person when something cannot be done."""


class KararliError(Exception):
    """A sentence for the user: what is wrong and what to do next. Shown as it is, never with a traceback."""


class InvalidRequest(KararliError):
    """A request that cannot be run as it stands.

    `field` is the schema path of the value that is wrong ("sampling.steps"), so that a form can mark its control.
    """

    def __init__(self, sentence: str, field: str = "") -> None:
        super().__init__(sentence)
        self.field = field

    def __reduce__(self) -> tuple[type["InvalidRequest"], tuple[str, str]]:
        return type(self), (str(self), self.field)


class JobExists(InvalidRequest):
    """A job was submitted under the id of another one, of this or of an earlier run of the program."""


class UnusableFile(KararliError):
    """A file in models/ that cannot be used, with the reason and what to do about it."""


class NotEnoughMemory(KararliError):
    """The device's memory did not suffice; the sentence names what to lower."""


class WorkerDied(KararliError):
    """The engine's process ended in the middle of a job."""
