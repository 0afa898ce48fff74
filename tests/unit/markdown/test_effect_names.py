"""The tables of functions and commands."""

from __future__ import annotations

import pytest

from copilot_magic.markdown.effect_names import (
    DELETES,
    EFFECTS,
    FUNCTIONS,
    METHODS,
    MODULES,
    NETWORK,
    WRITES,
    in_network_module,
    may_have,
    shell_effects,
)


@pytest.mark.parametrize(
    ("command", "effects"),
    [
        ("ls -l | grep rm", set()),
        ("echo 'rm x > y; curl z'", set()),
        ("make 2>&1 2>/dev/null", set()),
        ("python -c 'a -> b'", set()),
        ("pip list", set()),
        ("git status", set()),
        ("rm -rf build", {DELETES}),
        ("sudo rm x", {DELETES}),
        ("cd a && rm x", {DELETES}),
        ("ls | xargs rm -f", {DELETES}),
        ("find . -name '*.pyc' -delete", {DELETES}),
        ("echo a > b", {WRITES}),
        ("echo a >>b", {WRITES}),
        ("ls | tee log", {WRITES}),
        ("sed -i s/a/b/ c", {WRITES}),
        ("tar xzf a.tgz", {WRITES}),
        ("pip install x", {NETWORK}),
        ("python3 -m pip install x", {NETWORK}),
        ("uv pip install x", {NETWORK}),
        ("git clone https://a.example/b", {NETWORK}),
        ("curl https://a.example > b", {NETWORK, WRITES}),
    ],
)
def test_a_shell_command_does_what_its_words_say(command: str, effects: set[str]) -> None:
    assert shell_effects(command) == effects


def test_functions_of_a_network_module_use_the_network() -> None:
    for name in ("requests.get", "urllib.request.urlopen", "boto3.client", "smtplib.SMTP"):
        assert in_network_module(name)
    for name in (
        *("socket.gethostname", "requests.exceptions.HTTPError", "httpx.TimeoutException"),
        *("urllib.parse.quote", "os.path.join", "urllib3.disable_warnings"),
    ):
        assert not in_network_module(name)


def test_no_name_of_the_tables_is_overlooked_before_parsing() -> None:
    for effect in EFFECTS:
        for name in FUNCTIONS[effect]:
            assert may_have(effect, name.rpartition(".")[2]), name
    for name, effect in METHODS.items():
        assert may_have(effect, f"x.{name}(y)"), name
    for module in MODULES:
        assert may_have(NETWORK, f"import {module}"), module
    for effect in EFFECTS:
        assert not may_have(effect, "total = frame.groupby('a').agg(n=('b', 'sum')) % 7 != 3\n")
