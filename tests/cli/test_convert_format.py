"""`axonc convert` and `axonc format`: files become what was asked, or stay as they are."""

from axonc.spec.load import load


def test_a_spec_there_and_back_is_the_same_spec(axonc, folder):
    assert axonc("convert", "digits.axon", "digits.yaml") == (0, "", "")
    assert axonc("convert", "digits.yaml", "back.axon").code == 0
    assert load("back.axon") == load("digits.yaml") == load("digits.axon")


def test_without_a_target_the_other_notation_goes_to_standard_output(axonc, folder):
    ended = axonc("convert", "digits.axon")
    assert ended.code == 0
    assert ended.out.startswith("axonc: 1\n")


def test_a_file_that_is_there_is_replaced_only_by_force(axonc, folder):
    (folder / "digits.yaml").write_text("precious")
    ended = axonc("convert", "digits.axon", "digits.yaml")
    assert ended.code == 2
    assert (folder / "digits.yaml").read_text() == "precious"
    assert axonc("convert", "digits.axon", "digits.yaml", "--force").code == 0
    assert load("digits.yaml") == load("digits.axon")


def test_a_spec_that_cannot_be_read_is_code_1_and_writes_nothing(axonc, folder):
    (folder / "torn.axon").write_text("axonc 1\nmodel torn(\n")
    ended = axonc("convert", "torn.axon", "torn.yaml")
    assert ended.code == 1
    assert "torn.axon:" in ended.err
    assert not (folder / "torn.yaml").exists()


def test_formatting_is_done_once_and_keeps_comments(axonc, folder):
    crooked = (folder / "digits.axon").read_text().replace("logits =", "# the classes\nlogits   =")
    (folder / "crooked.axon").write_text(crooked)
    before = load("crooked.axon")
    assert axonc("format", "--check", "crooked.axon").code == 1
    assert (folder / "crooked.axon").read_text() == crooked
    assert axonc("format", "crooked.axon") == (0, "crooked.axon: rewritten\n", "")
    assert axonc("format", "--check", "crooked.axon") == (0, "", "")
    assert axonc("format", "crooked.axon") == (0, "", "")
    assert "# the classes" in (folder / "crooked.axon").read_text()
    assert load("crooked.axon") == before


def test_one_file_with_mistakes_does_not_keep_the_others_from_being_formatted(axonc, folder):
    (folder / "torn.axon").write_text("axonc 1\nmodel torn(\n")
    (folder / "crooked.axon").write_text((folder / "digits.axon").read_text().replace("logits =", "logits   ="))
    ended = axonc("format", "torn.axon", "crooked.axon")
    assert ended.code == 1
    assert ended.out == "crooked.axon: rewritten\n"
    assert (folder / "torn.axon").read_text() == "axonc 1\nmodel torn(\n"
