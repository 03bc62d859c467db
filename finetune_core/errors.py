"""What a person can meet when something is wrong.

    FinetuneError            anything a person can meet; `.hint` names the one next step
    ├── SettingsError        an environment variable or a line of `.env` has a value Ayar cannot use
    ├── ProjectError         a project is missing, its name is taken, or it is in use
    ├── CorpusError          a document cannot be read, or a chunk setting makes no sense
    ├── ProviderError        a model service or model file does not do what was asked of it
    │   └── (`retryable` tells whether the same call may succeed later)
    ├── QueryError           a query cannot be run over a database, which says why
    │   ├── QueryRefusedError    it is not one SELECT, or would do more than read
    │   └── QueryLimitError      it takes longer than it may
    ├── PairError            a pair cannot be changed as asked
    │   └── StaleEditError   somebody changed the same pair in between
    ├── DatasetError         examples are too few, malformed or missing
    ├── TrainingError        a run cannot start or go on
    ├── ArtefactError        a stored model or dataset is incomplete or was altered
    ├── StorageError         the disk is full or the database cannot be used
    └── JobError             a job is unknown or not in a state that allows what was asked

    JobInterrupt             not an error: how a running job learns that it should end
    ├── StopRequested        save the best so far and finish as "stopped"
    ├── JobCancelled         discard the work
    └── LeaseLost            another attempt owns the job now: write nothing more

Callers' mistakes are `ValueError`, broken invariants are `assert`; neither is caught here.
"""


class FinetuneError(Exception):
    """A problem a person can mend: `str(error)` states the value and the bound, `hint` the next step."""

    def __init__(self, message: str, *, hint: str) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


class SettingsError(FinetuneError):
    """An environment variable or a line of `.env` has a value Ayar cannot use."""


class ProjectError(FinetuneError):
    """A project is missing, its name is taken, or something in it is in use."""


class CorpusError(FinetuneError):
    """A document cannot be read, or a chunk setting makes no sense."""


class ProviderError(FinetuneError):
    """A model service or model file did not do what was asked; `retryable` if the same call may succeed later."""

    def __init__(self, message: str, *, hint: str, retryable: bool = False) -> None:
        super().__init__(message, hint=hint)
        self.retryable = retryable


class QueryError(FinetuneError):
    """A query cannot be run over a database: a table it names is not there, a word is wrong."""


class QueryRefusedError(QueryError):
    """A query is not one SELECT statement, or would do more than read; nothing of it was run."""


class QueryLimitError(QueryError):
    """A query took longer than it may, and was ended."""


class PairError(FinetuneError):
    """A question/passage pair cannot be added or changed as asked."""


class StaleEditError(PairError):
    """The pair was changed elsewhere since it was shown; nothing was written."""


class DatasetError(FinetuneError):
    """Examples are too few, malformed or missing."""


class TrainingError(FinetuneError):
    """A run cannot start or cannot go on."""


class ArtefactError(FinetuneError):
    """A stored model or dataset is incomplete, or its bytes are not the ones that were written."""


class StorageError(FinetuneError):
    """The disk is full, or the database cannot be opened or written."""


class JobError(FinetuneError):
    """A job is unknown, or not in a state that allows what was asked."""


class JobInterrupt(Exception):  # noqa: N818 - it is no error
    """Raised inside a running job by `Run.checkpoint()`; not an error."""


class StopRequested(JobInterrupt):
    """Save the best so far and finish as "stopped"."""


class JobCancelled(JobInterrupt):
    """Discard the work."""


class LeaseLost(JobInterrupt):
    """Another attempt owns the job now; this one may write nothing more."""
