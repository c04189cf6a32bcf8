-- Takes back, last made first.
DROP TABLE label_answers;
DROP TABLE label_spending;
DROP TABLE label_months;
DROP TABLE label_audits;
