"""Read what a Python project declares about itself: pyproject.toml, setup.cfg, setup.py and Pipfile."""

import ast
import re
from collections.abc import Iterable, Mapping
from typing import Any

from runners.environment.finding.interpreters import from_caret
from runners.environment.finding.parts import Package, Part
from runners.environment.finding.requirement_files import included
from runners.environment.finding.sources import Sources, join, strings, table

COMPILED = (".c", ".cc", ".cpp", ".cxx", ".h", ".hpp", ".pyx", ".pxd", ".pxi", ".rs", ".f90", ".f")
# Without an upper case: names are compared as packages are, https://packaging.python.org/en/latest/specifications/name-normalization/
_SEPARATORS = re.compile(r"[-_.]+")
# Backends that compile, by the module that pyproject.toml names, and what people call them.
_BUILDERS = {
    "maturin": "maturin",
    "mesonpy": "meson-python",
    "scikit_build_core": "scikit-build-core",
    "skbuild": "scikit-build",
    "py_build_cmake": "py-build-cmake",
    "sipbuild": "SIP",
}
_NAME = re.compile(r"^\s*([A-Za-z0-9][A-Za-z0-9._-]*)\s*(?:\[([^\]]*)\])?")


def normal(name: str) -> str:
    """Return a package's name in its normal form."""
    return _SEPARATORS.sub("-", name).lower()


def package_of(sources: Sources, folder: str = "") -> Package | None:
    """Return the package in `folder`; None if there is nothing to install."""
    pyproject = sources.toml(join(folder, "pyproject.toml"))
    project, poetry = table(pyproject, "project"), table(pyproject, "tool", "poetry")
    setup = join(folder, "setup.py") in sources
    config = sources.ini(join(folder, "setup.cfg"))
    described = bool(project or poetry) or config.has_option("metadata", "name")
    if not setup and not ("build-system" in pyproject and described):
        return None
    if poetry.get("package-mode") is False or table(pyproject, "tool", "uv").get("package") is False:
        return None
    name = project.get("name") or poetry.get("name") or config.get("metadata", "name", fallback="")
    dynamic = "dependencies" in strings(project.get("dynamic")) or "optional-dependencies" in strings(
        project.get("dynamic")
    )
    unread = not poetry and (not project or dynamic)
    below = f"{folder}/" if folder else ""
    backend = str(table(pyproject, "build-system").get("build-backend", "")).partition(".")[0]
    return Package(
        folder=folder,
        name=name if isinstance(name, str) else "",
        extras=tuple(_setup_extras(sources, folder, pyproject)) if unread else (),
        with_dependencies=unread,
        compiled=any(path.startswith(below) and path.endswith(COMPILED) for path in sources.paths)
        or "cffi_modules" in sources.text(join(folder, "setup.py")),
        builder=_BUILDERS.get(backend, ""),
        needed=not folder,
    )


def project_parts(sources: Sources, folder: str = "") -> list[Part]:
    """Return what the project in `folder` needs, read from its files without running them."""
    path = join(folder, "pyproject.toml")
    pyproject = sources.toml(path)
    project = table(pyproject, "project")
    elsewhere = _elsewhere(pyproject)
    own = normal(str(project.get("name", "")))
    extras = {name: strings(each) for name, each in table(project, "optional-dependencies").items()}
    parts = [_part(path, strings(project.get("dependencies")), elsewhere, needed=not folder)]
    for name in compatible(pyproject, "extra", list(extras)):
        parts.append(_part(f"extra `{name}` of {path}", _extra(extras, name, own), elsewhere))
    groups = table(pyproject, "dependency-groups")
    for name in compatible(pyproject, "group", list(groups)):
        flat = _unfolded(groups, name, extras, own)
        parts.append(_part(f"group `{name}` of {path}", flat, elsewhere))
    for name, listed in table(pyproject, "tool", "pdm", "dev-dependencies").items():
        parts.append(_part(f"PDM's group `{name}` of {path}", strings(listed), elsewhere))
    parts.append(
        _part(
            f"uv's dev-dependencies of {path}",
            strings(table(pyproject, "tool", "uv").get("dev-dependencies")),
            elsewhere,
        )
    )
    parts += _poetry(pyproject, path, needed=not folder)
    parts += _hatch(sources, folder, pyproject, extras, own)
    parts += _setup_cfg(sources, folder)
    parts += _setup_py(sources, folder)
    parts += _pipfile(sources, folder)
    return [part for part in parts if part.words]


