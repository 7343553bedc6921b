"""Paths that a run must not change: what CI, git hooks, editors and coding agents run or read by themselves.

The tests do not show the effect of such a change: it comes with the merge, when somebody opens the checkout,
or in the prompt of the next agent. `.scenarist.yml` of the default branch adds paths (`protected`) and
allows changes of some (`tools.allow: files.write:GLOB`).
"""

from collections.abc import Mapping, Sequence

_SCENARIST = (".scenarist.yml",)
_GIT = (".git/**", ".gitmodules", ".lfsconfig", "**/CODEOWNERS")
_CI = (
    *(".github/**", ".gitlab/**", ".gitlab-ci*", ".gitlab-ci/**", ".gitea/**", ".forgejo/**", ".circleci/**"),
    *(".buildkite/**", ".semaphore/**", ".teamcity/**", ".tekton/**", ".woodpecker/**", ".woodpecker.y*ml"),
    *(".builds/**", ".build.y*ml", ".travis.y*ml", ".drone.y*ml", ".cirrus.y*ml", ".cirrus.star"),
    *(
        "**/Jenkinsfile*",
        "azure-pipelines*",
        ".azure-pipelines/**",
        "bitbucket-pipelines.y*ml",
        "buildspec.y*ml",
    ),
    *(".appveyor.y*ml", "appveyor.y*ml", "cloudbuild.y*ml", ".readthedocs.y*ml", "readthedocs.y*ml"),
    *("netlify.toml", "vercel.json", "fly.toml", "render.yaml", ".mergify.y*ml", ".kodiak.toml", "bors.toml"),
    *("sonar-project.properties", ".sonarcloud.properties", ".codeclimate.y*ml", ".deepsource.toml"),
    *(".codacy.y*ml", ".coveralls.y*ml", ".snyk", ".trivyignore*", ".gitleaks.toml", ".gitleaksignore"),
    *(".semgrep.y*ml", ".semgrepignore", ".secrets.baseline", ".goreleaser.y*ml", ".releaserc*"),
    *("release.config.*", ".pyup.y*ml", ".lgtm.y*ml", ".hound.y*ml", "wercker.y*ml", "dependabot.y*ml"),
    *("codecov.y*ml", ".codecov.y*ml", "renovate.json*", ".renovaterc*"),
)
_HOOKS = (
    *(".pre-commit-config.y*ml", ".pre-commit-hooks.y*ml", ".husky/**", ".githooks/**", ".git-hooks/**"),
    *(
        "lefthook*.y*ml",
        ".lefthook*.y*ml",
        ".lefthook/**",
        ".overcommit.y*ml",
        "**/.lintstagedrc*",
        "**/.envrc",
    ),
    *(".hooks/**",),
)
_EDITORS = (
    *(
        "**/.vscode/**",
        "**/.idea/**",
        ".devcontainer/**",
        ".devcontainer.json",
        ".zed/**",
        ".fleet/**",
        ".vs/**",
    ),
    *(".gitpod.y*ml", ".gitpod.Dockerfile", ".replit", "*.code-workspace", "**/.dir-locals.el", "**/.exrc"),
    *("**/.vimrc", "**/.nvimrc", "**/.nvim.lua", "**/.vim/**", "*.sublime-project"),
)
_AGENTS = (
    *("**/AGENTS.md", "**/AGENTS.*.md", "**/AGENT.md", "**/CLAUDE.md", "**/CLAUDE.*.md", "**/GEMINI.md"),
    *("**/QWEN.md", "**/CRUSH.md", "**/WARP.md", "**/copilot-instructions.md", "**/.mcp.json", "**/SKILL.md"),
    *(
        ".claude/**",
        ".codex/**",
        ".gemini/**",
        ".qwen/**",
        ".agents/**",
        ".agent/**",
        ".cursor/**",
        ".crush/**",
    ),
    *(
        "**/.cursorrules",
        ".cursorignore",
        ".windsurf/**",
        "**/.windsurfrules",
        ".continue/**",
        ".continuerc*",
    ),
    *(".roo/**", ".roorules*", ".roomodes", ".clinerules", ".clinerules/**", ".kiro/**", ".junie/**"),
    *(".amazonq/**", ".goose/**", ".goosehints", ".openhands/**", ".openhands_instructions", ".opencode/**"),
    *(
        "opencode.json*",
        ".aider*",
        ".trae/**",
        ".augment/**",
        ".augment-guidelines",
        ".amp/**",
        ".kilocode/**",
    ),
)

# Who runs or reads the files -> their globs.
GROUPS: Mapping[str, tuple[str, ...]] = {
    "Scenarist": _SCENARIST,
    "git and forges": _GIT,
    "CI and bots": _CI,
    "git hooks": _HOOKS,
    "editors": _EDITORS,
    "coding agents": _AGENTS,
}
PROTECTED: tuple[str, ...] = tuple(glob for globs in GROUPS.values() for glob in globs)

_MAX_NAMED = 10

# Git reads a file of this name in every folder.
ATTRIBUTES = ".gitattributes"
# Attributes that only say how lines end. Others run a filter, rewrite a file, or hide a file from reviewers.
_LINE_ENDINGS = frozenset(["text", "eol", "crlf", "whitespace"])


def active_attributes(text: str) -> set[str]:
    """Return the lines of a `.gitattributes` file that set other attributes than those of line ends.

    https://git-scm.com/docs/gitattributes names the attributes. Forges add their own, which fold a file's
    diff.
    """
    found = set()
    for line in text.splitlines():
        words = line.split()
        if words and not words[0].startswith("#"):
            names = {word.lstrip("-!").partition("=")[0] for word in words[1:]}
            if not names <= _LINE_ENDINGS or words[0].startswith("[attr]"):
                found.add(" ".join(words))
    return found


def changes_attributes(path: str, before: bytes | None, after: bytes | None) -> bool:
    """Return whether `path` is a `.gitattributes` and its change sets other attributes than line ends."""
    if path.rpartition("/")[2].lower() != ATTRIBUTES:
        return False
    old, new = (active_attributes((each or b"").decode(errors="replace")) for each in (before, after))
    return old != new


def taken_back(paths: Sequence[str]) -> str:
    """Return the note that tells a model which of its changes to protected files were undone."""
    named = ", ".join(f"`{path}`" for path in paths[:_MAX_NAMED])
    more = f" and {len(paths) - _MAX_NAMED} more" if len(paths) > _MAX_NAMED else ""
    is_are = "is" if len(paths) == 1 else "are"
    return (
        f"{named}{more} {is_are} protected and must not be changed, so that change was undone. Reach the "
        "goal without it."
    )
