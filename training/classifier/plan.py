"""What is still to do until a network that ships is trained, teachers first."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from device.errors import UsageError
from training.classifier.read_recipe import read_recipe
from training.classifier.recipe_files import RecipeFile, differences, maker_of
from training.runs import has_run, is_finished, read_history


@dataclass(frozen=True)
class Step:
    """One command of the chain, after ``python -m``, and what is announced of it."""

    words: list[str]
    text: str
    hours: float = 0.0


@dataclass
class Plan:
    """The steps that are still to do, teachers first.

    Args:
        files: the recipe files by name.
        runs: folder of the runs; the teachers' pairs lie in its folder ``teachers``.
        data: FER2013.
        votes: FER+'s.
    """

    files: dict[str, RecipeFile]
    runs: Path
    data: Path
    votes: Path
    steps: list[Step] = field(default_factory=list)
    finished: list[str] = field(default_factory=list)
    underway: list[str] = field(default_factory=list)  # to see a circle

    def need_run(self, file: RecipeFile) -> None:
        """Adds what leads to a finished run.

        Raises:
            UsageError: the run there is of another recipe, or the recipes teach in a circle.
        """
        run = self.runs / file.name
        if file.name in self.finished or any(self.trains(step, run) for step in self.steps):
            return
        if file.name in self.underway:
            raise UsageError(f"{file.path}: is its own teacher, by way of {self.underway[-1]}")
        begun = has_run(run)
        if begun:
            require_recipe(run, file)
        if begun and is_finished(run):
            self.finished.append(file.name)
            return
        self.underway.append(file.name)
        if file.recipe.teacher:
            self.need_run(teacher_of(file, self.files))
        for pair in file.teacher_pairs:
            self.need_pair(pair, file.name)
        self.underway.pop()
        self.steps.append(self.resume(file, run) if begun else self.train(file, run))

    def need_pair(self, pair: str, needed_by: str) -> None:
        """Adds what leads to a teacher's pair; one that is there serves, unless its run is newer."""
        maker = maker_of(pair, self.files, needed_by)
        path = self.teachers / f"{pair}.tflite"
        run = self.runs / maker.name
        if path.exists() and path.with_suffix(".json").exists() and not is_newer(run, path):
            return
        self.need_run(maker)
        words = ["export", "classifier", str(run), "--head", maker.pairs[pair], "--name", pair,
                 "--models", str(self.teachers)]  # fmt: skip
        if not any(step.words == words for step in self.steps):
            self.steps.append(Step(words, f"export  {pair}, a teacher"))

    @property
    def teachers(self) -> Path:
        """Folder of the teachers' pairs."""
        return self.runs / "teachers"

    @staticmethod
    def trains(step: Step, run: Path) -> bool:
        """True for the step that trains a run."""
        return step.words[:2] == ["training", "classifier"] and step.words[-1] == str(run)

    def train(self, file: RecipeFile, run: Path) -> Step:
        """Trains by the recipe file, with the teachers where the chain has them."""
        words = ["training", "classifier", "--recipe", str(file.path), "--data", str(self.data),
                 "--votes", str(self.votes)]  # fmt: skip
        recipe = file.recipe
        words += ["--teacher", str(self.runs / recipe.teacher)] if recipe.teacher else []
        if recipe.start_from:
            words += ["--start-from", str(self.teachers / recipe.start_from)]
        for pair in recipe.view_teachers:
            words += ["--view-teacher", str(self.teachers / pair)]
        words += ["--run", str(run)]
        return Step(words, f"train   {file.name}, {file.hours:.1f} h", file.hours)

    @staticmethod
    def resume(file: RecipeFile, run: Path) -> Step:
        """Goes on with an interrupted run."""
        done, epochs = len(read_history(run)), file.recipe.epochs
        hours = file.hours * max(epochs - done, 0) / epochs
        text = f"train   {file.name}, {hours:.1f} h: goes on after epoch {done} of {epochs}"
        return Step(["training", "classifier", "--resume", str(run)], text, hours)


def teacher_of(file: RecipeFile, files: dict[str, RecipeFile]) -> RecipeFile:
    """The recipe file of the run that teaches another.

    Raises:
        UsageError: there is none.
    """
    try:
        return files[file.recipe.teacher]
    except KeyError as error:
        raise UsageError(
            f"{file.path}: no recipe file for its teacher {file.recipe.teacher}"
        ) from error


def require_recipe(run: Path, file: RecipeFile) -> None:
    """Refuses a run that was trained otherwise: what ships must not be replaced by it.

    Raises:
        UsageError: its settings are not those of the recipe file.
    """
    other = differences(read_recipe(run), file.recipe)
    if other:
        raise UsageError(
            f"{run}: is not a run of {file.path.name} ({other}); move it away, or name another "
            "folder with --runs"
        )


def is_newer(run: Path, pair: Path) -> bool:
    """True where a run has been trained since a pair was exported."""
    weights = run / "averaged.weights.h5"
    return weights.exists() and weights.stat().st_mtime > pair.stat().st_mtime
