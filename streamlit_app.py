"""The app's entry point: `streamlit run streamlit_app.py`."""

from ui import frame

frame.run()
