"""The figures of the pages, one module per subject: Vega-Lite specifications and pieces of HTML.

They take data, not the view, and do not call Streamlit. The specifications are plain dictionaries:
building the same with a chart library costs a page 10 ms each.
"""
