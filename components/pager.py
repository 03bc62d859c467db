"""Which page of a long list is shown."""

import streamlit as st


def pager(num_items: int, size: int, *, key: str) -> int:
    """Draw the page numbers, if there is more than one page, and return the offset of the first item to show.

    Put what changes the list into `key`, so that another list starts at its first page.
    """
    num_pages = -(-num_items // size)
    return size * (st.pagination(num_pages, key=key) - 1) if num_pages > 1 else 0
