"""Train networks: recipes, the networks they build, and how they are fitted.

TensorFlow and Keras are imported by `backend` only, and only once there is something to train.
Training runs as a process of its own, `python -m core.training`, never in the process that serves
pages.
"""
