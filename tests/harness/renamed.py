"""The shipped tutorial model under other names, as somebody else's model folder may have them."""

from __future__ import annotations

import hashlib
import json
import zipfile
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from core.models.model_folder import MODELS_DIR

TUTORIAL = MODELS_DIR / "tutorial"

FOREIGN = "evil.example"  # a host that nothing may ask
# A folder's name has no slash; a browser takes "https:host" for an address of another host.
FOLDER = f"![f](https:{FOREIGN}) <img src=https:{FOREIGN}> $x^2$ :red[r] `c` - *b*"
LAYERS = {
    "conv_layer_1": f"![p](http://{FOREIGN}/p.png)",
    "pool_layer_2": f"<img src=//{FOREIGN}/i.png onerror=alert(1)><script>alert(2)</script>",
    "conv_layer_3": rf"$\frac{{1}}{{2}}$ \alpha &amp; www.{FOREIGN} <img src=//{FOREIGN}/c.png>",
    "pool_layer_4": ":material/face: :material_face: :smile: :streamlit: :red[x] a -> b",
    "flatten_layer_5": f"[l](http://{FOREIGN}) https://{FOREIGN}/l me@{FOREIGN}",
    "dense_layer_6": "1. **bold** `code` ~~struck~~ # - a|b",
    "dense_layer_7": f"<img src=//{FOREIGN}/d.png>",
}
CARD = f"""\
# A card ![title](http://{FOREIGN}/1.png)

![described](http://{FOREIGN}/2.png) [![in a link](http://{FOREIGN}/3.png)](http://{FOREIGN}/)
[script](javascript:alert(3)) [by reference][image] ![by reference][image] $x^2$

<img src="http://{FOREIGN}/4.png"><script>alert(4)</script>
<style>@import "//{FOREIGN}/5.css"</style>

| column | other |
| --- | ---: |
| **bold** | `code` |

- item

[image]: http://{FOREIGN}/6.png
"""


def write_model(folder: Path, layers: Mapping[str, str], card: str) -> None:
    """Write the tutorial's model into a folder, its layers renamed, with all its records."""
    folder.mkdir(parents=True)
    network = folder / "model.keras"
    with (
        zipfile.ZipFile(TUTORIAL / "model.keras") as source,
        zipfile.ZipFile(network, "w") as target,
    ):
        for member in source.namelist():
            content = source.read(member)
            if member == "config.json":
                config = json.loads(content)
                for layer in config["config"]["layers"]:
                    name = layer["config"]["name"]
                    layer["config"]["name"] = layers.get(name, name)
                content = json.dumps(config).encode()
            target.writestr(member, content)
    for record in ("insights.npz", "checkpoints.npz"):
        with np.load(TUTORIAL / record) as source_arrays:
            arrays = dict(source_arrays)
        if record == "insights.npz":
            digest = hashlib.sha256(network.read_bytes()).digest()
            arrays["model_sha256"] = np.frombuffer(digest, np.uint8)
        renamed = {}
        for key, array in arrays.items():
            for old, new in layers.items():
                key = key.replace(old, new)
            renamed[key] = array
        np.savez(folder / record, **renamed)
    (folder / "history.csv").write_bytes((TUTORIAL / "history.csv").read_bytes())
    (folder / "card.md").write_text(card)