def _part(
    source: str, lines: Iterable[str], elsewhere: Mapping[str, str] | None = None, *, needed: bool = False
) -> Part:
    """Return requirements as a part.

    Those that come from another place (`elsewhere`, by name) are installed from there, or not at all.
    """
    words = []
    for line in lines:
        line = line.split(" #")[0].strip()
        match = _NAME.match(line)
        if match is None:
            continue
        replaced = (elsewhere or {}).get(normal(match[1]), line)
        words += [replaced] if replaced else []
    return Part(source=source, words=tuple(dict.fromkeys(words)), needed=needed)


def _elsewhere(pyproject: Mapping[str, Any]) -> dict[str, str]:
    """Return what uv is told to take from git or a URL, by name.

    The value is empty for another package of the repository.
    """
    found = {}
    for name, place in table(pyproject, "tool", "uv", "sources").items():
        place = place[0] if isinstance(place, list) and place else place
        if not isinstance(place, dict):
            continue
        if "workspace" in place or "path" in place:
            found[normal(name)] = ""
        elif isinstance(place.get("git"), str):
            ref = place.get("rev") or place.get("tag") or place.get("branch")
            found[normal(name)] = f"{name} @ git+{place['git']}" + (f"@{ref}" if ref else "")
        elif isinstance(place.get("url"), str):
            found[normal(name)] = f"{name} @ {place['url']}"
    return found


def _extra(extras: Mapping[str, list[str]], name: str, own: str, seen: tuple[str, ...] = ()) -> list[str]:
    """Return the requirements of an extra, including those of other extras of the project that it names."""
    found = []
    for line in extras.get(name, ()):
        match = _NAME.match(line)
        if match and normal(match[1]) == own and match[2]:
            wanted = {normal(each) for each in match[2].split(",")}
            inner = [each for each in extras if normal(each) in wanted and each not in (*seen, name)]
            found += [each for more in inner for each in _extra(extras, more, own, (*seen, name))]
        else:
            found.append(line)
    return found


def _unfolded(
    groups: Mapping[str, Any],
    name: str,
    extras: Mapping[str, list[str]],
    own: str,
    seen: tuple[str, ...] = (),
) -> list[str]:
    """Return the requirements of a dependency group, including the groups that it includes (PEP 735)."""
    found: list[str] = []
    listed = groups.get(name)
    for each in listed if isinstance(listed, list) else ():
        if isinstance(each, str):
            match = _NAME.match(each)
            if match and normal(match[1]) == own:
                names = [
                    extra
                    for extra in extras
                    if match[2] and normal(extra) in map(normal, match[2].split(","))
                ]
                found += [line for extra in names for line in _extra(extras, extra, own)]
            else:
                found.append(each)
        elif isinstance(each, dict) and isinstance(each.get("include-group"), str):
            inner = next((key for key in groups if normal(key) == normal(each["include-group"])), "")
            if inner and inner not in (*seen, name):
                found += _unfolded(groups, inner, extras, own, (*seen, name))
    return found


def compatible(pyproject: Mapping[str, Any], kind: str, names: list[str]) -> list[str]:
    """Return the names, but only one of each set that uv's configuration declares as conflicting.

    That is the first one that looks like the one for tests.
    """
    dropped: set[str] = set()
    conflicts = table(pyproject, "tool", "uv").get("conflicts")
    for together in conflicts if isinstance(conflicts, list) else ():
        members = (
            [each.get(kind) for each in together if isinstance(each, dict)]
            if isinstance(together, list)
            else []
        )
        named = [each for each in members if isinstance(each, str) and each in names]
        kept = next((each for each in named if re.search("test|dev|cpu", each)), named[0] if named else "")
        dropped |= {each for each in named if each != kept}
    return [name for name in names if name not in dropped]


def _poetry(pyproject: Mapping[str, Any], path: str, *, needed: bool) -> list[Part]:
    poetry = table(pyproject, "tool", "poetry")
    parts = [_part(path, _poetry_lines(table(poetry, "dependencies")), needed=needed)]
    parts.append(_part(f"dev-dependencies of {path}", _poetry_lines(table(poetry, "dev-dependencies"))))
    for name, group in table(poetry, "group").items():
        parts.append(_part(f"Poetry's group `{name}` of {path}", _poetry_lines(table(group, "dependencies"))))
    return parts


