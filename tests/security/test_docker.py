"""Ways to leave a container, or to have the engine do something on the host."""

import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from runners.policy.capabilities import Grants, Policy
from runners.sandbox.limits import CommandLimits
from runners.tools.backends.containers import Containers
from runners.tools.base import ToolContext
from tests.support.containers import BUSYBOX, DOCKERFILE, own_engine
from tests.support.tool_context import call, context

pytestmark = [
    pytest.mark.xdist_group("podman"),
    pytest.mark.needs("containers"),
]
SH = ["/bin/busybox", "sh", "-c"]
CONFINED = ["--network=none", "--ulimit=nofile=100:100", "--ulimit=nproc=50:50"]


@pytest.fixture(scope="module")
def words() -> Iterator[tuple[str, ...]]:
    with own_engine() as found:
        yield found


@pytest.fixture
def ctx(tmp_path: Path, words: tuple[str, ...]) -> Iterator[ToolContext]:
    policy = Policy(role="full", repository=Grants(allow=("docker.*",)), protected=("locked",))
    made = context(tmp_path, policy=policy)
    shutil.copy(BUSYBOX, made.root / "busybox")
    (made.root / "Dockerfile").write_text(DOCKERFILE)
    (made.root / "locked").write_text("kept")
    read_only = {"/workspace/locked": made.root / "locked"}
    limits = CommandLimits(wall_s=60, memory_mb=100, processes=40)
    with Containers(words, "01J000000000000000000000AA", made.sandbox, limits, read_only) as containers:
        given = ToolContext(**{**made.__dict__, "resources": (containers,)})
        assert call(given, "docker_build", name="one").ok
        yield given


def run(ctx: ToolContext, script: str, **more: object) -> str:
    return call(ctx, "docker_run", image="built/one", command=[*SH, script], **more).text


def plain(words: tuple[str, ...], ctx: ToolContext, *options: str, script: str) -> str:
    """The control: the same image with the engine's own options."""
    image = "localhost/scenarist-01j000000000000000000000aa:one"
    done = subprocess.run(
        [*words, "run", "--rm", *CONFINED, *options, image, *SH, script], capture_output=True, text=True
    )
    return done.stdout + done.stderr


def test_attack_an_option_as_an_image(ctx: ToolContext) -> None:
    for image in ("--privileged", "-v/:/host", "--volume=/:/host", "built/--privileged", "a b", "-", ""):
        said = call(ctx, "docker_run", image=image, command=["built/one", "/bin/busybox", "id"])
        why = "invalid reference format" if image == "built/--privileged" else "not the name of an image"
        assert not said.ok and why in said.text, image
    assert call(ctx, "docker_run", image="built/one", command=["/bin/busybox", "id"]).ok  # the control


def test_attack_options_behind_the_image(ctx: ToolContext, words: tuple[str, ...], tmp_path: Path) -> None:
    """They are the command's arguments there, and not the engine's."""
    (tmp_path / "host").write_text("canary")
    result = call(
        ctx,
        "docker_run",
        image="built/one",
        command=[f"--volume={tmp_path}:/host", "/bin/busybox", "cat", "/host/host"],
    )
    assert not result.ok and "canary" not in result.text
    assert "canary" in plain(words, ctx, f"--volume={tmp_path}:/host", script="/bin/busybox cat /host/host")


def test_attack_see_the_host(ctx: ToolContext, words: tuple[str, ...], tmp_path: Path) -> None:
    (tmp_path / "app-key.pem").write_text("canary")
    look = f"/bin/busybox cat {tmp_path}/app-key.pem /workspace/../app-key.pem /host{tmp_path}/app-key.pem"
    assert "canary" not in run(ctx, look) and "canary" not in run(ctx, look, workspace=True)
    assert "canary" in plain(words, ctx, "--volume=/:/host", script=look)


def test_attack_use_privileges(ctx: ToolContext, words: tuple[str, ...]) -> None:
    look = "/bin/busybox grep CapEff /proc/self/status; /bin/busybox mount -t tmpfs none /bin && echo mounted"
    confined = run(ctx, look)
    assert "CapEff:\t0000000000000000" in confined and "mounted" not in confined
    assert "mounted" in plain(words, ctx, "--privileged", script=look)


def test_attack_gain_privileges(ctx: ToolContext) -> None:
    assert "NoNewPrivs:\t1" in run(ctx, "/bin/busybox grep NoNewPrivs /proc/self/status")


def test_attack_use_the_network(ctx: ToolContext, words: tuple[str, ...]) -> None:
    look = "/bin/busybox cat /proc/net/dev"
    assert [
        line.split(":")[0].strip() for line in run(ctx, look).splitlines() if ":" in line and "|" not in line
    ] == ["lo"]
    hosts = plain(words, ctx, "--network=host", script=look)
    assert hosts.count(":") >= 1


