"""Find steps that read the program's source instead of running it: they prove a text and no behaviour."""

import ast
from collections.abc import Collection, Iterator
from pathlib import PurePosixPath

from gherkin.feature.steps import last_name, parse_module

_READERS = frozenset(
    [
        *(
            "getsource",
            "getsourcelines",
            "getsourcefile",
            "findsource",
            "getcomments",
            "getblock",
            "getline",
            "getlines",
        ),
        *("get_data", "disassemble", "Bytecode", "get_instructions", "code_info"),
    ]
)
_CODE_PARTS = frozenset(["__code__", "co_code", "co_consts", "co_names", "co_varnames"])
_OPENERS = frozenset(
    ["open", "read_text", "read_bytes", "fdopen", "parse_file", "copyfile", "fileinput", "input"]
)
_PROGRAMS = frozenset(
    ["grep", "egrep", "rg", "ag", "cat", "head", "tail", "sed", "awk", "git", "diff", "find", "strings"]
)


def source_reads(source: str, product: Collection[str]) -> list[tuple[int, str]]:
    """Return (line, what is read) for each place in a Python source that reads the program's source code.

    `product` are the paths of the program's files. Reading means `inspect.getsource` and similar functions,
    an attribute of a code object, opening one of `product` or a module's `__file__`, or running a program
    such as `grep` on one of them. Raises `SyntaxError` if the source is not Python.
    """
    tree = parse_module(source)
    names = {*product, *(PurePosixPath(path).name for path in product)}
    found = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and node.attr in _CODE_PARTS:
            found[node.lineno] = f"`{node.attr}`"
        elif isinstance(node, ast.Call) and last_name(node.func) in _READERS:
            found[node.lineno] = f"`{last_name(node.func)}`"
    for function in _functions(tree):
        if _opens(function):
            for node in ast.walk(function):
                if isinstance(node, ast.Constant) and _names_file(node.value, names):
                    found.setdefault(node.lineno, f"`{node.value!s}`")
                elif isinstance(node, ast.Attribute) and node.attr == "__file__":
                    found.setdefault(node.lineno, f"`{ast.unparse(node)}`")
    return sorted(found.items())


def _functions(tree: ast.Module) -> Iterator[ast.AST]:
    """Yield each function, and the statements of the module outside of functions."""
    outside = []
    for node in tree.body:
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
            yield node
        else:
            outside.append(node)
    yield ast.Module(body=outside, type_ignores=[])


def _opens(node: ast.AST) -> bool:
    for each in ast.walk(node):
        if isinstance(each, ast.Call) and last_name(each.func) in _OPENERS:
            return True
        if isinstance(each, ast.Constant) and isinstance(each.value, str):
            words = each.value.split()
            if words and PurePosixPath(words[0]).name in _PROGRAMS:
                return True
    return False


def _names_file(value: object, names: Collection[str]) -> bool:
    """Return whether a text is the path of one of the files, or a command line that contains one."""
    if not isinstance(value, str):
        return False
    return any(
        "/".join(parts[at:]) in names
        for parts in (PurePosixPath(word).parts for word in value.split())
        for at in range(len(parts))
    )
