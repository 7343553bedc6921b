"""The Helm chart: valid with all of its values, and divided like the processes' credentials."""

import re
import time
from typing import Any

import psycopg
import pytest
import yaml

from bot.cli.options import queue_names
from bot.config.settings import OTHER_VARIABLES, Settings
from bot.launchers.kubernetes.manifest import selector as job_labels
from bot.launchers.kubernetes.values import JobValues, ValuesInvalid
from bot.storage.database import connect, migrate
from bot.storage.tables import runs
from gherkin.yamlfile import read_yaml
from tests.support.manifests import CHART, FOREIGN, VERSIONS, Manifest, helm, pods, problems, rendered

EVERYTHING: dict[str, Any] = {
    "publicUrl": "https://bot.example.com",
    "image": {"bot": {"repository": "r/bot", "digest": f"sha256:{'a' * 64}"}, "pullSecrets": ["registry"]},
    "broker": {"embedded": False, "secret": {"name": "redis", "key": "url"}},
    "web": {
        "ingress": {"enabled": True, "className": "nginx", "host": "bot.example.com", "tlsSecret": "tls"},
        "autoscaling": {"enabled": True},
        "secrets": {"SCENARIST_CONTROL_TOKEN": {"name": "web", "key": "control"}},
    },
    "runner": {
        "concurrency": 2,
        "runtimeClassName": "gvisor",
        "registriesProxy": {"url": "http://registries:3128"},
        "secrets": {"SCENARIST_MODEL_API_KEY": {"name": "model", "key": "key"}},
        "nodeSelector": {"pool": "runs"},
        "tolerations": [{"key": "runs", "operator": "Exists"}],
        "keda": {"enabled": True},
    },
    "networkPolicy": {"model": {"to": [{"ipBlock": {"cidr": "10.1.0.0/16"}}], "port": 8000}},
}
JOBS: dict[str, Any] = {**EVERYTHING, "runner": {**EVERYTHING["runner"], "kind": "kubernetes"}}
ACTIONS: dict[str, Any] = {
    "runner": {"kind": "actions"},
    "dispatcher": {"secrets": {"SCENARIST_RUNNER_SECRET": {"name": "web", "key": "runner"}}},
}
RUNNER_SECRET = {"SCENARIST_RUNNER_SECRET": {"name": "web", "key": "runner"}}
THROUGH_WEB: dict[str, Any] = {
    "runner": {"kind": "kubernetes", "throughWeb": True},
    "web": {"secrets": RUNNER_SECRET},
    "dispatcher": {"secrets": RUNNER_SECRET},
}
SCALED_JOBS: dict[str, Any] = {
    "runner": {
        "kind": "kubernetes",
        "keda": {"enabled": True, "kind": "ScaledJob", "min": 2, "ageSeconds": 900},
    }
}
VARIANTS = {
    "defaults": {},
    "everything": EVERYTHING,
    "open": {"networkPolicy": {"enabled": False}},
    "kubernetes": JOBS,
    "actions": ACTIONS,
    "scaled jobs": SCALED_JOBS,
    "through web": THROUGH_WEB,
}


@pytest.fixture(scope="module", params=VARIANTS)
def manifests(request: pytest.FixtureRequest) -> list[Manifest]:
    return rendered(VARIANTS[request.param])


def as_job(scaled: Manifest) -> Manifest:
    """The Job that KEDA makes from a ScaledJob."""
    return {**scaled, "apiVersion": "batch/v1", "kind": "Job", "spec": scaled["spec"]["jobTargetRef"]}


@pytest.fixture(scope="module")
def defaults() -> list[Manifest]:
    return rendered()


def one(manifests: list[Manifest], kind: str, component: str) -> Manifest:
    [found] = [
        each
        for each in manifests
        if each["kind"] == kind and each["metadata"]["labels"]["app.kubernetes.io/component"] == component
    ]
    return found


def test_helm_finds_nothing_to_complain_about() -> None:
    done = helm("lint", "--strict", str(CHART), values=EVERYTHING)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("version", VERSIONS)
def test_every_manifest_is_valid(manifests: list[Manifest], version: str) -> None:
    known = [each for each in manifests if each["apiVersion"] not in FOREIGN]
    known += [as_job(each) for each in manifests if each["kind"] == "ScaledJob"]
    assert len(known) > 8
    assert [found for each in known if (found := problems(each, version))] == []


