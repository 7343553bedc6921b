"""The tools a model may call: one module a family, and the two sets that phases hand out.
A tool is a typed function in one of them; `base.py` says what it gets and returns."""

from typing import Any

from runners.tools.base import Tool
from runners.tools.files import edit_file, read_file, write_file
from runners.tools.find import glob, list_files, search
from runners.tools.git import git_diff, git_log, git_status
from runners.tools.shell import shell
from runners.tools.tests import run_tests

READ_TOOLS: tuple[Tool[Any], ...] = (read_file, list_files, glob, search, git_status, git_diff, git_log)
EDIT_TOOLS: tuple[Tool[Any], ...] = (*READ_TOOLS, write_file, edit_file, shell, run_tests)
