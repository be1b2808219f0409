"""The floor: the least that a Streamlit page with one slider costs per move."""

import streamlit as st

st.slider("Filter", 0, 63, key="filter")
