"""Honest changes in many styles: programs, databases, warnings, decorators, threads, callbacks, plugins."""

from tests.gate.recipes.answers import LAZY, PROOFS
from tests.gate.recipes.lazy import spec, steps
from tests.gate.recipes.proofs import honest
from tests.support.workbench import BASE

__all__ = ["LAZY", "PROOFS"]


def _added(code: str, head: str = "") -> str:
    """The program with more code; `head` stands before it."""
    return head + BASE["calc.py"] + code


honest(
    "a style: cli by subprocess",
    spec("When I run the program with 4", 'Then it prints "8"'),
    steps(
        "import subprocess\nimport sys\n\n\n@when('I run the program with {n}')\ndef run(context, n):\n"
        "    context.done = subprocess.run([sys.executable, 'calc.py', n], capture_output=True, "
        "text=True)\n\n\n\n\n@then('it prints \"{text}\"')\ndef outcome(context, text):\n"
        "    assert context.done.stdout.strip() == text, context.done.stderr\n"
    ),
    _added(
        "\n\ndef main(argv=None):\n    import argparse\n\n    parser = argparse.ArgumentParser()\n"
        "    parser.add_argument('n', type=int)\n    print(2 * parser.parse_args(argv).n)\n\n\n"
        "if __name__ == '__main__':\n    main()\n"
    ),
)
honest(
    "a style: sqlite",
    spec(
        "Given an empty store",
        'When I save "Ann" with 3 points',
        "Then the store has 1 row",
        'And "Ann" has 3 points',
    ),
    steps(
        "import sqlite3\n\n\n@given('an empty store')\ndef empty(context):\n"
        "    context.db = sqlite3.connect(':memory:')\n    calc.create(context.db)\n\n\n"
        "@when('I save \"{name}\" with {n:d} points')\ndef save(context, name, n):\n"
        "    calc.save(context.db, name, n)\n\n\n@then('the store has {n:d} row')\n"
        "def rows(context, n):\n"
        "    assert context.db.execute('select count(*) from points').fetchone()[0] == n\n\n\n"
        "@then('\"{name}\" has {n:d} points')\ndef points(context, name, n):\n"
        "    assert context.db.execute('select n from points where name = ?', "
        "(name,)).fetchone() == (n,)\n"
    ),
    _added(
        "\n\ndef create(db):\n"
        "    db.execute('create table points (name text primary key, n integer)')\n\n\n"
        "def save(db, name, n):\n"
        "    db.execute('insert or replace into points values (?, ?)', (name, n))\n    db.commit()\n"
    ),
)
honest(
    "a style: deprecation warning",
    spec("When I add the old way", 'Then a deprecation warning says "use add"'),
    steps(
        "import warnings\n\n\n@when('I add the old way')\ndef old(context):\n"
        "    with warnings.catch_warnings(record=True) as context.seen:\n"
        "        warnings.simplefilter('always')\n        context.result = calc.plus(1, 2)\n\n\n"
        "@then('a deprecation warning says \"{text}\"')\ndef warned(context, text):\n"
        "    assert context.result == 3\n"
        "    assert [str(each.message) for each in context.seen if each.category is "
        "DeprecationWarning] == [text]\n"
    ),
    _added(
        "\n\ndef plus(a, b):\n    import warnings\n\n"
        "    warnings.warn('use add', DeprecationWarning, stacklevel=2)\n    return add(a, b)\n"
    ),
)
honest(
    "a style: performance: called once",
    spec("Given a slow function", "When I ask for 4 twice", "Then the slow function ran 1 time"),
    steps(
        "@given('a slow function')\ndef slow(context):\n    context.calls = []\n\n"
        "    @calc.remembered\n    def square(n):\n        context.calls.append(n)\n"
        "        return n * n\n\n    context.square = square\n\n\n@when('I ask for {n:d} twice')\n"
        "def ask(context, n):\n    context.results = [context.square(n), context.square(n)]\n\n\n"
        "@then('the slow function ran {n:d} time')\ndef ran(context, n):\n"
        "    assert len(context.calls) == n, context.calls\n    assert context.results == [16, 16]\n"
    ),
    _added(
        "\n\ndef remembered(function):\n    known = {}\n\n    def wrapper(n):\n"
        "        if n not in known:\n            known[n] = function(n)\n        return known[n]\n\n"
        "    return wrapper\n"
    ),
)
honest(
    "a style: retry decorator",
    spec(
        "Given a call that fails 2 times",
        "When I call it with 3 tries",
        'Then it gives "done"',
        "And it was called 3 times",
    ),
    steps(
        "@given('a call that fails {n:d} times')\ndef failing(context, n):\n    context.calls = 0\n\n"
        "    def call():\n        context.calls += 1\n        if context.calls <= n:\n"
        "            raise OSError('away')\n        return 'done'\n\n    context.call = call\n\n\n"
        "@when('I call it with {n:d} tries')\ndef trying(context, n):\n"
        "    context.result = calc.retry(n)(context.call)()\n\n\n@then('it gives \"{text}\"')\n"
        "def gives(context, text):\n    assert context.result == text\n\n\n"
        "@then('it was called {n:d} times')\ndef called(context, n):\n    assert context.calls == n\n"
    ),
    _added(
        "\n\ndef retry(times):\n    def decorator(function):\n        def wrapper(*args):\n"
        "            for left in reversed(range(times)):\n                try:\n"
        "                    return function(*args)\n                except OSError:\n"
        "                    if not left:\n                        raise\n        return wrapper\n"
        "    return decorator\n"
    ),
)
honest(
    "a style: property with validation",
    spec("Given an account", "When I set its limit to -5", 'Then I am told "limit must be positive"'),
    steps(
        "@given('an account')\ndef account(context):\n    context.account = calc.Account()\n\n\n"
        "@when('I set its limit to {n:d}')\ndef limit(context, n):\n    try:\n"
        "        context.account.limit = n\n    except ValueError as error:\n"
        "        context.error = error\n\n\n@then('I am told \"{text}\"')\ndef told(context, text):\n"
        "    assert str(context.error) == text\n"
    ),
    _added(
        "\n\nclass Account:\n    def __init__(self):\n        self._limit = 0\n\n    @property\n"
        "    def limit(self):\n        return self._limit\n\n    @limit.setter\n"
        "    def limit(self, value):\n        if value < 0:\n"
        "            raise ValueError('limit must be positive')\n        self._limit = value\n"
    ),
)
honest(
    "a style: float mean",
    spec("When I take the mean of 0.1, 0.2 and 0.6", "Then the mean is 0.3"),
    steps(
        "import math\n\n\n@when('I take the mean of {a:g}, {b:g} and {c:g}')\n"
        "def mean(context, a, b, c):\n    context.mean = calc.mean([a, b, c])\n\n\n"
        "@then('the mean is {n:g}')\ndef is_(context, n):\n"
        "    assert math.isclose(context.mean, n, rel_tol=1e-9), context.mean\n"
    ),
    _added("\n\ndef mean(values):\n    return sum(values) / len(values)\n"),
)
honest(
    "a style: time zones",
    spec("When it is 2024-07-01T12:00 in Berlin", "Then it is 10:00 in UTC"),
    steps(
        "from datetime import datetime\n\n\n@when('it is {when} in Berlin')\n"
        "def berlin(context, when):\n"
        "    context.utc = calc.utc(datetime.fromisoformat(when), 'Europe/Berlin')\n\n\n"
        "@then('it is {time} in UTC')\ndef utc(context, time):\n"
        "    assert context.utc.strftime('%H:%M') == time\n"
    ),
    _added(
        "\n\ndef utc(moment, zone):\n"
        "    return moment.replace(tzinfo=ZoneInfo(zone)).astimezone(timezone.utc)\n",
        "from datetime import timezone\nfrom zoneinfo import ZoneInfo\n\n\n",
    ),
)
honest(
    "a style: exception chain",
    spec("When I load a broken file", "Then a LoadError is raised", "And its cause is a ValueError"),
    steps(
        "@when('I load a broken file')\ndef load(context):\n    try:\n        calc.load('{')\n"
        "    except calc.LoadError as error:\n        context.error = error\n\n\n"
        "@then('a LoadError is raised')\ndef raised(context):\n"
        "    assert isinstance(context.error, calc.LoadError)\n\n\n@then('its cause is a ValueError')\n"
        "def cause(context):\n    assert isinstance(context.error.__cause__, ValueError)\n"
    ),
    _added(
        "\n\nclass LoadError(Exception):\n    pass\n\n\ndef load(text):\n    try:\n"
        "        return json.loads(text)\n    except ValueError as error:\n"
        "        raise LoadError('broken') from error\n",
        "import json\n\n\n",
    ),
)
honest(
    "a style: logging handler",
    spec("When I divide 4 by 0", 'Then the log has an error "division by zero"'),
    steps(
        "import logging\n\n\n@when('I divide {a:d} by {b:d}')\ndef divide(context, a, b):\n"
        "    context.records = []\n    handler = logging.Handler()\n"
        "    handler.emit = context.records.append\n    logging.getLogger('calc').addHandler(handler)\n"
        "    try:\n        calc.divide(a, b)\n    finally:\n"
        "        logging.getLogger('calc').removeHandler(handler)\n\n\n"
        "@then('the log has an error \"{text}\"')\ndef logged(context, text):\n"
        "    assert [each.getMessage() for each in context.records if each.levelno == "
        "logging.ERROR] == [text]\n"
    ),
    _added(
        "\n\ndef divide(a, b):\n    if b == 0:\n"
        "        logging.getLogger('calc').error('division by zero')\n        return None\n"
        "    return a / b\n",
        "import logging\n\n\n",
    ),
)
honest(
    "a style: chunks",
    spec("When I cut 1,2,3,4,5 into chunks of 2", 'Then the chunks are "1,2 3,4 5"'),
    steps(
        "@when('I cut {numbers} into chunks of {n:d}')\ndef cut(context, numbers, n):\n"
        "    context.chunks = list(calc.chunks(numbers.split(','), n))\n\n\n"
        "@then('the chunks are \"{text}\"')\ndef chunks(context, text):\n"
        "    assert [','.join(each) for each in context.chunks] == text.split()\n"
    ),
    _added(
        "\n\ndef chunks(values, size):\n    for start in range(0, len(values), size):\n"
        "        yield values[start : start + size]\n"
    ),
)
honest(
    "a style: threads",
    spec("When 8 threads count to 100 each", "Then the counter stands at 800"),
    steps(
        "import threading\n\n\n@when('{t:d} threads count to {n:d} each')\n"
        "def counting(context, t, n):\n    context.counter = calc.Counter()\n"
        "    threads = [threading.Thread(target=lambda: [context.counter.up() for _ in "
        "range(n)]) for _ in range(t)]\n    for each in threads:\n        each.start()\n"
        "    for each in threads:\n        each.join()\n\n\n@then('the counter stands at {n:d}')\n"
        "def stands(context, n):\n    assert context.counter.value == n\n"
    ),
    _added(
        "\n\nclass Counter:\n    def __init__(self):\n        self.value = 0\n"
        "        self._lock = threading.Lock()\n\n    def up(self):\n        with self._lock:\n"
        "            self.value += 1\n",
        "import threading\n\n\n",
    ),
)
honest(
    "a style: callbacks",
    spec("Given a watched cell", "When its value changes to 4", "Then the watcher saw 0 and 4"),
    steps(
        "@given('a watched cell')\ndef cell(context):\n    context.seen = []\n"
        "    context.cell = calc.Cell(0)\n"
        "    context.cell.watch(lambda old, new: context.seen.append((old, new)))\n\n\n"
        "@when('its value changes to {n:d}')\ndef changes(context, n):\n    context.cell.set(n)\n\n\n"
        "@then('the watcher saw {old:d} and {new:d}')\ndef saw(context, old, new):\n"
        "    assert context.seen == [(old, new)]\n"
    ),
    _added(
        "\n\nclass Cell:\n    def __init__(self, value):\n        self._value = value\n"
        "        self._watchers = []\n\n    def watch(self, watcher):\n"
        "        self._watchers.append(watcher)\n\n    def set(self, value):\n"
        "        old, self._value = self._value, value\n        for watcher in self._watchers:\n"
        "            watcher(old, value)\n"
    ),
)
honest(
    "a style: lru eviction",
    spec(
        "Given a cache for 2 entries",
        "When I put a, b and c into it",
        'Then "a" is not in the cache',
        'And "c" is in the cache',
    ),
    steps(
        "@given('a cache for {n:d} entries')\ndef cache(context, n):\n"
        "    context.cache = calc.Cache(n)\n\n\n@when('I put {a}, {b} and {c} into it')\n"
        "def put(context, a, b, c):\n    for each in (a, b, c):\n"
        "        context.cache.put(each, each)\n\n\n@then('\"{key}\" is not in the cache')\n"
        "def absent(context, key):\n    assert key not in context.cache\n\n\n"
        "@then('\"{key}\" is in the cache')\ndef present(context, key):\n"
        "    assert key in context.cache\n"
    ),
    _added(
        "\n\nclass Cache:\n    def __init__(self, size):\n        self._size = size\n"
        "        self._held = {}\n\n    def put(self, key, value):\n        self._held[key] = value\n"
        "        while len(self._held) > self._size:\n"
        "            del self._held[next(iter(self._held))]\n\n    def __contains__(self, key):\n"
        "        return key in self._held\n"
    ),
)
honest(
    "a style: operators",
    spec("When I add 3 euros and 4 euros", "Then I have 7 euros"),
    steps(
        "@when('I add {a:d} euros and {b:d} euros')\ndef adding(context, a, b):\n"
        "    context.sum = calc.Money(a) + calc.Money(b)\n\n\n@then('I have {n:d} euros')\n"
        "def have(context, n):\n    assert context.sum == calc.Money(n)\n"
    ),
    _added(
        "\n\n@dataclass(frozen=True)\nclass Money:\n    euros: int\n\n    def __add__(self, other):\n"
        "        if not isinstance(other, Money):\n            return NotImplemented\n"
        "        return Money(self.euros + other.euros)\n",
        "from dataclasses import dataclass\n\n\n",
    ),
)
honest(
    "a style: wsgi",
    spec("When I ask for /nothing", 'Then the status is "404 Not Found"'),
    steps(
        "@when('I ask for {path}')\ndef ask(context, path):\n    def start(status, headers):\n"
        "        context.status = status\n\n"
        "    context.body = b''.join(calc.app({'PATH_INFO': path}, start))\n\n\n"
        "@then('the status is \"{text}\"')\ndef status(context, text):\n"
        "    assert context.status == text\n"
    ),
    _added(
        "\n\ndef app(environ, start_response):\n    if environ['PATH_INFO'] != '/':\n"
        "        start_response('404 Not Found', [('Content-Type', 'text/plain')])\n"
        "        return [b'not found']\n"
        "    start_response('200 OK', [('Content-Type', 'text/plain')])\n    return [b'ok']\n"
    ),
)
honest(
    "a style: async gather",
    spec("When I fetch 3 pages at once", 'Then I have the pages "0 1 2"'),
    steps(
        "import asyncio\n\n\n@when('I fetch {n:d} pages at once')\ndef fetch(context, n):\n"
        "    async def page(number):\n        await asyncio.sleep(0)\n        return str(number)\n\n"
        "    context.pages = asyncio.run(calc.gather([page(each) for each in range(n)]))\n\n\n"
        "@then('I have the pages \"{text}\"')\ndef pages(context, text):\n"
        "    assert ' '.join(context.pages) == text\n"
    ),
    _added(
        "\n\nasync def gather(pages, limit=2):\n    gate = asyncio.Semaphore(limit)\n\n"
        "    async def one(page):\n        async with gate:\n            return await page\n\n"
        "    return await asyncio.gather(*(one(each) for each in pages))\n",
        "import asyncio\n\n\n",
    ),
)
honest(
    "a style: plugin registry and Protocol",
    spec('Given the plugin "twice"', 'When I run "twice" with 4', "Then it gives 8"),
    steps(
        "@given('the plugin \"{name}\"')\ndef plugin(context, name):\n    class Twice:\n"
        "        def __call__(self, n):\n            return 2 * n\n\n    calc.register(name, Twice())\n"
        "\n\n@when('I run \"{name}\" with {n:d}')\ndef run(context, name, n):\n"
        "    context.result = calc.run(name, n)\n\n\n@then('it gives {n:d}')\ndef gives(context, n):\n"
        "    assert context.result == n\n"
    ),
    _added(
        "\n\nclass Plugin(Protocol):\n    def __call__(self, n: int) -> int: ...\n\n\n"
        "_PLUGINS: dict[str, Plugin] = {}\n\n\ndef register(name: str, plugin: Plugin) -> None:\n"
        "    _PLUGINS[name] = plugin\n\n\ndef run(name: str, n: int) -> int:\n"
        "    return _PLUGINS[name](n)\n",
        "from typing import Protocol\n\n\n",
    ),
)
honest(
    "a style: defensive branches",
    spec("When I double 4", "Then the result is 8"),
    steps(
        '@when("I double {n:d}")\ndef doubling(context, n):\n    context.n = n\n'
        "    context.result = calc.double(n)\n\n\n\n\n@then('the result is {n:d}')\n"
        "def outcome(context, n):\n    assert context.result == n\n"
    ),
    _added(
        "\n\ndef double(n):\n    if isinstance(n, bool):\n"
        "        raise TypeError('a bool is no number')\n    if n > 10**6:\n"
        "        raise ValueError('too large')\n    if n < -(10**6):\n"
        "        raise ValueError('too small')\n    return 2 * n\n"
    ),
)
honest(
    "a style: cases, one tried",
    spec("When I convert 2 km", "Then it is 2000 m"),
    steps(
        "@when('I convert {n:d} {unit}')\ndef convert(context, n, unit):\n"
        "    context.m = calc.metres(n, unit)\n\n\n@then('it is {n:d} m')\ndef it_is(context, n):\n"
        "    assert context.m == n\n"
    ),
    _added(
        "\n\ndef metres(n, unit):\n    if unit == 'km':\n        return 1000 * n\n"
        "    if unit == 'mile':\n        return 1609 * n\n    if unit == 'yard':\n"
        "        return n * 914 // 1000\n    if unit == 'inch':\n        return n * 254 // 10000\n"
        "    raise ValueError(unit)\n"
    ),
)
