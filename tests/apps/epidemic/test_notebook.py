"""The notebook runs as it stands, cell by cell, and shows tables and figures."""

from __future__ import annotations

import sys
from pathlib import Path

import nbformat
from jupyter_client.manager import KernelManager
from nbclient import NotebookClient

NOTEBOOK = Path(__file__).parents[3] / "docs" / "notebooks" / "epidemic.ipynb"


def test_the_notebook_runs_as_it_stands(tmp_path: Path) -> None:
    notebook = nbformat.read(NOTEBOOK, as_version=4)  # type: ignore[no-untyped-call]
    kernels = KernelManager()
    kernels.kernel_spec.argv[0] = sys.executable  # this environment's interpreter, whatever is installed beside it
    NotebookClient(notebook, km=kernels, timeout=280, resources={"metadata": {"path": str(tmp_path)}}).execute()
    shown = [output for cell in notebook.cells if cell.cell_type == "code" for output in cell.outputs]
    kinds = {kind for output in shown for kind in output.get("data", {})}
    assert {"text/html", "image/png"} <= kinds
    assert not [output for output in shown if output.output_type == "stream" and output.name == "stderr"]
