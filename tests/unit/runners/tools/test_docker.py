"""Containers for real, with podman and an image from scratch."""

import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from runners.policy.capabilities import Grants, Policy
from runners.sandbox.limits import CommandLimits
from runners.tools.backends.containers import Containers, sweep
from runners.tools.base import ToolContext
from tests.support.containers import BUSYBOX, DOCKERFILE, own_engine
from tests.support.tool_context import call, context

pytestmark = [
    pytest.mark.xdist_group("podman"),
    pytest.mark.needs("containers"),
]
RUN = "01J0000000000000000000RUN1"
SH = ["/bin/busybox", "sh", "-c"]


@pytest.fixture
def words() -> Iterator[tuple[str, ...]]:
    with own_engine() as found:
        yield found


@pytest.fixture
def ctx(tmp_path: Path, words: tuple[str, ...]) -> Iterator[ToolContext]:
    policy = Policy(role="full", repository=Grants(allow=("docker.build", "docker.run:built/*")))
    made = context(tmp_path, policy=policy)
    shutil.copy(BUSYBOX, made.root / "busybox")
    (made.root / "Dockerfile").write_text(DOCKERFILE)
    with Containers(words, RUN, made.sandbox, CommandLimits(wall_s=60, memory_mb=200), {}) as containers:
        yield ToolContext(**{**made.__dict__, "resources": (containers,)})
    left = subprocess.run([*words, "ps", "--all", "--quiet"], capture_output=True, text=True).stdout
    images = subprocess.run([*words, "images", "--all", "--quiet"], capture_output=True, text=True).stdout
    assert (left, images) == ("", "")


def test_from_an_image_to_a_container_and_back(ctx: ToolContext) -> None:
    built = call(ctx, "docker_build", name="one")
    assert built.ok, built.text
    ran = call(ctx, "docker_run", image="built/one", command=[*SH, "echo hi; id -u; exit 3"])
    assert not ran.ok and ran.data["exit_code"] == 3 and "hi\n" in ran.text
    (ctx.root / "data").write_text("from the workspace\n")
    mounted = call(
        ctx, "docker_run", image="built/one", command=[*SH, "cat data; echo x >made"], workspace=True
    )
    assert mounted.ok and "from the workspace" in mounted.text and (ctx.root / "made").read_text() == "x\n"
    started = call(
        ctx,
        "docker_run",
        image="built/one",
        command=[*SH, "echo up; exec /bin/busybox sleep 60"],
        background=True,
    )
    assert started.ok, started.text
    name = started.data["name"]
    assert "in it" in call(ctx, "docker_exec", name=name, command=[*SH, "echo in it"]).text
    assert "up" in call(ctx, "docker_logs", name=name).text
    listed = call(ctx, "docker_ps").text
    assert name in listed and "Up" in listed
    assert call(ctx, "docker_stop", name=name).ok
    assert "Exited" in call(ctx, "docker_ps").text
    assert call(ctx, "docker_remove", name=name).ok
    assert name not in call(ctx, "docker_ps").text
    # One that still runs at the end is removed by the fixture's context manager.
    call(ctx, "docker_run", image="built/one", command=["/bin/busybox", "sleep", "60"], background=True)


def test_what_cannot_be_done(ctx: ToolContext) -> None:
    for tool, arguments, says in [
        ("docker_build", {"name": "A B"}, "small letters"),
        ("docker_build", {"name": "x", "folder": "nothing"}, "cannot be copied"),
        ("docker_build", {"name": "x", "folder": "../.."}, "outside the workspace"),
        ("docker_run", {"image": "built/none"}, "Exit code 125"),
        ("docker_exec", {"name": "none", "command": ["x"]}, "no container `none` of this run"),
        ("docker_logs", {"name": "--all"}, "no container"),
    ]:
        result = call(ctx, tool, **arguments)
        assert not result.ok and says in result.text, result.text
    assert call(ctx, "docker_run", image="alpine").denied


def test_a_killed_runs_containers_are_swept(ctx: ToolContext, words: tuple[str, ...]) -> None:
    assert call(ctx, "docker_build", name="one").ok
    started = call(
        ctx, "docker_run", image="built/one", command=["/bin/busybox", "sleep", "60"], background=True
    )
    assert sweep(words, [RUN], CommandLimits()) == []
    assert sweep(words, ["01J0000000000000000000RUN2"], CommandLimits()) == [started.data["name"]]
    assert call(ctx, "docker_ps").text == "Exit code 0."


def test_an_engine_that_is_not_there(tmp_path: Path) -> None:
    made = context(tmp_path)
    containers = Containers(("docker-that-is-not-there",), RUN, made.sandbox, CommandLimits(), {})
    policy = Policy(role="full", repository=Grants(allow=("docker.*",)))
    ctx = ToolContext(**{**made.__dict__, "policy": policy, "resources": (containers,)})
    assert "is not installed on this machine" in call(ctx, "docker_ps").text