def _poetry_lines(dependencies: Mapping[str, Any]) -> list[str]:
    """Return Poetry's dependencies as requirements.

    https://python-poetry.org/docs/dependency-specification/
    """
    lines = []
    for name, said in dependencies.items():
        if normal(name) == "python":
            continue
        said = said[0] if isinstance(said, list) and said else said
        if isinstance(said, str):
            said = {"version": said}
        if not isinstance(said, dict) or "path" in said:
            continue
        extras = f"[{','.join(strings(said.get('extras')))}]" if said.get("extras") else ""
        if isinstance(said.get("git"), str):
            ref = said.get("rev") or said.get("tag") or said.get("branch")
            lines.append(f"{name}{extras} @ git+{said['git']}" + (f"@{ref}" if ref else ""))
            continue
        marker = f" ; {said['markers']}" if isinstance(said.get("markers"), str) else ""
        lines.append(f"{name}{extras}{from_caret(str(said.get('version', '*')))}{marker}")
    return lines


def _hatch(
    sources: Sources, folder: str, pyproject: Mapping[str, Any], extras: Mapping[str, list[str]], own: str
) -> list[Part]:
    """Return what Hatch's environments for tests need besides the project."""
    path = join(folder, "hatch.toml")
    envs = {**table(pyproject, "tool", "hatch", "envs"), **table(sources.toml(path), "envs")}
    groups = table(pyproject, "dependency-groups")
    parts = []
    for name, env in _hatch_tests(envs):
        listed = [*strings(table(env).get("dependencies")), *strings(table(env).get("extra-dependencies"))]
        listed += _newest_of_matrix(env)
        lines = [line for line in listed if "{" not in line]
        for feature in strings(table(env).get("features")):
            lines += _extra(extras, feature, own)
        for group in strings(table(env).get("dependency-groups")):
            lines += _unfolded(groups, group, extras, own)
        parts.append(_part(f"Hatch's environment `{name}`", lines))
    return parts


def _hatch_tests(envs: Mapping[str, Any]) -> list[tuple[str, Any]]:
    """Return the environments in which Hatch runs tests, found by their names or by their scripts."""
    return [
        (name, env)
        for name, env in envs.items()
        if name == "default" or "test" in name or "pytest" in str(table(env).get("scripts", ""))
    ]


def _newest_of_matrix(env: Any) -> list[str]:
    """Return what a matrix adds to an environment of Hatch for the last of its values.

    https://hatch.pypa.io/latest/config/environment/advanced/#option-overrides
    """
    found = []
    for by_value in table(env, "overrides", "matrix").values():
        for key in ("dependencies", "extra-dependencies"):
            listed = table(by_value).get(key)
            entries = listed if isinstance(listed, list) else []
            values = [
                each for each in entries if isinstance(each, dict) and isinstance(each.get("value"), str)
            ]
            last = (strings(values[-1].get("if")) or [""])[-1] if values else ""
            found += strings(entries)
            found += [each["value"] for each in values if not each.get("if") or last in strings(each["if"])]
    return found


def tool_variables(sources: Sources) -> dict[str, str]:
    """Return the variables that Hatch's environments and PDM's scripts for tests set as literals."""
    pyproject = sources.toml("pyproject.toml")
    envs = {**table(pyproject, "tool", "hatch", "envs"), **table(sources.toml("hatch.toml"), "envs")}
    said = [table(env, "env-vars") for _, env in _hatch_tests(envs)]
    scripts = table(pyproject, "tool", "pdm", "scripts")
    said += [table(script, "env") for name, script in scripts.items() if name == "_" or "test" in name]
    pairs = [(name, value) for each in said for name, value in each.items()]
    return {name: value for name, value in pairs if isinstance(value, str) and "{" not in value}


def hatch_members(sources: Sources) -> list[str]:
    """Return the folders of this repository's packages that Hatch's test environments or uv's workspace
    use.
    """
    pyproject = sources.toml("pyproject.toml")
    envs = {**table(pyproject, "tool", "hatch", "envs"), **table(sources.toml("hatch.toml"), "envs")}
    found = []
    for name, env in envs.items():
        if name == "default" or "test" in name:
            members = table(env).get("workspace.members") or table(env, "workspace").get("members")
            found += [each.strip("/") for each in strings(members)]
    return [folder for folder in found if join(folder, "pyproject.toml") in sources]


