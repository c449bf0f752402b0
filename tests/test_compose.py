"""The compose file: valid by the schema of the Compose specification, with commands and settings that exist."""

from __future__ import annotations

import json
import re
from importlib.resources import files
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from onetake.cluster.dask_engine import require_engine_name
from onetake.config.setting_definitions import SETTINGS

ROOT = Path(__file__).parent.parent


@pytest.fixture(scope="module")
def compose() -> dict[str, Any]:
    loaded: dict[str, Any] = yaml.safe_load((ROOT / "compose.yaml").read_text())
    return loaded


def schema() -> dict[str, Any]:
    """The schema of the Compose specification, as check-jsonschema distributes it."""
    vendored = files("check_jsonschema").joinpath("builtin_schemas/vendor/compose-spec.json")
    loaded: dict[str, Any] = json.loads(vendored.read_text(encoding="utf-8"))
    return loaded


def test_it_is_valid(compose: dict[str, Any]) -> None:
    validator = jsonschema.validators.validator_for(schema())(schema())
    assert [error.message for error in validator.iter_errors(compose)] == []
    wrong = {**compose, "services": {**compose["services"], "worker": {"ports": "all"}}}
    assert list(validator.iter_errors(wrong))


def test_what_it_refers_to_exists(compose: dict[str, Any]) -> None:
    services = compose["services"]
    assert set(services) == {"scheduler", "worker", "postgres", "client"}
    for service in services.values():
        assert set(service.get("depends_on", ())) <= set(services)
        for needed in service.get("depends_on", ()):
            assert "healthcheck" in services[needed]
        for volume in service.get("volumes", ()):
            assert volume.partition(":")[0] in compose["volumes"]
        for port in service.get("ports", ()):
            assert port.startswith("127.0.0.1:")  # neither scheduler nor database is open to a network
    variables = {variable for setting in SETTINGS for variable in setting.variables}
    used = {name for service in services.values() for name in service["environment"] if name.startswith("ONETAKE_")}
    assert used <= variables


@pytest.mark.parametrize("name", ["scheduler", "worker"])
def test_dask_accepts_the_commands(compose: dict[str, Any], name: str) -> None:
    pytest.importorskip("distributed", reason="the extra cluster is not installed")
    from distributed.cli import dask_scheduler, dask_worker

    service = compose["services"][name]
    assert service["entrypoint"] == ["dask", name]
    main = {"scheduler": dask_scheduler.main, "worker": dask_worker.main}[name]
    found = main.make_context(name, list(service["command"])).params
    if name == "worker":
        assert (found["scheduler"], found["nthreads"], found["n_workers"]) == ("scheduler:8786", 1, "-1")
    else:
        assert found["port"] == "8786"


def test_the_image_has_the_extras_and_the_example_names_the_scheduler(compose: dict[str, Any]) -> None:
    project = (ROOT / "pyproject.toml").read_text()
    for extra in compose["x-onetake"]["build"]["args"]["EXTRAS"].split(","):
        assert re.search(rf"^{extra} = \[", project, re.MULTILINE)
    assert 'pip install --no-cache-dir ".[$EXTRAS]"' in (ROOT / "Dockerfile").read_text()
    (on,) = re.findall(r"--on (\S+)", (ROOT / "compose.yaml").read_text())
    require_engine_name(on, None)
