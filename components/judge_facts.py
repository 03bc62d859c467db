"""Who graded, how far that can be trusted, and what could not be graded."""

from collections.abc import Mapping
from typing import Any

import streamlit as st

from components.text import plain, t, tn
from finetune_core.workspace.comparisons import metric_title, signed


def judge_facts(judge: Mapping[str, Any], *, key: str) -> None:
    """A card about the judge: its name, its noise, what it left out, and for a tuned one its calibration with a caveat."""
    with st.container(border=True, key=f"{key}_card"):
        st.markdown(f":material/gavel: **{t('Graded by {name}', name=plain(judge['name']))}**")
        if judge.get("calibration"):
            _calibration(judge["calibration"])
        else:
            st.caption(_noise(judge.get("noise") or {}))
        if judge.get("num_unreadable"):
            st.caption(
                tn(
                    "{num} grade is missing, because the judge's reply could not be read.",
                    "{num} grades are missing, because the judge's replies could not be read.",
                    judge["num_unreadable"],
                )
            )
        if judge.get("num_capped"):
            st.caption(
                tn(
                    "{num} grade is missing, because the cap was reached.",
                    "{num} grades are missing, because the cap was reached.",
                    judge["num_capped"],
                )
            )


def _noise(noise: Mapping[str, float | None]) -> str:
    known = {name: value for name, value in noise.items() if value is not None}
    if not known:
        return t("How much the judge disagrees with itself is not known: too few answers were graded several times.")
    said = ", ".join(f"{plain(metric_title(name))} {value:.3f}" for name, value in known.items())
    return t(
        "Graded again, the same answer's grade varies by (standard deviation): {noise}. Differences smaller than that on few "
        "questions may be the judge's.",
        noise=said,
    )


def _calibration(known: Mapping[str, Any]) -> None:
    metrics = known["metrics"]
    kappa, error, bias = (metrics[name] for name in ("weighted_kappa", "mean_absolute_error", "bias"))
    st.caption(
        t(
            "A judge that was tuned here. On {num} graded answers of {dataset} it never saw: weighted kappa {kappa}, off by "
            "{error} of its scale on average, bias {bias}.",
            num=f"{known['num_examples']:,}",
            dataset=plain(known["dataset"]),
            kappa=_with_interval(kappa, f"{kappa['value']:.2f}"),
            error=_with_interval(error, f"{error['value']:.2f}"),
            bias="–" if bias.get("value") is None else _with_interval(bias, signed(bias["value"])),
        )
    )
    st.caption(_caveat(bias, kappa))


def _with_interval(metric: Mapping[str, Any], value: str) -> str:
    if metric.get("low") is None:
        return plain(value)
    return plain(f"{value} ({metric['low']:.2f} … {metric['high']:.2f})".replace("-", "−"))


def _caveat(bias: Mapping[str, Any], kappa: Mapping[str, Any]) -> str:
    if kappa.get("low") is None or kappa["low"] <= 0:
        return t("It was not shown to agree with the right grades better than chance: do not rely on its grades.")
    low, high = bias.get("low"), bias.get("high")
    if low is not None and high is not None and (low > 0 or high < 0):
        start = t("It grades too high.") if low > 0 else t("It grades too low.")
        more = t("In the difference of two systems that cancels only where it is so for both alike.")
        return f"{start} {more}"
    return t(
        "No bias was shown. Its errors widen no interval here: a difference below its usual error is weak evidence."
    )
