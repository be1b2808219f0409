"""The app's entry point: `streamlit run streamlit_app.py`, or `uvicorn streamlit_app:app`.

Streamlit finds `app` by reading this file, so it stays a literal call. What is imported here is
imported once for the process: a file that changes on disk later does not reach a running app.
"""

from pathlib import Path

import streamlit as st
from starlette.middleware import Middleware

import pages
from server.middleware import UnknownPages

app = st.App(
    Path(__file__).with_name("ui") / "app.py",
    middleware=[Middleware(UnknownPages, pages=[page.name for page in pages.PAGES])],
)

if __name__ == "__main__":
    # A launcher that does not know st.App runs this file as a script, once for each script run.
    if st.runtime.exists():
        pages.run()
    else:
        app.run()