def test_a_field_that_there_is_not_would_be_found(defaults: list[Manifest]) -> None:
    web = one(defaults, "Deployment", "web")
    web = {**web, "spec": {**web["spec"], "replica": 3}}
    assert "replica" in (problems(web, VERSIONS[0]) or "")


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"web": {"replicas": "two"}}, "/web/replicas"),
        ({"web": {"replcas": 2}}, "replcas"),
        ({"web": {"settings": {"SCENARIST_CONTROL_TOKEN": "hunter2"}}}, "SCENARIST_CONTROL_TOKEN"),
        ({"settings": {"SCENARIST_DATABASE_URL": "postgresql://a:b@c/d"}}, "SCENARIST_DATABASE_URL"),
        (
            {"runner": {"secrets": {"SCENARIST_GITLAB_TOKEN": {"name": "a", "key": "b"}}}},
            "SCENARIST_GITLAB_TOKEN",
        ),
        ({"runner": {"settings": {"SCENARIST_GITHUB_APP_ID": "1"}}}, "SCENARIST_GITHUB_APP_ID"),
        ({"broker": {"embedded": False}}, "/broker/secret/name"),
        ({"image": {"bot": {"repository": "r", "digest": "sha256:12"}}}, "digest"),
    ],
)
def test_the_schema_refuses(values: dict[str, Any], said: str) -> None:
    done = helm("template", "scenarist", str(CHART), values=values)
    assert done.returncode != 0
    assert "meet the specifications of the schema" in done.stderr
    assert said in done.stderr


def test_the_processes_have_no_more_rights_than_they_need(manifests: list[Manifest]) -> None:
    for name, (_, pod) in pods(manifests).items():
        makes_jobs = name == "dispatcher" and "serviceAccountName" in pod
        assert pod["automountServiceAccountToken"] is makes_jobs
        assert pod["securityContext"]["runAsNonRoot"] is True
        for container in pod["containers"]:
            held = container["securityContext"]
            assert held["readOnlyRootFilesystem"] is True
            assert held["allowPrivilegeEscalation"] is False
            assert held["capabilities"] == {"drop": ["ALL"]}
            assert "memory" in container["resources"]["limits"]
        assert all("sizeLimit" in each["emptyDir"] for each in pod["volumes"] if "emptyDir" in each)


def test_only_trusted_processes_have_credentials_of_a_forge(defaults: list[Manifest]) -> None:
    found = pods(defaults)
    forge = re.compile(r"SCENARIST_(GITHUB|GITLAB)_(APP_ID|PRIVATE_KEY_FILE|TOKEN)")
    having = {
        name
        for name, (_, pod) in found.items()
        for each in pod["containers"][0].get("env", [])
        if forge.match(each["name"])
    }
    assert having == {"trusted"}
    mounting = {name for name, (_, pod) in found.items() for v in pod["volumes"] if "secret" in v}
    assert mounting == {"trusted"}


def test_no_manifest_holds_a_secret(manifests: list[Manifest]) -> None:
    assert not [each for each in manifests if each["kind"] == "Secret"]
    for _, pod in pods(manifests).values():
        for each in pod["containers"][0].get("env", []):
            if re.search("TOKEN|SECRET|API_KEY|DATABASE_URL", each["name"]):
                assert "secretKeyRef" in each["valueFrom"]


def test_each_variable_is_a_setting(manifests: list[Manifest]) -> None:
    known = {f"SCENARIST_{name.upper()}" for name in Settings.model_fields} | OTHER_VARIABLES
    for _, pod in pods(manifests).values():
        names = [each["name"] for each in pod["containers"][0].get("env", [])]
        assert len(names) == len(set(names))
        assert {name for name in names if name.startswith("SCENARIST_")} <= known


def test_each_process_is_probed_where_it_listens(defaults: list[Manifest]) -> None:
    found = {**pods(rendered(JOBS)), **pods(defaults)}
    for name in ("web", "trusted", "runner", "dispatcher"):
        container = found[name][1]["containers"][0]
        ports = {each["name"]: each["containerPort"] for each in container["ports"]}
        for probe in ("startupProbe", "livenessProbe", "readinessProbe"):
            assert container[probe]["httpGet"]["port"] in ports
        address = next(each for each in container["env"] if each["name"] == "SCENARIST_METRICS_ADDRESS")
        assert address["value"] == f"0.0.0.0:{ports['metrics']}"
        if "--queues" in container["args"]:
            assert queue_names(container["args"][container["args"].index("--queues") + 1])


