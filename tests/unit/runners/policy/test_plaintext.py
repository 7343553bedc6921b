from runners.policy.plaintext import for_terminal


def test_a_terminal_and_a_jobs_runner_get_nothing_to_obey() -> None:
    hostile = "\x1b[31mred\x1b[0m\r\x9b\n::set-output name=x::y\n \t::add-mask::z\nx ##[error]y\n\u2003::stop"
    shown = for_terminal(hostile)
    assert "\x1b" not in shown and "\r" not in shown and "\x9b" not in shown
    assert not any(line.strip().startswith("::") for line in shown.split("\n"))
    assert "##[" not in shown
    assert shown.replace("\u2060", "").split("\n")[1] == "::set-output name=x::y"


def test_other_text_stays_as_it_is() -> None:
    for text in ("a::b\n\tindented\n\n## Heading\n[link]", "std::vec\n", ""):
        assert for_terminal(text) == text
