"""What should I tune? The ten tasks: when each helps, what data it needs, and its honest limits."""

from dataclasses import dataclass

import streamlit as st

from components.text import t
from finetune_core import recipes


@dataclass(frozen=True, slots=True)
class Task:
    """One task of the guide; `recipe` is its name in the registry, `symptom` what a person notices."""

    recipe: str
    icon: str
    title: str
    symptom: str
    helps: str
    needs: str
    limits: str


def guide(*, key: str) -> None:
    """The guide as cards, narrowed down to one symptom if the reader picks one."""
    known = recipes.discover()
    tasks = [*_retrieval_tasks(), *_language_model_tasks()]
    symptoms = dict.fromkeys(task.symptom for task in tasks)
    chosen = st.pills(t("What goes wrong today?"), list(symptoms), key=f"{key}_symptom", persist_state="session")
    with st.grid(2, min_column_width=340, key=f"{key}_cards"):
        for task in tasks:
            if chosen in (None, task.symptom):
                _card(task, available=task.recipe in known)


def _card(task: Task, *, available: bool) -> None:
    with st.container(border=True, height="stretch", gap="xsmall"):
        with st.container(horizontal=True, horizontal_alignment="distribute", vertical_alignment="center"):
            st.markdown(f"**:material/{task.icon}: {task.title}**", width="content")
            if available:
                st.badge(t("Ready to use"), icon=":material/check:", color="green")
            else:
                st.badge(t("Not in this version"), color="gray")
        st.markdown(task.helps)
        st.markdown(f":small[:gray[**{t('Data')}** {task.needs}]]")
        st.markdown(f":small[:gray[**{t('Limits')}** {task.limits}]]")


def _retrieval_tasks() -> list[Task]:
    not_found = t("The right passage is not found")
    too_low = t("It is found, but too far down")
    return [
        Task(
            "embedding", "hub", t("Embedding model"), not_found,
            t("Your documents use words a general model has never met: product names, jargon, another way of asking. "
              "Start here: it usually brings the most."),
            t("A few hundred questions, each with the passage that answers it. Ayar can write them for you."),
            t("All documents must be encoded anew with the tuned model. It can lose on texts unlike yours."),
        ),
        Task(
            "embedding_adapter", "extension", t("Embedding adapter"), not_found,
            t("You cannot change the embedding model, for instance because a vendor serves it, or you cannot encode "
              "millions of documents again. A small layer turns each question's vector."),
            t("The same questions and passages as above. Training takes seconds."),
            t("It can only bend what the vectors already hold; expect less than from tuning the model itself."),
        ),
        Task(
            "cross_encoder", "swap_vert", t("Reranker"), too_low,
            t("The answer is among the first fifty passages but not among the first five. A reranker reads question and "
              "passage together and sorts them again."),
            t("Questions with right passages, and passages that look right but are not; Ayar finds those."),
            t("It cannot find what the first search missed, and it adds time to every question."),
        ),
        Task(
            "cohere_reranker", "cloud", t("Cohere reranker"), too_low,
            t("You use Cohere's reranker, or a service that speaks the same language, and want it fitted to your data."),
            t("Questions with right and wrong passages, sent to the vendor."),
            t("Cohere stopped fine-tuning in September 2025. Without a compatible service, tune a reranker of your own."),
        ),
        Task(
            "router", "alt_route", t("Router"), t("Questions go to the wrong tool"),
            t("You have several indexes, tools or departments, and each question must go to the right one, quickly and "
              "without paying a language model to decide."),
            t("Ten to fifty labelled questions for each choice, and some that belong to none."),
            t("It knows only the choices it has seen: a new tool needs examples and another run. It says that none fits only "
              "if it has seen queries that none fits."),
        ),
    ]  # fmt: skip


def _language_model_tasks() -> list[Task]:
    costly = t("Answers are good, but slow or costly")
    unmeasured = t("I cannot judge the answers")
    return [
        Task(
            "distillation", "compress", t("Smaller answer model"), costly,
            t("A large model answers well, but costs too much, takes too long or may not see your data. A small one "
              "learns from its recorded answers."),
            t("A few hundred answers of the large model, over your own passages."),
            t("The student copies the teacher's mistakes too, and rarely closes the whole gap."),
        ),
        Task(
            "function_calling", "data_object", t("Function calls and forms"), t("The output has the wrong form"),
            t("A small model should call functions or fill in a form from text, and picks the wrong function or field."),
            t("Texts or questions with the right call, and some where no call is due."),
            t("A grammar alone already makes the form valid. Look at what tuning adds beyond it."),
        ),
        Task(
            "judge_correctness", "grading", t("Judge of single answers"), unmeasured,
            t("You want every answer graded against a reference, often and cheaply, the way your experts would."),
            t("A few hundred graded answers, by people or by a strong model."),
            t("Trust it only as far as its measured agreement with people, which is shown beside every use."),
        ),
        Task(
            "judge_pairwise", "compare_arrows", t("Judge of two answers"), unmeasured,
            t("You compare two systems and want to know whose answer is better, for thousands of questions."),
            t("Pairs of answers with the preferred one, by people or by a strong model."),
            t("Small judges prefer whichever answer comes first; the rate at which that happens is measured."),
        ),
        Task(
            "text_to_sql", "database", t("Text to SQL"), t("The answers lie in a database"),
            t("People ask about tables in plain words, and the queries fail or count the wrong thing."),
            t("Questions with the right query; Ayar can write some over your own schema and check them by running them."),
            t("The bundled model is too small for real schemas; plan on a larger one. Queries run read-only."),
        ),
    ]  # fmt: skip
