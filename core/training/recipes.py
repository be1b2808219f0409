"""The recipes: everything that decides how a network is trained, as data."""

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class Recipe:
    """Everything that decides how a network is trained.

    Attributes:
        name: The value of `--recipe`, and the name of the model folder.
        summary: One line for people who choose.
        epochs: Times that each training image is seen.
        batch_size: Images per step of the optimizer.
        optimizer: "adam" (Kingma and Ba 2015), or "muon" (Jordan et al. 2024; learning rates as
            in Liu et al. 2025, arXiv:2502.16982) for all kernels but the last layer's.
        learning_rate: Of the optimizer; where there is a warm-up, the highest.
        warm_up: Share of the steps in which the learning rate rises from 0 to the highest; in the
            others it falls to 0 along a cosine. None keeps it constant.
        weight_decay: Share of each kernel, times the learning rate, that a step subtracts.
        flips: Whether half of the images, drawn anew each time, are seen mirrored left to right.
        shifts: Whether images are moved by up to a pixel up or down, and left or right.
        dropout: Share of the flattened maps, and of the 128 units, that is set to 0 at random in
            training; the trained network has no dropout.
        label_smoothing: Share of each label that is spread evenly over all classes.
        network: "tutorial", or "large", which is a teacher only: five convolutions with batch
            normalization, 290,000 parameters.
        teacher: The recipe of a network that is trained first, on the images that are not held out,
            and whose probabilities are then learnt (distillation, Hinton et al. 2015,
            arXiv:1503.02531). Its seed is that of this recipe.
        trust: Share of the teacher's probabilities in the targets; the rest is the labels.
        validates: Whether a training on 55,000 images records loss and accuracy on the 5,000 others
            after each epoch, before the network is trained on all of them. The network is then
            tested once, at the end. Otherwise it is tested after each epoch.
        seed: Of the initial weights, the order of the images, and all that is drawn in training.
    """

    name: str
    summary: str
    epochs: int
    batch_size: int = 32
    optimizer: Literal["adam", "muon"] = "adam"
    learning_rate: float = 0.001
    warm_up: float | None = None
    weight_decay: float = 0.0
    flips: bool = False
    shifts: bool = False
    dropout: tuple[float, float] = (0.0, 0.0)
    label_smoothing: float = 0.0
    network: Literal["tutorial", "large"] = "tutorial"
    teacher: "Recipe | None" = None
    trust: float = 1.0
    validates: bool = False
    seed: int = 0

    def words(self) -> dict[str, str]:
        """Return the settings as text, by name, for the model's card; without teacher and seed."""
        rate = f"learning rate {self.learning_rate}"
        if self.warm_up is not None:
            rate = (
                f"learning rate rising to {self.learning_rate} over {self.warm_up:.0%} of the "
                "steps, then falling to 0 along a cosine"
            )
        seen = ["mirrored left to right, half of them"] if self.flips else []
        seen += ["moved by up to a pixel"] if self.shifts else []
        flattened, units = self.dropout
        dropout = [f"{flattened} of the flattened maps"] if flattened else []
        dropout += [f"{units} of the 128 units"] if units else []
        loss = "cross-entropy"
        if self.label_smoothing:
            loss += f", labels smoothed by {self.label_smoothing}"
        if self.teacher:
            loss += f" with {self.trust:.0%} the teacher's probabilities"
            loss += f", {1 - self.trust:.0%} the labels" if self.trust < 1 else ""
        return {
            "loss": loss,
            "optimizer": f"{self.optimizer.title()}, {rate}",
            "weight decay": str(self.weight_decay or "none"),
            "batch size": str(self.batch_size),
            "epochs": str(self.epochs),
            "images": ", ".join(seen) or "as they are",
            "dropout in training": ", ".join(dropout) or "none",
        }


TEACHER = Recipe(
    name="teacher",
    summary="a larger network, which the tuned one learns from",
    epochs=16,
    batch_size=128,
    learning_rate=0.003,
    warm_up=0.2,
    weight_decay=0.05,
    flips=True,
    shifts=True,
    dropout=(0.3, 0.0),
    label_smoothing=0.05,
    network="large",
)

RECIPES = {
    recipe.name: recipe
    for recipe in (
        Recipe(
            name="tutorial",
            summary="the tutorial's network, trained as in the tutorial",
            epochs=5,
        ),
        Recipe(
            name="fast",
            summary="the same network, soonest at the tutorial's 90.36 % test accuracy",
            epochs=2,
            batch_size=64,
            optimizer="muon",
            learning_rate=0.004,
            warm_up=0.2,
        ),
        Recipe(
            name="tuned",
            summary="the same network, as accurate as it gets",
            epochs=24,
            batch_size=128,
            optimizer="muon",
            learning_rate=0.002,
            warm_up=0.1,
            weight_decay=0.01,
            flips=True,
            dropout=(0.1, 0.2),
            teacher=TEACHER,
            trust=0.9,
            validates=True,
        ),
    )
}
