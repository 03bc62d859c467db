"""MinHash finds what the exact Jaccard index of all pairs finds."""

import random
import tracemalloc
from itertools import combinations

import pytest

from finetune_core.corpus.near_duplicates import (
    MOST_ALIKE,
    find_alike,
    find_near_duplicates,
    find_originals,
    shingles,
)


def texts(num: int, words_each: int = 120) -> list[str]:
    random_words = random.Random(7)
    vocabulary = [f"word{n}" for n in range(3000)]
    return [" ".join(random_words.choices(vocabulary, k=words_each)) for _ in range(num)]


def with_words_changed(text: str, num: int) -> str:
    words = text.split()
    for position in range(num):
        words[position * 11] = f"changed{position}"
    return " ".join(words)


def exact(one: str, other: str) -> float:
    a, b = shingles(one), shingles(other)
    return len(a & b) / len(a | b)


def test_agrees_with_the_exact_index_over_all_pairs() -> None:
    corpus = texts(60)
    corpus += [with_words_changed(corpus[n], 1) for n in range(20)] + [
        with_words_changed(corpus[n], 9) for n in range(10)
    ]
    found = {(i, j): jaccard for i, j, jaccard in find_near_duplicates(corpus)}
    for i, j in combinations(range(len(corpus)), 2):
        truth = exact(corpus[i], corpus[j])
        if truth >= 0.93:
            assert (i, j) in found
        if truth < 0.7:
            assert (i, j) not in found
        if (i, j) in found:
            assert found[i, j] == pytest.approx(truth, abs=0.12)
    assert len(found) >= 20


def test_those_alike_to_some_texts_are_the_pairs_of_all_texts() -> None:
    corpus = texts(60)
    corpus += [with_words_changed(corpus[n], 1) for n in range(20)] + [corpus[3], "", "..."]
    pairs = [(i, j) for i, j, _ in find_near_duplicates(corpus)]
    wanted = [3, 5, 40, 65, 81]
    assert find_alike(corpus, wanted) == {
        one: {j for i, j in pairs if i == one} | {i for i, j in pairs if j == one} for one in wanted
    }
    assert find_alike(corpus, []) == {}


def test_work_grows_with_the_texts_and_not_their_square_where_all_say_the_same() -> None:
    base = texts(1)[0]
    alike = [f"{base} number{n}" for n in range(400)]
    pairs = find_near_duplicates(alike)
    assert len(pairs) <= MOST_ALIKE * len(alike)
    earlier = {j: [i for i, later, _ in pairs if later == j] for j in range(len(alike))}
    assert all(len(found) == min(j, MOST_ALIKE) for j, found in earlier.items()), "each is told of with the first ones"
    assert find_alike(alike, [7, 300], most=3) == {7: {0, 1, 2}, 300: {0, 1, 2}}


def test_memory_grows_with_the_texts_asked_about_and_not_with_all() -> None:
    corpus = texts(3000, words_each=12)

    def peak(num: int) -> int:
        tracemalloc.start()
        find_alike(corpus[:num], range(100))
        found = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return found

    peak(200)  # what is imported and made once
    assert peak(3000) < 1.3 * peak(300)


def test_equal_texts_whatever_their_case_and_spaces() -> None:
    assert find_near_duplicates(["One two three four", "one  TWO three\nfour", "other words stand here"]) == [
        (0, 1, 1.0)
    ]


def test_originals_form_stars_not_chains() -> None:
    base = texts(1)[0]
    assert find_originals([base, base, "unrelated text", base]) == {1: (0, 1.0), 3: (0, 1.0)}


def test_texts_without_words_match_nothing() -> None:
    assert find_near_duplicates(["", "...", "", "---"]) == []
    assert find_originals([]) == {}


def test_short_texts() -> None:
    assert find_near_duplicates(["yes", "Yes!", "no"]) == [(0, 1, 1.0)]


def test_threshold_out_of_bounds() -> None:
    with pytest.raises(ValueError, match="threshold"):
        find_near_duplicates(["a"], 0.0)
