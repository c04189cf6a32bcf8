#!/bin/sh
# From a text to its passage, over JSON: SHOAL=http://127.0.0.1:8000 sh examples/first_steps.sh
set -eu
SHOAL="${SHOAL:-http://127.0.0.1:8000}"
field() { python3 -c "import json, sys; v = json.load(sys.stdin); [v := v[k] for k in '$1'.split('.')]; print(v)"; }
call() { curl --silent --show-error --fail-with-body -H 'content-type: application/json' "$@"; }

PROJECT=$(call "$SHOAL/api/v1/projects" -d '{"name": "First steps"}' | field project_id)
VERSION=$(printf 'city,known_for\nLisbon,its trams and tiled walls\nOslo,its fjord and its ski jump\n' |
  curl --silent --fail-with-body "$SHOAL/api/v1/projects/$PROJECT/documents" -F 'file=@-;filename=cities.csv' | field document_version.version_id)
SEGMENTS=$(call "$SHOAL/api/v1/document_versions/$VERSION/segments" -d '{"loader_type": "csv", "loader_params": {"chunk_size": 1}}' | field segment_set.segment_set_version_id)
CHUNKS=$(call "$SHOAL/api/v1/segment_sets/$SEGMENTS/chunk" -d '{}' | field chunk_set.chunk_set_version_id)
INDEX=$(call "$SHOAL/api/v1/projects/$PROJECT/indexes" -d '{"name": "cities", "config": {"embedding_provider": "local"}}' | field index_id)
BUILD=$(call "$SHOAL/api/v1/indexes/$INDEX/builds" -d "{\"chunk_set_version_id\": \"$CHUNKS\"}" | field build.build_id)
call "$SHOAL/api/v1/projects/$PROJECT/retrieve" -d "{
  \"query\": \"where can I go skiing?\",
  \"target\": \"index_build\", \"target_id\": \"$BUILD\",
  \"strategy\": {\"type\": \"vector\", \"k\": 1}
}"
