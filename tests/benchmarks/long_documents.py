"""How long real documents take to be read whole, in the parser's process: an annual report and a handbook of 872 pages.

python -m tests.benchmarks.long_documents
"""

import time

from finetune_core.corpus.isolation import ParserProcess
from tests.unit.corpus.test_shared_documents import FOLDER, SHORTENED, SNIPPETS


def main() -> None:
    """Print the seconds, the characters and the sections of each; fails if one is not read whole."""
    with ParserProcess() as parser:
        for path in sorted(path for path in FOLDER.rglob("*") if path.name in SHORTENED):
            began = time.perf_counter()
            parsed = parser.parse(path, path.name)
            assert not parsed.missing
            assert all(words in parsed.text for words in SNIPPETS[path.name])
            took = time.perf_counter() - began
            print(f"{path.name}: {took:.1f} s, {len(parsed.text):,} characters, {len(parsed.sections)} sections")


if __name__ == "__main__":
    main()