def test_selectors_match_the_pods_that_they_are_for(manifests: list[Manifest]) -> None:
    labels = {name: each for name, (each, _) in pods(manifests).items()}
    for each in manifests:
        component = each["metadata"]["labels"].get("app.kubernetes.io/component")
        spec = each.get("spec", {})
        if each["kind"] == "Service":
            selector = spec["selector"]
        elif each["kind"] == "NetworkPolicy":
            selector = spec["podSelector"].get("matchLabels", {})
        elif each["kind"] in ("Deployment", "PodDisruptionBudget"):
            selector = spec["selector"]["matchLabels"]
        else:
            continue
        if component == "run":
            assert selector == {}, "all pods of the namespace of the runs"
            continue
        assert selector.items() <= labels[component].items()
        assert [name for name, its in labels.items() if selector.items() <= its.items()] == [component]


@pytest.mark.parametrize(("variant", "component"), [("defaults", "runner"), ("kubernetes", "run")])
def test_a_runner_reaches_neither_forges_nor_the_web(
    variant: str, component: str, defaults: list[Manifest]
) -> None:
    # The broker of this chart, so that both have the same ports.
    found = rendered({**VARIANTS[variant], "broker": {"embedded": True}})
    policy = one(found, "NetworkPolicy", component)["spec"]
    assert policy["policyTypes"] == ["Ingress", "Egress"]
    ports = sorted(port["port"] for rule in policy["egress"] for port in rule["ports"])
    values = yaml.safe_load((CHART / "values.yaml").read_text())["networkPolicy"]
    goals = [values[name]["port"] for name in ("database", "broker", "model", "registries")]
    assert ports == sorted([53, 53, *goals])
    assert values["forge"]["port"] not in ports
    # The positive control: who needs the forge reaches it.
    trusted = one(defaults, "NetworkPolicy", "trusted")["spec"]
    assert values["forge"]["port"] in [port["port"] for rule in trusted["egress"] for port in rule["ports"]]


def values_of_jobs(manifests: list[Manifest]) -> JobValues:
    """The values file of Jobs as the dispatcher reads it."""
    text = one(manifests, "ConfigMap", "dispatcher")["data"]["kubernetes.yaml"]
    return read_yaml(text, "kubernetes.yaml", JobValues, ValuesInvalid)


def test_jobs_get_what_runners_would_get() -> None:
    manifests = rendered({**JOBS, "dispatcher": {"jobs": {"deadline_seconds": 99, "state_size": "9Gi"}}})
    jobs = values_of_jobs(manifests)
    assert (jobs.deadline_seconds, jobs.state_size) == (99, "9Gi"), "the operator's own keys win"
    assert (jobs.image, jobs.runtime_class, jobs.deployment) == (
        "scenarist-runner:0.1.0",
        "gvisor",
        "scenarist",
    )
    assert jobs.env["SCENARIST_MODEL_URL"] == "http://vllm:8000/v1"
    assert jobs.env["HTTPS_PROXY"] == "http://registries:3128"
    secrets = {"SCENARIST_DATABASE_URL", "SCENARIST_BROKER_URL", "SCENARIST_MODEL_API_KEY"}
    assert jobs.secrets.keys() == secrets
    assert "runner" not in pods(manifests)
    role = one(manifests, "Role", "dispatcher")
    allowed = {(name, verb) for rule in role["rules"] for name in rule["resources"] for verb in rule["verbs"]}
    assert allowed == {
        *(("jobs", verb) for verb in ("create", "list", "watch", "delete")),
        ("pods", "list"),
    }


def in_namespace(manifests: list[Manifest], namespace: str) -> set[tuple[str, str]]:
    """Kind and component of all that is made in another namespace than the release's."""
    return {
        (each["kind"], each["metadata"]["labels"]["app.kubernetes.io/component"])
        for each in manifests
        if each["metadata"].get("namespace") == namespace
    }


