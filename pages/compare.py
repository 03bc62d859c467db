"""Compare: is the tuned model better than the one it started from? One sentence first, then everything it rests on."""

import streamlit as st

from components.compare_charts import compare_charts
from components.compare_confusion import compare_confusion
from components.compare_downloads import compare_downloads
from components.compare_launch import compare_launch
from components.compare_metrics import compare_metrics
from components.compare_movement import compare_movement
from components.compare_panel import compare_panel
from components.compare_picker import compare_picker
from components.compare_questions import compare_questions
from components.compare_radar import compare_radar
from components.compare_system import compare_system
from components.compare_verdict import compare_verdict
from components.compare_worth import compare_worth
from components.errors import shown_errors
from components.out_of_domain_result import out_of_domain_result
from components.project import current_project
from components.text import t


@shown_errors()
def page() -> None:
    """Draw the page."""
    st.title(t("Compare"), anchor=False)
    project = current_project()
    view = compare_picker(project.id, key="comparison")
    if view is None:
        compare_launch(project.id, key="launch")
        return
    compare_verdict(view, key="verdict")
    out_of_domain_result(view.out_of_domain(), key="elsewhere")
    compare_worth(view, key="worth")
    system = compare_system(view, key="system")
    compare_metrics(view, system, key="metrics")
    compare_charts(view, system, key="charts")
    compare_radar(view, system, key="radar")
    compare_confusion(view, system, key="confusion")
    compare_movement(view, system, key="movement")
    compare_questions(view, system, key="questions")
    compare_panel(view, system, key="panel")
    compare_downloads(view, key="download")


page()
