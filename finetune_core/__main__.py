"""`python -m finetune_core`: exit code 0, 1 for what a person can mend, 2 for a call that makes no sense."""

import sys

from finetune_core.commands import build
from finetune_core.commands.output import fail
from finetune_core.errors import FinetuneError

if __name__ == "__main__":
    try:
        build(only="".join(sys.argv[1:2]))(prog_name="python -m finetune_core")
    except FinetuneError as error:
        fail(error.message, error.hint)
