"""The full-text index in SQLite: an FTS5 table of trigrams, one row a case, and the triggers that keep it.

Source: SQLite, "FTS5 Extension" §4.3.4 (trigram tokenizer) and §6.12 (secure-delete, from 3.42 on).
"""

import sqlite3

_SECURE_DELETE_FROM = (3, 42)
_HEAD = """
    @.rule || ' ' || @.fault || ' ' || coalesce(json_extract(@.explanation, '$.title.en'), '') || ' ' || @.device_id
    || ' ' || coalesce((SELECT coalesce(d.name, '') || ' ' || coalesce(d.model, '') || ' ' || coalesce(d.serial, '')
        || ' ' || coalesce(d.site, '') FROM devices d WHERE d.id = @.device_id), '')
    || ' ' || coalesce((SELECT p.name || ' ' || coalesce(p.email, '') || ' ' || coalesce(p.phone, '')
        FROM customers p WHERE p.id = @.customer_id), '')
"""
_FRESH = "(SELECT #HEAD FROM cases c WHERE c.id = search_cases.rowid)".replace("#HEAD", _HEAD.replace("@", "c"))
_SAID = """
    coalesce((SELECT group_concat(json_extract(t.body, '$.text'), ' ') FROM timeline t
        WHERE t.case_id = search_cases.rowid AND t.kind IN ('note', 'message_in')), '')
"""
_TRIGGERS = (
    """
    CREATE TRIGGER search_case_opened AFTER INSERT ON cases BEGIN
        INSERT INTO search_cases (rowid, head, said) VALUES (new.id, #NEW, '');
    END
    """,
    """
    CREATE TRIGGER search_case_changed AFTER UPDATE OF rule, fault, device_id, customer_id, explanation ON cases
    WHEN old.rule IS NOT new.rule OR old.device_id IS NOT new.device_id OR old.customer_id IS NOT new.customer_id
        OR old.explanation IS NOT new.explanation BEGIN
        UPDATE search_cases SET head = #FRESH WHERE rowid = new.id;
    END
    """,
    """
    CREATE TRIGGER search_case_gone AFTER DELETE ON cases BEGIN
        DELETE FROM search_cases WHERE rowid = old.id;
    END
    """,
    """
    CREATE TRIGGER search_said AFTER INSERT ON timeline WHEN new.kind IN ('note', 'message_in') BEGIN
        UPDATE search_cases SET said = said || ' ' || coalesce(json_extract(new.body, '$.text'), '')
        WHERE rowid = new.case_id;
    END
    """,
    """
    CREATE TRIGGER search_said_changed AFTER UPDATE OF body, case_id ON timeline
    WHEN new.kind IN ('note', 'message_in') BEGIN
        UPDATE search_cases SET said = #SAID WHERE rowid IN (old.case_id, new.case_id);
    END
    """,
    """
    CREATE TRIGGER search_said_gone AFTER DELETE ON timeline WHEN old.kind IN ('note', 'message_in') BEGIN
        UPDATE search_cases SET said = #SAID WHERE rowid = old.case_id;
    END
    """,
    """
    CREATE TRIGGER search_device_known AFTER INSERT ON devices BEGIN
        UPDATE search_cases SET head = #FRESH WHERE rowid IN (SELECT id FROM cases WHERE device_id = new.id);
    END
    """,
    """
    CREATE TRIGGER search_device_changed AFTER UPDATE OF name, model, serial, site ON devices
    WHEN old.name IS NOT new.name OR old.model IS NOT new.model OR old.serial IS NOT new.serial
        OR old.site IS NOT new.site BEGIN
        UPDATE search_cases SET head = #FRESH WHERE rowid IN (SELECT id FROM cases WHERE device_id = new.id);
    END
    """,
    """
    CREATE TRIGGER search_device_gone AFTER DELETE ON devices BEGIN
        UPDATE search_cases SET head = #FRESH WHERE rowid IN (SELECT id FROM cases WHERE device_id = old.id);
    END
    """,
    """
    CREATE TRIGGER search_customer_changed AFTER UPDATE OF name, email, phone ON customers
    WHEN old.name IS NOT new.name OR old.email IS NOT new.email OR old.phone IS NOT new.phone BEGIN
        UPDATE search_cases SET head = #FRESH WHERE rowid IN (SELECT id FROM cases WHERE customer_id = new.id);
    END
    """,
    """
    CREATE TRIGGER search_customer_gone AFTER DELETE ON customers BEGIN
        UPDATE search_cases SET head = #FRESH WHERE rowid IN (SELECT id FROM cases WHERE customer_id = old.id);
    END
    """,
)


def statements() -> list[str]:
    """Return what makes the index, in order."""
    made = ["CREATE VIRTUAL TABLE search_cases USING fts5(head, said, tokenize = 'trigram')"]
    if sqlite3.sqlite_version_info >= _SECURE_DELETE_FROM:
        # What is deleted is overwritten at once: an erased name must not stay in the index's pages.
        made.append("INSERT INTO search_cases (search_cases, rank) VALUES ('secure-delete', 1)")
    filled = {"#NEW": _HEAD.replace("@", "new"), "#FRESH": _FRESH, "#SAID": _SAID}
    for trigger in _TRIGGERS:
        text = trigger
        for name, said in filled.items():
            text = text.replace(name, said)
        made.append(text)
    return made
