-- Takes back, last made first.
DROP TABLE taxonomy_applications;
DROP TABLE taxonomies;
