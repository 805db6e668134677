"""The files in deploy/ agree with each other; checked without a container engine."""

import functools
import json
import os
import re
import shlex
import socket
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from netcomp.link import parse_rate, parse_seconds

ROOT = Path(__file__).parent.parent
DEPLOY = ROOT / "deploy"
PORT = 7117
SERVICES = pytest.mark.parametrize("service", ["server", "worker"])


@pytest.fixture(scope="module")
def compose():
    yaml = pytest.importorskip("yaml")
    return yaml.safe_load((DEPLOY / "compose.yaml").read_text("utf-8"))


@pytest.fixture(scope="module")
def spec():
    return tomllib.loads((DEPLOY / "spec.toml").read_text("utf-8"))


@pytest.fixture(scope="module")
def dockerfile():
    """Parse the instructions into (NAME, rest), continuation lines joined."""
    text = (DEPLOY / "Dockerfile").read_text("utf-8").replace("\\\n", " ")
    lines = [line for line in text.splitlines() if line and not line.startswith("#")]
    return [tuple(line.split(maxsplit=1)) for line in lines]


def arguments(instructions, name):
    return [rest for instruction, rest in instructions if instruction == name]


def option(command, name):
    return command[command.index(name) + 1]


def test_compose_has_a_server_and_a_worker_service(compose):
    assert list(compose["services"]) == ["server", "worker"]


def test_there_are_as_many_replicas_as_the_spec_has_workers(compose, spec):
    assert compose["services"]["worker"]["deploy"]["replicas"] == spec["cluster"]["workers"]


def test_lists_of_links_have_one_entry_a_worker(spec):
    lists = {key: len(v) for key, v in spec["network"].items() if isinstance(v, list)}
    assert lists == dict.fromkeys(["uplink", "downlink"], spec["cluster"]["workers"])


def test_every_link_is_one_netcomp_understands(spec):
    network = spec["network"]
    assert [parse_rate(r, "uplink") for r in network["uplink"]] == [125e3, 250e3, 625e3]
    assert [parse_rate(r, "downlink") for r in network["downlink"]] == [1.25e6, 2.5e6, 6.25e6]
    assert parse_seconds(network["latency"], "latency") == 0.02


def test_the_run_ends_by_itself_and_records_into_the_volume(compose, spec):
    assert spec["stop"]["rounds"] == 100
    targets = {volume.split(":")[1] for volume in compose["services"]["server"]["volumes"]}
    assert spec["record"]["dir"] in targets


def test_every_mounted_file_exists_and_is_read_only(compose):
    mounts = [m for s in compose["services"].values() for m in s.get("volumes", [])]
    for mount in mounts:
        source, _, rest = mount.partition(":")
        if source.startswith("."):
            assert (DEPLOY / source).is_file()
            assert rest.endswith(":ro")
        else:
            assert source in compose["volumes"]


def test_the_server_reads_the_spec_that_is_mounted(compose):
    server = compose["services"]["server"]
    name, path = server["command"][:2]
    assert name == "server"
    assert f"./spec.toml:{path}:ro" in server["volumes"]


def test_the_port_is_the_same_everywhere(compose, dockerfile):
    server, worker = compose["services"]["server"], compose["services"]["worker"]
    assert option(server["command"], "--listen") == f"0.0.0.0:{PORT}"
    assert option(worker["command"], "--connect") == f"server:{PORT}"
    assert server["environment"]["NETCOMP_PORT"] == str(PORT)
    assert arguments(dockerfile, "EXPOSE") == [str(PORT)]
    assert f"NETCOMP_PORT={PORT}" in shlex.split(arguments(dockerfile, "ENV")[0])


@SERVICES
def test_no_service_is_privileged_or_root(compose, service):
    settings = compose["services"][service]
    forbidden = {"privileged", "user", "cap_add", "devices", "network_mode", "pid", "userns_mode"}
    assert forbidden & set(settings) == set()
    assert settings["cap_drop"] == ["ALL"]
    assert settings["security_opt"] == ["no-new-privileges:true"]


