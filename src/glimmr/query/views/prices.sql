-- prices: the flat shape of CMS's tall template. One row per rate; a charge nobody has negotiated is one row without a
-- payer. A charge is repeated for each of its rates: sum gross charges over `charges`, never over this view.
-- Named as in `charges` and `rates`; where both have a column, the rate's is called rate_source_pos, rate_extra,
-- rate_flags.
CREATE VIEW prices AS
SELECT
    c.file_id, c.charge_id, c.member, c.source_pos, c.records, c.description,
    c.code, c.code_type, c.codes, c.hcpcs, c.ms_drg, c.ndc, c.rev_code,
    c.setting, c.billing_class, c.modifiers, c.drug_unit, c.drug_type,
    c.gross_charge, c.discounted_cash, c.min_negotiated, c.max_negotiated,
    c.generic_notes, c.extra, c.flags,
    r.rate_id, r.source_pos AS rate_source_pos, r.payer_name, r.plan_name,
    r.negotiated_dollar, r.negotiated_percentage, r.negotiated_algorithm, r.methodology,
    r.estimated_amount, r.median_amount, r.p10_amount, r.p90_amount,
    r.allowed_count_min, r.allowed_count_max, r.payer_notes,
    r.extra AS rate_extra, r.flags AS rate_flags
FROM charges AS c
LEFT JOIN rates AS r USING (file_id, charge_id);
