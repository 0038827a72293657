-- SPDX-License-Identifier: Apache-2.0
-- The same transfer as one transaction of PostgreSQL: two limited balances and one row under the caller's id. A function,
-- so that a transfer is one round trip; `fillfactor` leaves room for updates within a page. Both favour the peer.
CREATE TABLE account (
    id bigint PRIMARY KEY,
    limited boolean NOT NULL,
    debits bigint NOT NULL DEFAULT 0 CHECK (debits >= 0),
    credits bigint NOT NULL DEFAULT 0 CHECK (credits >= 0),
    CHECK (NOT limited OR debits <= credits)
) WITH (fillfactor = 50);

CREATE TABLE transfer (
    seq bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    id uuid NOT NULL UNIQUE,
    debit bigint NOT NULL,
    credit bigint NOT NULL,
    amount bigint NOT NULL CHECK (amount > 0),
    ref_type text NOT NULL,
    ref_id text NOT NULL,
    ts timestamptz NOT NULL DEFAULT now()
);

-- Balances change in the order of account ids: no two transfers wait for each other.
CREATE FUNCTION make_transfer(from_id bigint, to_id bigint, micro bigint, reference bigint) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    IF from_id < to_id THEN
        UPDATE account SET debits = debits + micro WHERE id = from_id;
        UPDATE account SET credits = credits + micro WHERE id = to_id;
    ELSE
        UPDATE account SET credits = credits + micro WHERE id = to_id;
        UPDATE account SET debits = debits + micro WHERE id = from_id;
    END IF;
    INSERT INTO transfer (id, debit, credit, amount, ref_type, ref_id)
        VALUES (gen_random_uuid(), from_id, to_id, micro, 'task', 'tk_' || lpad(reference::text, 26, '0'));
END $$;

-- Account 0 is the bank, the others are funded and limited.
INSERT INTO account (id, limited) VALUES (0, false);
INSERT INTO account (id, limited) SELECT n, true FROM generate_series(1, 9999) AS n;
DO $$ BEGIN
    FOR n IN 1..9999 LOOP PERFORM make_transfer(0, n, 1000000000000, n); END LOOP;
END $$;
VACUUM ANALYZE;
