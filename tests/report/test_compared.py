"""What differs between runs, and why their numbers may not be compared."""

import json

from neuromf.report.compared import cells, last_samples, settings_apart, shared, shown, unlike
from neuromf.report.findings import Finding
from neuromf.report.trained import read_trained
from report.support import edit_record, make_run, write_samples


def test_runs_of_the_same_data_are_alike(tmp_path):
    runs = [read_trained(make_run(tmp_path / n, seed=i)) for i, n in enumerate("ab")]
    assert list(unlike(runs)) == []
    assert settings_apart(runs) == []


def test_runs_of_other_data_are_told_apart(tmp_path):
    a = make_run(tmp_path / "a")
    b = make_run(tmp_path / "b", latents="/data/others", latent_scale=1.0, parts=("evaluation",))
    write_samples(b / "samples", (10,), (8, 4, 4, 4))
    (b / "evaluation.json").write_text(json.dumps({"v_loss_linear": {"0.5": 9.0}}))
    said = list(unlike([read_trained(a), read_trained(b)]))
    assert said[0].startswith("The runs differ in latents: /data/latents (a); /data/others (b)")
    assert [s.split(" differ in ")[1].split(":")[0] for s in said] == [
        "latents",
        "latent_scale",
        "the size of the latents",
        "the linear filter's v-loss on held-out latents",
    ]


def test_keys_that_differ_and_a_configuration_that_is_not_read(tmp_path):
    a, b, c = (make_run(tmp_path / n, batch=i + 1) for i, n in enumerate("abc"))
    (c / "config.yaml").write_text("strange: 1\n")
    runs = [read_trained(f) for f in (a, b, c)]
    assert settings_apart(runs) == [("batch", ["1", "2", "not read"])]


def test_findings_of_several_runs_stand_once(tmp_path):
    bad, slow, note = (Finding(w, w) for w in ("wrong", "doubtful", "note"))
    found = shared({"a": [slow, note], "b": [bad, slow], "c": []})
    assert found == [(bad, ["b"]), (slow, ["a", "b"])]


def test_a_row_of_the_table(tmp_path):
    found = cells(read_trained(make_run(tmp_path / "a")))
    assert found[:2] == ["finished", "200 of 200"]
    assert found[3:5] == ["0.6", "update 150"]
    empty = make_run(tmp_path / "b", state="failed", parts=())
    edit_record(empty, seconds=None)
    assert cells(read_trained(empty)) == ["failed", "0 of 200", *["–"] * 6, "more than 0 s"]
    assert shown(float("nan"), " GB") == "–"


def test_samples_that_are_missing(tmp_path):
    runs = [
        read_trained(make_run(tmp_path / "a")),
        read_trained(make_run(tmp_path / "b", parts=())),
    ]
    (name, picture, update), missing = last_samples(runs)
    assert (name, picture.name, update) == ("a", "update-00000200.png", 200)
    assert missing == ("b", None, 0)
