from neuromf.verification.section import Section


def test_a_section_without_numbers_has_none():
    section = Section("name", "Title", "Said.")
    assert (dict(section.values), section.plot, section.rows) == ({}, None, ())
