"""What README gives for a class on one server is what the programs there take."""

import ast
import re

import pytest
import yaml
from jsonschema import Draft7Validator
from traitlets.config import Config

from tools.paths import ROOT

READMES = [ROOT / "README.md", ROOT / "README.ru.md"]


def fence(path, kind: str) -> str:
    """The one block of code of this kind in which a server is configured."""
    blocks = re.findall(rf"```{kind}\n(.*?)```", path.read_text("utf-8"), re.DOTALL)
    [block] = [block for block in blocks if "singleuser" in block]
    return block


def closed(**properties: dict) -> dict:
    return {"type": "object", "properties": properties, "additionalProperties": False}


NUMBER, TEXT = {"type": "number"}, {"type": "string"}
SIZE = {"type": ["number", "string"]}
# What the chart's own schema says of the keys in use (charts for JupyterHub 5); it too
# knows no others at these places. A value of the environment is a text in Kubernetes.
CHART = closed(
    singleuser=closed(
        image=closed(name=TEXT, tag=TEXT),
        cmd={"type": "array", "items": TEXT},
        memory=closed(guarantee=SIZE, limit=SIZE),
        cpu=closed(guarantee=NUMBER, limit=NUMBER),
        extraEnv={"type": "object", "additionalProperties": TEXT},
    ),
    cull=closed(enabled={"type": "boolean"}, timeout={"type": "integer"})
    | {"required": ["enabled"]},
)


@pytest.mark.parametrize("path", READMES, ids=lambda path: path.name)
def test_the_values_of_a_cluster_have_the_form_of_the_chart(path):
    values = yaml.safe_load(fence(path, "yaml"))
    assert not [error.message for error in Draft7Validator(CHART).iter_errors(values)]
    # The kernel's limit leaves room for the server below that of the container, which
    # would kill instead of telling.
    limit = int(values["singleuser"]["cmd"][1].removeprefix("--data="))
    assert limit < float(values["singleuser"]["memory"]["limit"].rstrip("G")) * 2**30


@pytest.mark.parametrize("path", READMES, ids=lambda path: path.name)
def test_the_configuration_of_a_hub_is_python(path):
    c = Config()
    exec(compile(ast.parse(fence(path, "python")), path.name, "exec"), {"c": c})
    assert set(c.Spawner) == {"cmd", "environment", "args"}
    assert c.Spawner.cmd[1] == f"--data={4 << 30}"


def test_both_languages_configure_the_same():
    english, russian = ({k: fence(p, k) for k in ("yaml", "python")} for p in READMES)
    assert yaml.safe_load(english["yaml"]) == yaml.safe_load(russian["yaml"])
    assert ast.dump(ast.parse(english["python"])) == (
        ast.dump(ast.parse(russian["python"]))
    )