def _setup_cfg(sources: Sources, folder: str) -> list[Part]:
    """Return what setup.cfg names, for projects that no tool can install: those without setup.py and
    pyproject.toml.
    """
    path = join(folder, "setup.cfg")
    if join(folder, "setup.py") in sources or "build-system" in sources.toml(join(folder, "pyproject.toml")):
        return []
    config = sources.ini(path)
    parts = [
        _part(path, config.get("options", "install_requires", fallback="").splitlines(), needed=not folder)
    ]
    parts.append(
        _part(f"tests_require of {path}", config.get("options", "tests_require", fallback="").splitlines())
    )
    section = "options.extras_require"
    for name in config.options(section) if config.has_section(section) else ():
        parts.append(_part(f"extra `{name}` of {path}", config.get(section, name).splitlines()))
    return parts


def _setup_extras(sources: Sources, folder: str, pyproject: Mapping[str, Any]) -> list[str]:
    """Return the extras of a package whose dependencies only its build knows."""
    static = table(pyproject, "project", "optional-dependencies")
    dynamic = table(pyproject, "tool", "setuptools", "dynamic", "optional-dependencies")
    config = sources.ini(join(folder, "setup.cfg"))
    section = "options.extras_require"
    named = [*static, *dynamic, *(config.options(section) if config.has_section(section) else ())]
    value = _argument(sources.text(join(folder, "setup.py")), "extras_require")
    named += value if isinstance(value, dict) else []
    # A key such as ":python_version<'3.8'" is a condition and no extra.
    return sorted(
        {
            name
            for name in named
            if isinstance(name, str) and re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]*", name)
        }
    )


def _setup_py(sources: Sources, folder: str) -> list[Part]:
    path = join(folder, "setup.py")
    value = _argument(sources.text(path), "tests_require")
    return [_part(f"tests_require of {path}", strings(value))]


def _argument(source: str, name: str) -> Any:
    """Return the value of the keyword `name` in setup.py.

    It must be written as a literal, or be one list or dictionary with a name of its own.
    """
    try:
        tree = ast.parse(source)
    except (SyntaxError, ValueError, RecursionError):
        return None
    literals: dict[str, Any] = {
        node.targets[0].id: node.value
        for node in tree.body
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name)
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.keyword) and node.arg == name:
            value: Any = (
                literals.get(node.value.id, node.value) if isinstance(node.value, ast.Name) else node.value
            )
            if isinstance(value, ast.Dict):
                return {key.value: None for key in value.keys if isinstance(key, ast.Constant)}
            try:
                return ast.literal_eval(value)
            except (ValueError, TypeError, RecursionError):
                return None
    return None


def _pipfile(sources: Sources, folder: str) -> list[Part]:
    path = join(folder, "Pipfile")
    if join(folder, "Pipfile.lock") in sources:
        return []
    pipfile = sources.toml(path)
    tables = (("packages", not folder), ("dev-packages", False))
    return [
        _part(
            f"{name} of {path}", [_pipenv_line(*each) for each in table(pipfile, name).items()], needed=needed
        )
        for name, needed in tables
    ]


def _pipenv_line(name: str, said: Any) -> str:
    """Return a line of a Pipfile as a requirement; empty for a path in the repository."""
    said = {"version": said} if isinstance(said, str) else said
    if not isinstance(said, dict) or "path" in said or "file" in said:
        return ""
    extras = f"[{','.join(strings(said.get('extras')))}]" if said.get("extras") else ""
    if isinstance(said.get("git"), str):
        return f"{name}{extras} @ git+{said['git']}" + (f"@{said['ref']}" if said.get("ref") else "")
    version = str(said.get("version", "*"))
    marker = f" ; {said['markers']}" if isinstance(said.get("markers"), str) else ""
    return f"{name}{extras}{'' if version == '*' else version}{marker}"


def dynamic_files(sources: Sources) -> None:
    """Read the files that setuptools takes dependencies from, so that they are among the sources used."""
    dynamic = table(sources.toml("pyproject.toml"), "tool", "setuptools", "dynamic")
    entries = [dynamic.get("dependencies"), *table(dynamic, "optional-dependencies").values()]
    for entry in entries:
        files = table(entry).get("file")
        for path in [files] if isinstance(files, str) else strings(files):
            included(sources, path)
    for path in re.findall(r"[\"']([\w./-]+\.(?:txt|in))[\"']", sources.text("setup.py")):
        included(sources, path)
