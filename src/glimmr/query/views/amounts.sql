-- amounts: every dollar amount on a row of its own. gross, cash, min and max are the charge's (rate_id is NULL);
-- negotiated, estimated, median, p10 and p90 are a rate's.
CREATE VIEW amounts AS
SELECT file_id, charge_id, NULL::BIGINT AS rate_id, NULL::VARCHAR AS payer_name, NULL::VARCHAR AS plan_name,
       'gross' AS amount_kind, gross_charge AS amount
FROM charges WHERE gross_charge IS NOT NULL
UNION ALL
SELECT file_id, charge_id, NULL, NULL, NULL, 'cash', discounted_cash FROM charges WHERE discounted_cash IS NOT NULL
UNION ALL
SELECT file_id, charge_id, NULL, NULL, NULL, 'min', min_negotiated FROM charges WHERE min_negotiated IS NOT NULL
UNION ALL
SELECT file_id, charge_id, NULL, NULL, NULL, 'max', max_negotiated FROM charges WHERE max_negotiated IS NOT NULL
UNION ALL
SELECT file_id, charge_id, rate_id, payer_name, plan_name, 'negotiated', negotiated_dollar
FROM rates WHERE negotiated_dollar IS NOT NULL
UNION ALL
SELECT file_id, charge_id, rate_id, payer_name, plan_name, 'estimated', estimated_amount
FROM rates WHERE estimated_amount IS NOT NULL
UNION ALL
SELECT file_id, charge_id, rate_id, payer_name, plan_name, 'median', median_amount
FROM rates WHERE median_amount IS NOT NULL
UNION ALL
SELECT file_id, charge_id, rate_id, payer_name, plan_name, 'p10', p10_amount FROM rates WHERE p10_amount IS NOT NULL
UNION ALL
SELECT file_id, charge_id, rate_id, payer_name, plan_name, 'p90', p90_amount FROM rates WHERE p90_amount IS NOT NULL;
