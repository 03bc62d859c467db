"""What a file of examples holds, before it is imported: secrets that can be taken out of it, rows that can be left out."""

from collections.abc import Collection

import streamlit as st
from streamlit.runtime.uploaded_file_manager import UploadedFile

from components.errors import show_error
from components.text import plain, t, tn
from finetune_core.errors import FinetuneError
from finetune_core.workspace import demonstrations, installation
from finetune_core.workspace.import_filters import ImportFilter, ImportPreview, Secret, SecretSample


def import_preview(kind: str, upload: UploadedFile, *, key: str) -> ImportFilter:
    """Draw what the file holds and the switches; what they say. A file that cannot be read is told of."""
    found = _looked_through(kind, upload, key)
    if isinstance(found, FinetuneError):
        show_error(found.message, found.hint)
        return ImportFilter()
    num = found.num_examples
    st.markdown(tn("**{num}** example ({form})", "**{num}** examples ({form})", num, form=plain(found.file_format)))
    if found.left_out.num_failed:
        st.caption(
            tn("{num} row without an answer is left out.", "{num} rows without an answer are left out.",
               found.left_out.num_failed)
        )  # fmt: skip
    repeats = refined = False
    if found.left_out.num_repeated:
        repeats = st.toggle(
            tn("Leave out {num} repeated question", "Leave out {num} repeated questions", found.left_out.num_repeated),
            value=True, key=f"{key}_repeats", help=t("The first answer stays. The very same row is never taken twice."),
        )  # fmt: skip
    if found.left_out.num_refined:
        refined = st.toggle(
            tn("Leave out {num} turn that refines an answer", "Leave out {num} turns that refine an answer",
               found.left_out.num_refined),
            value=True, key=f"{key}_refined",
            help=t("Asked by a response synthesizer, which shows an answer and more context to better it with."),
        )  # fmt: skip
    return ImportFilter(_secrets(found, key), repeats, refined)


def _secrets(found: ImportPreview, key: str) -> frozenset[Secret]:
    """The switches of the secrets that the file has, each with a few places."""
    names = {
        Secret.EMAIL: t("e-mail addresses"), Secret.KEY: t("keys"), Secret.CARD: t("card numbers"),
        Secret.PHONE: t("telephone numbers"),
    }  # fmt: skip
    touched = {kind: num for kind, num in found.num_touched.items() if num}
    if not touched:
        st.caption(t("No e-mail addresses, keys, card numbers or international telephone numbers stand in it."))
        return frozenset()
    chosen = st.pills(
        t("Take out"), list(touched), default=list(touched), selection_mode="multi", key=f"{key}_secrets",
        format_func=lambda kind: f"{names[kind]} ({touched[kind]:,})",
        help=t("In brackets, in how many examples they stand. Each is replaced by its kind before anything is stored."),
    )  # fmt: skip
    for sample in found.samples:
        st.markdown(_marked(sample, chosen))
    return frozenset(chosen)


def _marked(sample: SecretSample, chosen: Collection[Secret]) -> str:
    """The place before and, if the secret is taken out, after."""
    line = f":gray[{plain(sample.where)}]  \n{plain(sample.before)} :red-background[{plain(sample.secret)}] {plain(sample.after)}"
    if sample.kind not in chosen:
        return line
    before, after = sample.around(chosen)
    return f"{line}  \n{plain(before)} :green-background[{plain(f'[{sample.kind}]')}] {plain(after)}"


def _looked_through(kind: str, upload: UploadedFile, key: str) -> ImportPreview | FinetuneError:
    """What the file holds, or what is wrong with it; looked through once for each upload."""
    if st.session_state.get(f"{key}_of") != (kind, upload.file_id):
        path = installation.upload_path(installation.receive(upload.name, upload))
        try:
            with st.spinner(t("Looking through the file")):
                found: ImportPreview | FinetuneError = demonstrations.look_through(kind, path, upload.name)
        except FinetuneError as error:
            found = error
        finally:
            path.unlink(missing_ok=True)
            upload.seek(0)
        st.session_state[f"{key}_of"], st.session_state[f"{key}_found"] = (kind, upload.file_id), found
    looked: ImportPreview | FinetuneError = st.session_state[f"{key}_found"]
    return looked
