"""`axonc evaluate` of a spec that asks for a confusion matrix."""

import json


def test_a_confusion_matrix_is_a_table_of_the_answer_and_of_the_screen(axonc, folder):
    text = (
        (folder / "flowers.axon")
        .read_text()
        .replace("metric accuracy", "metric confusion(logits, kind)\nmetric accuracy")
    )
    (folder / "flowers.axon").write_text(text)
    assert axonc("train", "flowers.axon", "--out", "run").code == 0
    answer = json.loads(axonc("evaluate", "run", "--json").out)
    rows = answer["tables"]["confusion"]
    assert sum(map(sum, rows)) == answer["samples"]
    assert (rows[0][0] + rows[1][1]) / answer["samples"] == answer["metrics"]["accuracy"]
    assert "confusion" not in answer["metrics"]
    shown = axonc("evaluate", "run").out.splitlines()
    beginning = next(i for i, line in enumerate(shown) if line.startswith("confusion"))
    assert [line.split()[1:] for line in shown[beginning + 2 :]] == [[*map(str, row)] for row in rows]


def test_without_a_confusion_matrix_there_are_no_tables(axonc, folder):
    assert axonc("train", "flowers.axon", "--out", "run").code == 0
    assert "tables" not in json.loads(axonc("evaluate", "run", "--json").out)
