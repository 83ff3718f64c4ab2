-- charge_codes: the bridge from charges to codes, one row per published code pair.
CREATE VIEW charge_codes AS
SELECT file_id, charge_id, pair.code AS code, pair.type AS code_type
FROM (SELECT file_id, charge_id, unnest(codes) AS pair FROM charges);
