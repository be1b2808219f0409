"""What deploy/ describes: valid, and of one mind about ports, names and files."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import yaml
from streamlit import config

from tests.harness.app import PAGES
from tests.harness.server import ROOT, Server
from tests.harness.student import Student

DEPLOY = ROOT / "deploy"
DOCKERFILE = (DEPLOY / "Dockerfile").read_text()
[PORT] = re.findall(r"^EXPOSE (\d+)$", DOCKERFILE, re.M)
COMPOSE = yaml.safe_load((DEPLOY / "compose.yaml").read_text())
REPLICAS = {name: each for name, each in COMPOSE["services"].items() if name != "nginx"}
NGINX = COMPOSE["services"]["nginx"]
OBJECTS = list(yaml.safe_load_all((DEPLOY / "kubernetes.yaml").read_text()))
HEALTH = "/_stcore/health"
SECRET = config._config_options_template["server.cookieSecret"].env_var
WRITABLE = "/tmp"


def of_kind(kind: str) -> dict[str, Any]:
    [found] = [each for each in OBJECTS if each["kind"] == kind]
    return found


def directives(file: str, name: str) -> list[str]:
    """What a directive of nginx says, wherever it stands."""
    return re.findall(rf"^\s*{name} +(.*);", (DEPLOY / file).read_text(), re.M)


def test_the_dockerfile_is_as_hadolint_wants_it() -> None:
    command = [Path(sys.executable).with_name("hadolint"), DEPLOY / "Dockerfile"]
    result = subprocess.run(command, capture_output=True, text=True)
    assert result.returncode == 0, result.stdout


def test_the_image_serves_every_page_with_what_it_holds(tmp_path: Path) -> None:
    """The files that .dockerignore lets into the image, without the rest of the repository."""
    names = re.findall("^!(.*)$", (ROOT / ".dockerignore").read_text(), re.M)
    for name in names:
        target = tmp_path / name
        target.parent.mkdir(exist_ok=True)
        copy = shutil.copytree if (ROOT / name).is_dir() else shutil.copy
        copy(ROOT / name, target)
    app = tmp_path / "streamlit_app.py"
    with Server(app, configured=False, env={"PYTHONPATH": str(tmp_path)}) as server:
        for address in PAGES:
            with Student(server.url) as student:
                student.open(f"/{address}")
                assert isinstance(student.value("image"), float)
        assert not server.has_tensorflow()


def test_what_trains_stays_out_of_the_image() -> None:
    [pattern] = re.findall(r"grep --invert-match --extended-regexp '(.*)' requirements", DOCKERFILE)
    lines = (ROOT / "requirements.txt").read_text().splitlines()
    out = {re.split("[=;]", line)[0] for line in lines if re.match(pattern, line)}
    assert out == {"tensorflow", "tensorflow-cpu", "openTSNE"}


def test_nginx_asks_the_replicas_of_compose() -> None:
    servers = [line.split()[0] for line in directives("upstreams.conf", "server")]
    assert servers == [f"{name}:{PORT}" for name in REPLICAS]
    assert list(NGINX["depends_on"]) == list(REPLICAS)
    [listen] = directives("listen.conf", "listen")
    assert [port.split(":")[1] for port in NGINX["ports"]] == [listen]


def test_nginx_of_compose_reads_this_folder() -> None:
    [volume] = NGINX["volumes"]
    source, folder, mode = volume.split(":")
    assert (source, mode) == (".", "ro")
    assert f"-c {folder}/nginx.conf" in " ".join(NGINX["command"])
    for name in directives("nginx.conf", "include"):
        assert (DEPLOY / name).is_file()


def test_all_replicas_share_a_secret_that_is_not_here() -> None:
    for replica in REPLICAS.values():
        assert replica["environment"][SECRET].startswith("${COOKIE_SECRET:?")
    [variable] = container()["env"]
    assert variable["name"] == SECRET
    assert "secretKeyRef" in variable["valueFrom"]
    assert not [each for each in OBJECTS if each["kind"] == "Secret"]


def test_containers_can_write_to_tmp_only() -> None:
    for service in COMPOSE["services"].values():
        assert service["read_only"]
        assert service["tmpfs"] == [WRITABLE]
    assert container()["securityContext"]["readOnlyRootFilesystem"]
    assert [mount["mountPath"] for mount in container()["volumeMounts"]] == [WRITABLE]
    assert f"HOME={WRITABLE}" in DOCKERFILE
    assert f"-p {WRITABLE}/" in " ".join(NGINX["command"])


@pytest.mark.parametrize(
    "item", OBJECTS, ids=lambda item: f"{item['kind']}-{item['metadata']['name']}"
)
def test_kubernetes_takes_the_objects(item: dict[str, Any]) -> None:
    for version in ("1.30", kubernetes_validate.latest_version()):
        assert refusal(item, version) == ""
        # The check itself: what no version knows is refused.
        assert "misspelt" in refusal({**item, "misspelt": 1}, version)


def refusal(item: dict[str, Any], version: str) -> str:
    """Why that version of Kubernetes does not take an object; empty if it does."""
    try:
        kubernetes_validate.validate(item, version, strict=True)
    except kubernetes_validate.ValidationError as error:
        return str(error)
    return ""


def container() -> dict[str, Any]:
    [found] = of_kind("Deployment")["spec"]["template"]["spec"]["containers"]
    return found


def test_the_kubernetes_objects_are_of_one_mind() -> None:
    deployment, service = of_kind("Deployment"), of_kind("Service")
    labels = deployment["spec"]["template"]["metadata"]["labels"]
    assert deployment["spec"]["selector"]["matchLabels"] == labels
    assert service["spec"]["selector"] == labels
    assert of_kind("PodDisruptionBudget")["spec"]["selector"]["matchLabels"] == labels
    target = of_kind("HorizontalPodAutoscaler")["spec"]["scaleTargetRef"]
    assert (target["kind"], target["name"]) == ("Deployment", deployment["metadata"]["name"])

    [port] = container()["ports"]
    [service_port] = service["spec"]["ports"]
    assert (str(port["containerPort"]), port["name"]) == (PORT, service_port["targetPort"])
    for ingress in (each for each in OBJECTS if each["kind"] == "Ingress"):
        for rule in ingress["spec"]["rules"]:
            for path in rule["http"]["paths"]:
                backend = path["backend"]["service"]
                assert backend["name"] == service["metadata"]["name"]
                assert backend["port"]["name"] == service_port["name"]
    for probe in ("startupProbe", "readinessProbe", "livenessProbe"):
        assert container()[probe]["httpGet"] == {"path": HEALTH, "port": port["name"]}
    assert HEALTH in DOCKERFILE


def test_the_containers_user_is_the_images() -> None:
    [user] = re.findall(r"^USER (\d+):\1$", DOCKERFILE, re.M)
    context = of_kind("Deployment")["spec"]["template"]["spec"]["securityContext"]
    assert (context["runAsNonRoot"], context["runAsUser"]) == (True, int(user))


def test_ingress_and_nginx_close_the_same_paths() -> None:
    closed = next(each for each in OBJECTS if each["metadata"]["name"].endswith("-closed"))
    paths = {path["path"] for rule in closed["spec"]["rules"] for path in rule["http"]["paths"]}
    [pattern] = [
        line for line in (DEPLOY / "nginx.conf").read_text().splitlines() if "metrics" in line
    ]
    names = re.search(r"\((.*?)\)", pattern)[1].split("|")
    assert paths == {f"/_stcore/{name}" for name in names}
