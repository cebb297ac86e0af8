from neuromf.runtime.tables import write_table


def test_tables_keep_their_columns(tmp_path):
    write_table(tmp_path / "a.csv", [], ("path", "reason"))
    assert (tmp_path / "a.csv").read_text().strip() == "path,reason"
    write_table(tmp_path / "a.csv", [{"path": 'x,"y"', "reason": "é"}])
    assert (tmp_path / "a.csv").read_text(encoding="utf-8").splitlines()[1] == '"x,""y""",é'