def test_the_right_to_make_jobs_reaches_only_the_secrets_that_runners_need() -> None:
    found = rendered(JOBS, "--namespace", "bot")
    assert values_of_jobs(found).namespace == "bot-runs"
    of_dispatcher = {("Role", "dispatcher"), ("RoleBinding", "dispatcher")}
    assert in_namespace(found, "bot-runs") == {*of_dispatcher, ("NetworkPolicy", "run")}
    rest = [each for each in found if "namespace" not in each["metadata"]]
    assert not [each for each in rest if each["kind"] in ("Role", "RoleBinding", "ClusterRoleBinding")]
    [subject] = one(found, "RoleBinding", "dispatcher")["subjects"]
    assert (subject["kind"], subject["namespace"]) == ("ServiceAccount", "bot")
    # The secrets of the other processes are used where no account may make pods.
    forge = {source.name for source in values_of_jobs(found).secrets.values()}
    assert forge == {"scenarist-database", "redis", "model"}
    assert one(found, "Namespace", "run")["metadata"]["name"] == "bot-runs"


def test_the_namespace_of_runs_has_the_name_that_the_operator_gives() -> None:
    own = {**JOBS, "dispatcher": {"runsNamespace": {"name": "work", "create": False}}}
    found = rendered(own, "--namespace", "bot")
    assert values_of_jobs(found).namespace == "work"
    assert one(found, "Role", "dispatcher")["metadata"]["namespace"] == "work"
    assert not [each for each in found if each["kind"] == "Namespace"]
    refused = helm("template", "scenarist", str(CHART), "--namespace", "work", values=own)
    assert refused.returncode != 0 and "another namespace than the release's" in refused.stderr
    jobs = {**JOBS, "dispatcher": {"jobs": {"namespace": "bot"}}}
    refused = helm("template", "scenarist", str(CHART), values=jobs)
    assert refused.returncode != 0 and "/dispatcher/jobs" in refused.stderr


def test_runs_that_work_through_the_web_app_reach_no_database_and_have_no_password_of_it() -> None:
    found = rendered(THROUGH_WEB, "--namespace", "bot")
    jobs = values_of_jobs(found)
    assert jobs.web_url == "http://scenarist-web.bot.svc:80"
    assert jobs.secrets == {} and "SCENARIST_BROKER_URL" not in jobs.env
    egress = one(found, "NetworkPolicy", "run")["spec"]["egress"]
    assert sorted(port["port"] for rule in egress for port in rule["ports"]) == [53, 53, 3128, 8000, 8080]
    [to_web] = [peer for rule in egress for peer in rule["to"] if "'web'" in str(peer)]
    assert to_web["namespaceSelector"] == {"matchLabels": {"kubernetes.io/metadata.name": "bot"}}
    web = one(found, "NetworkPolicy", "web")["spec"]["ingress"]
    assert "bot-runs" in str([rule["from"] for rule in web if rule["ports"][0]["port"] == 8080])
    assert "bot-runs" not in str(one(found, "NetworkPolicy", "broker"))
    without = {**THROUGH_WEB, "dispatcher": {"secrets": {}}}
    refused = helm("template", "scenarist", str(CHART), values=without)
    assert refused.returncode != 0 and "needs SCENARIST_RUNNER_SECRET" in refused.stderr


def test_runs_reach_the_broker_from_their_own_namespace() -> None:
    found = rendered({"runner": {"kind": "kubernetes"}}, "--namespace", "bot")
    assert values_of_jobs(found).env["SCENARIST_BROKER_URL"] == "redis://scenarist-broker.bot.svc:6379/0"
    run = one(found, "NetworkPolicy", "run")["spec"]
    [leads] = [peer for rule in run["egress"] for peer in rule["to"] if "broker" in str(peer)]
    assert leads["namespaceSelector"] == {"matchLabels": {"kubernetes.io/metadata.name": "bot"}}
    broker = one(found, "NetworkPolicy", "broker")["spec"]
    [comes] = [peer for peer in broker["ingress"][0]["from"] if "namespaceSelector" in peer]
    assert comes["namespaceSelector"] == {"matchLabels": {"kubernetes.io/metadata.name": "bot-runs"}}
    assert comes["podSelector"]["matchLabels"] == job_labels(values_of_jobs(found))


def test_a_place_for_runs_is_known_to_the_phases_that_choose_it() -> None:
    for values, kind in ((JOBS, "kubernetes"), (ACTIONS, "actions")):
        found = pods(rendered(values))
        for name in ("trusted", "dispatcher"):
            env = {each["name"]: each.get("value") for each in found[name][1]["containers"][0]["env"]}
            assert env["SCENARIST_RUNNER"] == kind


