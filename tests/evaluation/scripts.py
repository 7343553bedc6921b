"""What scripted models answer on the tasks of the set `smoke`: right work, wrong work, and refusals."""

import json
from dataclasses import dataclass

from runners.models.chat import Reply, TokenUsage
from tests.standins.chat_server import call
from tests.support.harness import says


@dataclass(frozen=True)
class Script:
    """The replies of a model on one task, and the outcome that they must have."""

    outcome: str
    draft: Reply
    turns: tuple[Reply, ...]


def _draft(name: str, *steps: tuple[str, str]) -> Reply:
    feature = {
        "name": name,
        "narrative": {"as_a": "user", "i_want": "a cache", "so_that": "I wait less"},
        "scenarios": [{"name": name, "steps": [{"keyword": word, "text": text} for word, text in steps]}],
        "questions": [],
    }
    return Reply(text=json.dumps(feature), usage=TokenUsage(prompt_tokens=800, completion_tokens=120))


def _work(steps: str, path: str, code: str) -> tuple[Reply, ...]:
    """Write the steps, add `code` at the end of `path`, and finish; asked to look over it, finish again."""
    head = "import cachetools\nfrom behave import given, then, when\n\n\n"
    made = [call("write_file", path="features/steps/steps.py", content=head + steps)]
    if code:
        made.append(call("shell", command=f"cat >> {path} <<'END'\n\n\n{code}END"))
    done = says(call("finish", summary="Does what the issue asks for."))
    return says(*made), done, done


SCRIPTS = {
    "cachetools-fifo": Script(
        "resolved",
        _draft(
            "The first one goes",
            ("When", "1, 2 and 3 are added to a first-in cache of 2"),
            ("Then", "2 and 3 are left"),
        ),
        _work(
            """\
@when("{a:d}, {b:d} and {c:d} are added to a first-in cache of {size:d}")
def add(context, a, b, c, size):
    context.cache = cachetools.FIFOCache(maxsize=size)
    for key in (a, b, c):
        context.cache[key] = key


@then("{a:d} and {b:d} are left")
def left(context, a, b):
    assert sorted(context.cache) == [a, b], list(context.cache)
""",
            "cachetools/__init__.py",
            '''\
class FIFOCache(Cache):
    """A cache that drops the item that was added first: the first one of its dictionary."""
''',
        ),
    ),
    # One of the caches alone: the scenario knows no other.
    "cachetools-repr": Script(
        "false green",
        _draft(
            "A dictionary is shown",
            ("When", "2 is stored for 1 in a cache of 3"),
            ("Then", 'it is shown as "LRUCache({1: 2}, maxsize=3, currsize=1)"'),
        ),
        _work(
            """\
@when("{value:d} is stored for {key:d} in a cache of {size:d}")
def store(context, value, key, size):
    context.cache = cachetools.LRUCache(maxsize=size)
    context.cache[key] = value


@then('it is shown as "{text}"')
def shown(context, text):
    assert repr(context.cache) == text, repr(context.cache)
""",
            "src/cachetools/__init__.py",
            """\
def _shown(self):
    items = dict(self.items())
    return f"LRUCache({items}, maxsize={self.maxsize}, currsize={self.currsize})"


LRUCache.__repr__ = _shown
""",
        ),
    ),
    "cachetools-clear": Script(
        "resolved",
        _draft(
            "The cache is emptied",
            ("Given", "the double of 3 was worked out and kept"),
            ("When", "what is kept is cleared"),
            ("Then", "the double of 3 is worked out 2 times"),
        ),
        _work(
            """\
@given("the double of {n:d} was worked out and kept")
def called(context, n):
    context.calls = []

    @cachetools.cached(cachetools.LRUCache(maxsize=2))
    def double(n):
        context.calls.append(n)
        return 2 * n

    context.double = double
    double(n)


@when("what is kept is cleared")
def cleared(context):
    context.double.cache_clear()


@then("the double of {n:d} is worked out {count:d} times")
def computed(context, n, count):
    context.double(n)
    assert len(context.calls) == count, context.calls
""",
            "src/cachetools/__init__.py",
            '''\
def _with_access(make):
    """Make the decorator `make` give functions access to their cache."""

    def decorator(cache, key=keys.hashkey, lock=None):
        decorate = make(cache, key, lock)

        def decorated(func):
            wrapper = decorate(func)

            def cache_clear():
                if lock is None:
                    cache.clear()
                else:
                    with lock:
                        cache.clear()

            wrapper.cache, wrapper.cache_clear = cache, cache_clear
            return wrapper

        return decorated

    return decorator


cached = _with_access(cached)
''',
        ),
    ),
    "cachetools-methodkey": Script(
        "wrongly refused",
        _draft("The object is left out", ("When", "I make a key"), ("Then", "it is the one of 1")),
        (says(call("give_up", reason="Objects that cannot be hashed have no key.")),),
    ),
    # Nothing is done: the gate says so.
    "cachetools-info": Script(
        "unresolved",
        _draft("Hits are counted", ("When", "I call it 2 times"), ("Then", "there is 1 hit")),
        _work(
            """\
@when("I call it {count:d} times")
def called(context, count):
    @cachetools.cached(cachetools.LRUCache(maxsize=2), info=True)
    def double(n):
        return 2 * n

    for _ in range(count):
        double(1)
    context.info = double.cache_info()


@then("there is {count:d} hit")
def hit(context, count):
    assert context.info.hits == count, context.info
""",
            "src/cachetools/__init__.py",
            "_INFO = ('hits', 'misses', 'maxsize', 'currsize')\n",
        ),
    ),
    "cachetools-expire": Script(
        "wrongly refused",
        _draft("Removed items", ("When", "an item expires"), ("Then", "it is returned")),
        (says(call("ask", question="May the list hold keys alone?")),),
    ),
    "cachetools-contradiction": Script(
        "refused",
        _draft("A missing key", ("When", "I ask for a missing key"), ("Then", "there is an error")),
        (says(call("ask", question="The call cannot raise and return None: which of the two is meant?")),),
    ),
}
