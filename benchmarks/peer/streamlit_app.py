"""The peer: the tutorial ported to Streamlit the direct way, as most people would write it.

The model and the images are cached, every figure is closed, and nothing in it is slowed down.
`PEER_MODEL` names the `.keras` file. `core.dataset` only saves it from downloading the images.
"""

import os
from pathlib import Path

import keras
import matplotlib.pyplot as plt
import numpy as np
import streamlit as st

from core.dataset import CLASS_NAMES, load_split

ROOT = Path(__file__).resolve().parents[2]
MODEL = os.environ.get("PEER_MODEL", ROOT / "assets/models/tutorial/model.keras")


@st.cache_resource
def load_extractor():
    model = keras.models.load_model(MODEL)
    return keras.Model(inputs=model.inputs, outputs=[layer.output for layer in model.layers])


@st.cache_resource
def load_images():
    split = load_split("test")
    return (split.images / 255.0).astype(np.float32).reshape(-1, 28, 28, 1), split.labels


extractor = load_extractor()
images, labels = load_images()

st.title("Feature maps of a convolutional network")
index = st.slider("Image", 0, len(images) - 1, 2000, key="image")
chosen = st.slider("Filter", 0, 63, key="filter")

activations = extractor.predict(images[index : index + 1], verbose=0)
maps = activations[0][0]

st.subheader(f"Image {index}: {CLASS_NAMES[labels[index]]}")
left, right = st.columns(2)
with left:
    figure, axis = plt.subplots()
    axis.imshow(images[index, :, :, 0], cmap="gray")
    st.pyplot(figure)
    plt.close(figure)
with right:
    figure, axis = plt.subplots()
    axis.imshow(maps[:, :, chosen], cmap="viridis")
    axis.set_title(f"Filter {chosen}")
    st.pyplot(figure)
    plt.close(figure)

st.subheader("All filters of the first convolution")
figure, axes = plt.subplots(8, 8, figsize=(12, 12))
for number, axis in enumerate(axes.flat):
    axis.imshow(maps[:, :, number], cmap="viridis")
    axis.set_title(number, fontsize=8, color="red" if number == chosen else "black")
    axis.axis("off")
st.pyplot(figure)
plt.close(figure)
