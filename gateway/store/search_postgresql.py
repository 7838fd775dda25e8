"""The full-text index in PostgreSQL: a table of tsvectors, one row a case, and the triggers that keep it.

Source: PostgreSQL, "Full Text Search" §12.3 and §12.9: a tsvector holds a megabyte, so of a longer thread the newest
words count.
"""

STATEMENTS = (
    """
    CREATE TABLE search_cases (
        case_id bigint PRIMARY KEY, head text NOT NULL, said text NOT NULL,
        words tsvector GENERATED ALWAYS AS (to_tsvector('simple', head || ' ' || said)) STORED)
    """,
    "CREATE INDEX ix_search_cases_words ON search_cases USING gin (words)",
    """
    CREATE FUNCTION search_index(ids bigint[]) RETURNS void LANGUAGE sql AS $$
        INSERT INTO search_cases (case_id, head, said)
        SELECT c.id,
            concat_ws(' ', c.rule, c.fault, c.explanation -> 'title' ->> 'en', c.device_id, d.name, d.model, d.serial,
                d.site, p.name, p.email, p.phone),
            right(coalesce((SELECT string_agg(t.body ->> 'text', ' ' ORDER BY t.id) FROM timeline t
                WHERE t.case_id = c.id AND t.kind IN ('note', 'message_in')), ''), 200000)
        FROM cases c LEFT JOIN devices d ON d.id = c.device_id LEFT JOIN customers p ON p.id = c.customer_id
        WHERE c.id = ANY (ids)
        ON CONFLICT (case_id) DO UPDATE SET head = excluded.head, said = excluded.said
    $$
    """,
    """
    CREATE FUNCTION search_case() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
        IF TG_OP = 'DELETE' THEN DELETE FROM search_cases WHERE case_id = old.id;
        ELSE PERFORM search_index(ARRAY[new.id]::bigint[]); END IF;
        RETURN NULL;
    END $$
    """,
    """
    CREATE TRIGGER search_case AFTER INSERT OR DELETE OR UPDATE OF rule, fault, device_id, customer_id, explanation
    ON cases FOR EACH ROW EXECUTE FUNCTION search_case()
    """,
    """
    CREATE FUNCTION search_said() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
        IF TG_OP <> 'INSERT' AND old.kind IN ('note', 'message_in') THEN
            PERFORM search_index(ARRAY[old.case_id]::bigint[]);
        END IF;
        IF TG_OP <> 'DELETE' AND new.kind IN ('note', 'message_in') THEN
            PERFORM search_index(ARRAY[new.case_id]::bigint[]);
        END IF;
        RETURN NULL;
    END $$
    """,
    """
    CREATE TRIGGER search_said AFTER INSERT OR DELETE OR UPDATE OF body, case_id ON timeline
    FOR EACH ROW EXECUTE FUNCTION search_said()
    """,
    """
    CREATE FUNCTION search_device() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
        PERFORM search_index(ARRAY(SELECT id FROM cases WHERE device_id = coalesce(new.id, old.id))::bigint[]);
        RETURN NULL;
    END $$
    """,
    "CREATE TRIGGER search_device AFTER INSERT OR DELETE ON devices FOR EACH ROW EXECUTE FUNCTION search_device()",
    """
    CREATE TRIGGER search_device_changed AFTER UPDATE ON devices FOR EACH ROW
    WHEN ((old.name, old.model, old.serial, old.site) IS DISTINCT FROM (new.name, new.model, new.serial, new.site))
    EXECUTE FUNCTION search_device()
    """,
    """
    CREATE FUNCTION search_customer() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
        PERFORM search_index(ARRAY(SELECT id FROM cases WHERE customer_id = coalesce(new.id, old.id))::bigint[]);
        RETURN NULL;
    END $$
    """,
    "CREATE TRIGGER search_customer AFTER DELETE ON customers FOR EACH ROW EXECUTE FUNCTION search_customer()",
    """
    CREATE TRIGGER search_customer_changed AFTER UPDATE ON customers FOR EACH ROW
    WHEN ((old.name, old.email, old.phone) IS DISTINCT FROM (new.name, new.email, new.phone))
    EXECUTE FUNCTION search_customer()
    """,
)
