"""What pyproject.toml cannot say: the sample goes into the package, so that an installed copy can run it."""

import shutil
from pathlib import Path

from setuptools import setup
from setuptools.command.build_py import build_py

ROOT = Path(__file__).parent
SHIPPED = ROOT / "pipeline" / "sample" / "shipped"


class BuildWithSample(build_py):
    """Copy config.yaml and data/sample, without the programs that made it, into `pipeline/sample/shipped`.

    In a checkout, and in an editable installation of one, they stay where they are.
    """

    def run(self) -> None:
        """Build as usual, then add the sample."""
        super().run()
        if not self.editable_mode:
            for source, target in self._shipped():
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(source, target)

    def get_outputs(self, include_bytecode: bool = True) -> list[str]:  # noqa: FBT001, FBT002 - as setuptools calls it
        """List the sample's files too."""
        own = [] if self.editable_mode else [str(target) for _, target in self._shipped()]
        return [*super().get_outputs(include_bytecode), *own]

    def _shipped(self) -> list[tuple[Path, Path]]:
        folder = Path(self.build_lib) / SHIPPED.relative_to(ROOT)
        files = [
            ROOT / "config.yaml",
            *(path for path in sorted((ROOT / "data" / "sample").rglob("*")) if path.is_file()),
        ]
        return [(path, folder / path.relative_to(ROOT)) for path in files if path.suffix not in {".py", ".pyc"}]


setup(cmdclass={"build_py": BuildWithSample})