@SERVICES
def test_every_root_is_read_only_with_a_writable_tmp(compose, service):
    settings = compose["services"][service]
    assert settings["read_only"] is True
    assert "/tmp" in settings["tmpfs"]  # noqa: S108 - a path in the container


def test_without_tls_nothing_outside_can_reach_the_server(compose):
    assert "--insecure" in compose["services"]["server"]["command"]
    assert compose["networks"]["default"]["internal"] is True
    assert not any("ports" in service for service in compose["services"].values())


def test_workers_restart_on_failure_and_have_no_health_check(compose):
    worker = compose["services"]["worker"]
    assert worker["restart"] == "on-failure"
    assert worker["healthcheck"] == {"disable": True}


@SERVICES
def test_both_services_are_built_from_the_same_dockerfile(compose, service):
    build = compose["services"][service]["build"]
    assert (DEPLOY / build["context"]).resolve() == ROOT.resolve()
    assert (ROOT / build["dockerfile"]).is_file()
    assert "BASE" in build["args"]


def test_every_stage_starts_from_the_base_argument(compose, dockerfile):
    assert dockerfile[0] == ("ARG", "BASE=python:3.12-slim")
    assert [stage.split()[0] for stage in arguments(dockerfile, "FROM")] == ["${BASE}"] * 2
    arg = compose["services"]["server"]["build"]["args"]["BASE"]
    assert arg == "${BASE:-python:3.12-slim}"


def test_the_image_ends_as_a_numeric_user_that_is_not_root(dockerfile):
    last = arguments(dockerfile, "USER")[-1]
    uid, gid = re.fullmatch(r"(\d+):(\d+)", last).groups()
    assert int(uid) > 0
    assert int(gid) > 0
    final = [name for name, _ in dockerfile]
    assert "RUN" not in final[final.index("USER") :]


def test_the_image_starts_netcomp_directly(dockerfile):
    """No shell in between: netcomp is process 1 and gets SIGTERM itself."""
    assert arguments(dockerfile, "ENTRYPOINT") == ['["netcomp"]']


def test_the_final_stage_takes_only_the_virtual_environment(dockerfile):
    stages = [i for i, (name, _) in enumerate(dockerfile) if name == "FROM"]
    copies = arguments(dockerfile[stages[-1] :], "COPY")
    assert copies == ["--from=builder /opt/netcomp /opt/netcomp"]


def test_the_health_check_says_whether_the_port_accepts_connections(dockerfile):
    (check,) = arguments(dockerfile, "HEALTHCHECK")
    python, *rest = json.loads(check.partition("CMD ")[2])
    assert python == "python"
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))  # bound but not listening: refuses for certain
        environment = os.environ | {"NETCOMP_PORT": str(listener.getsockname()[1])}
        probe = functools.partial(
            subprocess.run, [sys.executable, *rest], env=environment, capture_output=True
        )
        assert probe(check=False).returncode == 1
        listener.listen()
        assert probe(check=False).returncode == 0


def test_the_build_context_is_exactly_what_the_image_copies(dockerfile):
    lines = (DEPLOY / "Dockerfile.dockerignore").read_text("utf-8").splitlines()
    rules = [line for line in lines if line and not line.startswith("#")]
    assert rules[0] == "*"
    let_through = {rule[1:] for rule in rules if rule.startswith("!")}
    copied = [c.split()[:-1] for c in arguments(dockerfile, "COPY") if "--from" not in c]
    assert let_through == {source for sources in copied for source in sources}


def test_the_wheel_finds_all_it_needs_in_the_build_context():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
    needed = {project["project"]["readme"], *project["project"]["license-files"]}
    needed |= set(project["tool"]["hatch"]["build"]["targets"]["wheel"]["packages"])
    ignore = (DEPLOY / "Dockerfile.dockerignore").read_text("utf-8").splitlines()
    assert {f"!{name}" for name in needed} <= set(ignore)