def test_attack_fill_the_image(ctx: ToolContext, words: tuple[str, ...]) -> None:
    assert "Read-only" in run(ctx, "echo x >/evil")
    assert "Read-only" not in plain(words, ctx, script="echo x >/evil")


def test_attack_fork_in_a_container(ctx: ToolContext) -> None:
    said = run(ctx, "n=0; while [ $n -lt 200 ]; do /bin/busybox sleep 5 & n=$((n+1)); done; echo all of them")
    assert "can't fork" in said and "all of them" not in said


def test_attack_write_a_protected_file_in_a_container(ctx: ToolContext) -> None:
    run(
        ctx,
        "echo x >locked; /bin/busybox rm -f locked; /bin/busybox mv locked other; echo x >free",
        workspace=True,
    )
    assert (ctx.root / "locked").read_text() == "kept" and (ctx.root / "free").read_text() == "x\n"


def test_attack_another_runs_container(ctx: ToolContext, words: tuple[str, ...]) -> None:
    image = "localhost/scenarist-01j000000000000000000000aa:one"
    name = "scenarist-01j000000000000000000000bb-1"
    label = "--label=scenarist.run=01j000000000000000000000bb"
    started = [
        *words,
        "run",
        "--detach",
        *CONFINED,
        f"--name={name}",
        label,
        image,
        "/bin/busybox",
        "sleep",
        "60",
    ]
    subprocess.run(started, check=True, capture_output=True)
    try:
        assert name not in call(ctx, "docker_ps").text
        for tool, more in (
            ("docker_exec", {"command": ["/bin/busybox", "id"]}),
            ("docker_logs", {}),
            ("docker_stop", {}),
            ("docker_remove", {}),
        ):
            assert "no container" in call(ctx, tool, name=name, **more).text
        control = subprocess.run([*words, "exec", name, "/bin/busybox", "id"], capture_output=True, text=True)
        assert "uid" in control.stdout
    finally:
        subprocess.run([*words, "rm", "--force", name], capture_output=True)


FETCHING = [
    "ADD http://169.254.169.254/latest /x",
    "add https://x.test/a /x",
    "AD\\\nD http://x.test/a /x",
    "ONBUILD ADD http://x.test/a /x",
    "# syntax=evil/frontend",
    "#  escape = `",
]


def test_attack_have_the_engine_fetch_something(ctx: ToolContext) -> None:
    for line in FETCHING:
        (ctx.root / "Dockerfile").write_text(
            f"{line}\n{DOCKERFILE}" if line.startswith("#") else f"{DOCKERFILE}{line}\n"
        )
        said = call(ctx, "docker_build", name="two")
        why = "Directives" if line.startswith("#") else "ADD is not allowed"
        assert not said.ok and why in said.text, line


def test_attack_build_on_an_image_from_somewhere(ctx: ToolContext) -> None:
    (ctx.root / "Dockerfile").write_text("FROM localhost:1/evil\n")
    result = call(ctx, "docker_build", name="two")
    assert not result.ok and "localhost:1/evil" in result.text and "refused" not in result.text


def test_attack_a_link_in_the_folder_that_is_built(ctx: ToolContext, tmp_path: Path) -> None:
    (tmp_path / "app-key.pem").write_text("FROM canary\n")
    for name in ("Dockerfile", "secret", ".dockerignore"):
        copied = f'{DOCKERFILE}COPY secret /secret\nRUN ["/bin/busybox", "cat", "/secret"]\n'
        (ctx.root / "Dockerfile").unlink()
        (ctx.root / "Dockerfile").write_text(copied if name == "secret" else DOCKERFILE)
        (ctx.root / name).unlink(missing_ok=True)
        (ctx.root / name).symlink_to(tmp_path / "app-key.pem")
        assert "canary" in (ctx.root / name).read_text()  # the control
        said = call(ctx, "docker_build", name="two")
        assert not said.ok and "canary" not in said.text, (name, said.text)
        (ctx.root / name).unlink()
        (ctx.root / "Dockerfile").write_text(DOCKERFILE)


def test_attack_build_with_the_network_or_the_host(ctx: ToolContext) -> None:
    script = (
        "/bin/busybox cat /proc/net/dev; /bin/busybox grep CapEff /proc/self/status; /bin/busybox ls "
        "/workspace /host"
    )
    (ctx.root / "Dockerfile").write_text(
        f'{DOCKERFILE}RUN ["/bin/busybox", "sh", "-c", "{script}; exit 9"]\n'
    )
    said = call(ctx, "docker_build", name="two").text
    assert "CapEff:\t0000000000000000" in said and "eth" not in said and "No such file" in said
