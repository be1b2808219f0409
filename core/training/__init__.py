"""Train networks: recipes, the networks they build, and the fit."""