def test_nothing_fixes_the_number_of_pods_that_something_else_scales() -> None:
    scaled = rendered(EVERYTHING)
    assert "replicas" not in one(scaled, "Deployment", "runner")["spec"]
    assert "replicas" not in one(scaled, "Deployment", "web")["spec"]
    assert one(scaled, "HorizontalPodAutoscaler", "web")["spec"]["maxReplicas"] == 6


def test_keda_makes_jobs_in_place_of_the_dispatcher_some_of_which_wait_for_a_run() -> None:
    manifests = rendered(SCALED_JOBS)
    scaled = one(manifests, "ScaledJob", "runner")["spec"]
    assert scaled["minReplicaCount"] == 2, "so many wait"
    job = scaled["jobTargetRef"]
    assert (job["backoffLimit"], job["activeDeadlineSeconds"]) == (0, 21600)
    pod = job["template"]["spec"]
    assert pod["restartPolicy"] == "Never" and pod["automountServiceAccountToken"] is False
    container = pod["containers"][0]
    assert container["args"] == ["worker", "--next", "--wait", "900"]
    env = {each["name"]: each.get("value") for each in container["env"]}
    assert env["SCENARIST_RUNNER"] == "kubernetes", "the worker takes runs that are done there"
    assert not [each for each in container if each.endswith("Probe") or each == "ports"]
    # No process of the bot has a right in the cluster, and runners reach no more than those of Celery.
    assert not [each for each in manifests if each["kind"] in ("Role", "ServiceAccount", "ScaledObject")]
    assert set(pods(manifests)) == {"web", "trusted", "broker", "migrations", "runner"}
    workers = pods(rendered())["runner"][1]
    assert {**pod, "containers": [], "restartPolicy": ""} == {
        **workers,
        "containers": [],
        "restartPolicy": "",
    }
    refused = helm(
        "template", "scenarist", str(CHART), values={"runner": {"keda": {**SCALED_JOBS["runner"]["keda"]}}}
    )
    assert refused.returncode != 0 and "needs runner.kind: kubernetes" in refused.stderr


@pytest.mark.parametrize(
    ("values", "kind", "runner", "each"),
    [(EVERYTHING, "ScaledObject", "celery", "2"), (SCALED_JOBS, "ScaledJob", "kubernetes", "1")],
)
def test_keda_counts_runs_that_wait_and_runs_that_are_worked_on(
    postgres_server: str, values: dict[str, Any], kind: str, runner: str, each: str
) -> None:
    [trigger] = one(rendered(values), kind, "runner")["spec"]["triggers"]
    assert trigger["metadata"]["targetQueryValue"] == each
    other = {"celery": "kubernetes", "kubernetes": "celery"}[runner]
    with psycopg.connect(f"{postgres_server}/postgres", autocommit=True) as admin:
        admin.execute(f"CREATE DATABASE keda_{runner}")
    engine = connect(f"{postgres_server}/keda_{runner}")
    migrate(engine)
    now = time.time()
    rows: list[tuple[str, str, float, float | None]] = [
        ("implement", "active", now - 5, None),  # waits
        ("verify", "active", now - 5, now + 60),  # is worked on
        ("implement", "active", now + 600, now + 60),  # is worked on
        ("node", "active", now - 5, None),  # waits before an operator's node
        ("implement", "active", now + 600, None),  # is delayed
        ("publish", "active", now - 5, None),  # waits for another worker
        ("implement", "paused", now - 5, None),
        ("implement", "done", now - 5, None),
        ("implement", "elsewhere", now - 5, None),
    ]
    with engine.begin() as db:
        for number, (phase, status, due, lease) in enumerate(rows):
            db.execute(
                runs.insert().values(
                    id=f"{number:026}",
                    request_key=str(number),
                    target=f"t{number}",
                    forge="local",
                    repo="octo/r",
                    status="active" if status == "elsewhere" else status,
                    phase=phase,
                    seq=0,
                    fence=0,
                    lease_until=lease,
                    due_at=due,
                    attempts=0,
                    reported_seq=0,
                    created_at=now,
                    runner=other if status == "elsewhere" else runner,
                )
            )
    engine.dispose()
    with psycopg.connect(f"{postgres_server}/keda_{runner}") as db:
        assert db.execute(trigger["metadata"]["query"]).fetchone() == (4,)
