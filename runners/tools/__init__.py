"""The tools that a model may call: one module for each family, and the sets that phases use.
A tool is a typed function in one of them; `base/` defines its arguments and results."""

from typing import Any

from runners.policy.capabilities import Policy
from runners.tools.background import poll_command, start_command, stop_command
from runners.tools.base import Tool
from runners.tools.database import redis_get, redis_scan, redis_set, sql_execute, sql_query, sql_schema
from runners.tools.docker import (
    docker_build,
    docker_exec,
    docker_logs,
    docker_ps,
    docker_remove,
    docker_run,
    docker_stop,
)
from runners.tools.documents import check_claim, search_docs
from runners.tools.files.apply_patch import apply_patch
from runners.tools.files.find import glob, list_files, search
from runners.tools.files.manage import delete_path, file_info, make_folder, move_path
from runners.tools.files.read_write import append_file, edit_file, read_file, write_file
from runners.tools.git import (
    diff_files,
    git_add,
    git_blame,
    git_branch,
    git_checkout,
    git_commit,
    git_diff,
    git_log,
    git_merge_base,
    git_restore,
    git_show,
    git_stash,
    git_status,
)
from runners.tools.http import http_delete, http_get, http_head, http_patch, http_post, http_put
from runners.tools.shell import shell
from runners.tools.tests import coverage_of_diff, detect_tests, rerun_failed, run_check, run_tests

READ_TOOLS: tuple[Tool[Any], ...] = (read_file, list_files, glob, search, git_status, git_diff, git_log)
# Only what nearly every task needs, because small models choose worse among many tools.
EDIT_TOOLS: tuple[Tool[Any], ...] = (
    *READ_TOOLS,
    write_file,
    edit_file,
    apply_patch,
    move_path,
    delete_path,
    shell,
    run_tests,
    rerun_failed,
)
FULL_TOOLS: tuple[Tool[Any], ...] = (
    *EDIT_TOOLS,
    append_file,
    make_folder,
    file_info,
    diff_files,
    git_show,
    git_blame,
    git_merge_base,
    git_add,
    git_commit,
    git_restore,
    git_branch,
    git_checkout,
    git_stash,
    start_command,
    poll_command,
    stop_command,
    detect_tests,
    run_check,
    coverage_of_diff,
)
# Offered where a repository has documents to speak of.
DOCUMENT_TOOLS: tuple[Tool[Any], ...] = (search_docs, check_claim)
# Tools that reach beyond the workspace. The repository must grant each by name.
FAR_TOOLS: tuple[Tool[Any], ...] = (
    http_get,
    http_head,
    http_post,
    http_put,
    http_patch,
    http_delete,
    sql_query,
    sql_execute,
    sql_schema,
    redis_get,
    redis_scan,
    redis_set,
    docker_build,
    docker_run,
    docker_exec,
    docker_ps,
    docker_logs,
    docker_stop,
    docker_remove,
)


def tools_for(policy: Policy, *, documents: bool = False) -> tuple[Tool[Any], ...]:
    """Return the tools of the policy's role, without those that it never allows.

    `documents` is whether the repository has documents to search.
    """
    chosen = FULL_TOOLS if policy.role == "full" else EDIT_TOOLS
    more = DOCUMENT_TOOLS if documents else ()
    return tuple(each for each in (*chosen, *more, *FAR_TOOLS) if policy.refusal(each.capability) is None)
