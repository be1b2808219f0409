"""The script that Streamlit runs for each visitor; never imported, because it would run."""

import pages

pages.run()
