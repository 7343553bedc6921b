"""Find in the output of test runs the modules and plugins that are not installed."""

import re
from collections.abc import Iterable

from gherkin.values import Frozen

_MODULE = re.compile(r"(?:ModuleNotFoundError|ImportError): No module named ['\"]?([\w.]+)")
_FILTER = re.compile(r"Failed to import filter module ['\"]([\w.]+)")
_FIXTURE = re.compile(r"fixture ['\"](\w+)['\"] not found")
# Fixtures by which tests need a well-known plugin.
_FIXTURES = {
    "mocker": "pytest-mock",
    "benchmark": "pytest-benchmark",
    "httpserver": "pytest-httpserver",
    "httpbin": "pytest-httpbin",
    "requests_mock": "requests-mock",
    "freezer": "pytest-freezer",
    "datadir": "pytest-datadir",
    "subtests": "pytest-subtests",
    "django_user_model": "pytest-django",
    "django_db": "pytest-django",
    "aiohttp_client": "pytest-aiohttp",
    "httpx_mock": "pytest-httpx",
    "qtbot": "pytest-qt",
}
_REQUIRED = re.compile(r"Missing required plugins: ([^\n]+)")
# How packages say that an optional one of theirs is needed.
_PACKAGE = re.compile(r"requires the [`'\"]?([A-Za-z0-9][\w.-]*)[`'\"]? package to be installed")
_UNKNOWN = re.compile(r"unrecognized arguments: ([^\n]+)")
# Options of well-known plugins, which many projects put into `addopts`.
_OPTIONS = (
    (r"--(no-)?cov\b|--cov-", "pytest-cov"),
    (r"-n\b|--numprocesses|--dist\b|--maxprocesses", "pytest-xdist"),
    (r"--timeout", "pytest-timeout"),
    (r"--asyncio-mode", "pytest-asyncio"),
    (r"--benchmark", "pytest-benchmark"),
    (r"--ds\b|--reuse-db|--nomigrations|--no-migrations|--create-db|--dc\b", "pytest-django"),
    (r"--reruns", "pytest-rerunfailures"),
    (r"--mypy", "pytest-mypy"),
    (r"--randomly", "pytest-randomly"),
    (r"--html", "pytest-html"),
    (r"--disable-socket|--allow-hosts", "pytest-socket"),
    (r"--doctest-plus|--doctest-rst", "pytest-doctestplus"),
)
# Marks and settings by which tests and configurations need a well-known plugin.
_MARK = re.compile(r"'(\w+)' not found in `markers` configuration option|Unknown pytest\.mark\.(\w+)")
_MARKS = {
    "asyncio": "pytest-asyncio",
    "trio": "pytest-trio",
    "django_db": "pytest-django",
    "timeout": "pytest-timeout",
    "flaky": "pytest-rerunfailures",
    "benchmark": "pytest-benchmark",
    "xdist_group": "pytest-xdist",
    "httpx_mock": "pytest-httpx",
    "order": "pytest-order",
}
_SETTING = re.compile(r"Unknown config option: (\w+)")
_SETTINGS = {
    "asyncio_mode": "pytest-asyncio",
    "asyncio_default_fixture_loop_scope": "pytest-asyncio",
    "trio_mode": "pytest-trio",
    "DJANGO_SETTINGS_MODULE": "pytest-django",
    "django_find_project": "pytest-django",
    "timeout": "pytest-timeout",
    "timeout_method": "pytest-timeout",
    "env": "pytest-env",
    "env_files": "pytest-dotenv",
    "mock_use_standalone_module": "pytest-mock",
    "doctest_plus": "pytest-doctestplus",
}


# Later ones have no pkg_resources: https://setuptools.pypa.io/en/latest/history.html
OLD_SETUPTOOLS = "setuptools<82"
# Packages of well-known modules that have another name, or that projects take for granted. No other package
# is guessed from the name of a module: anybody can publish one.
_PACKAGES = {
    "pkg_resources": OLD_SETUPTOOLS,
    "distutils": OLD_SETUPTOOLS,
    "mock": "mock",
    "hypothesis": "hypothesis",
    "parameterized": "parameterized",
    "yaml": "pyyaml",
    "dateutil": "python-dateutil",
    "PIL": "pillow",
    "bs4": "beautifulsoup4",
    "sklearn": "scikit-learn",
    "numpy": "numpy",
    "Cython": "cython",
    "six": "six",
    "toml": "toml",
    "pytz": "pytz",
}


def well_known(modules: Iterable[str]) -> list[str]:
    """Return the packages of those modules that are well known, as requirements."""
    return sorted({_PACKAGES[name] for each in modules if (name := each.split(".")[0]) in _PACKAGES})


# Finds the signatures and definitions in test files that name one of these fixtures.
LOOK_FOR_FIXTURES = (
    f"grep -rhoE 'def [A-Za-z_0-9]+\\([^)]*\\b({'|'.join(_FIXTURES)})\\b|def "
    f"({'|'.join(_FIXTURES)})\\(' --include='*test*.py' . | sort -u"
)


def plugins_for_fixtures(said: str) -> list[str]:
    """Return the plugins of fixtures that tests use and do not define, from the output of
    `LOOK_FOR_FIXTURES`.
    """
    defined = set(re.findall(r"^def (\w+)\($", said, re.M))
    taken = {name for line in re.findall(r"^def \w+\((.+)$", said, re.M) for name in re.findall(r"\w+", line)}
    return sorted({plugin for name, plugin in _FIXTURES.items() if name in taken - defined})


class MissingModules(Frozen):
    """Modules that cannot be imported, by their full names, and plugins of pytest that its options need."""

    modules: tuple[str, ...] = ()
    own: tuple[str, ...] = ()
    plugins: tuple[str, ...] = ()


def missing_from(said: str, own: frozenset[str] = frozenset()) -> MissingModules:
    """Return what the output of a test runner says is missing. Names that begin with one of `own` are the
    repository's.
    """
    names = list(dict.fromkeys([*_MODULE.findall(said), *_FILTER.findall(said)]))
    plugins = [_FIXTURES[name] for name in _FIXTURE.findall(said) if name in _FIXTURES]
    plugins += _PACKAGE.findall(said)
    for match in _REQUIRED.finditer(said):
        plugins += [re.split(r"[<>=! ]", each.strip())[0] for each in match[1].split(",")]
    for match in _UNKNOWN.finditer(said):
        plugins += [plugin for option, plugin in _OPTIONS if re.search(rf"(?:^|\s)(?:{option})", match[1])]
    plugins += [_MARKS.get(one or other, "") for one, other in _MARK.findall(said)]
    plugins += [_SETTINGS.get(name, "") for name in _SETTING.findall(said)]
    return MissingModules(
        modules=tuple(name for name in names if name.split(".")[0] not in own),
        own=tuple(name for name in names if name.split(".")[0] in own),
        plugins=tuple(dict.fromkeys(filter(None, plugins))),
    )
