from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from shoald.application.cluster_definitions import check_name, normalized, read_spec, resolve_features
from shoald.application.cluster_settings import idle_settings, idle_words, overruled_words
from shoald.application.composite_choice import asked_count
from shoald.application.run_changes import idle_changes
from shoald.domain.clustering.parameters import HdbscanParameters, KmeansParameters
from shoald.domain.failures import InvalidFields
from shoald.domain.records.collection import Collection, VectorConfig

NOW = datetime(2026, 1, 1, tzinfo=UTC)


def collection(name: str, *vectors: tuple[str, str | None]) -> Collection:
    return Collection(
        collection_id=f"col_{name}",
        namespace_id="ns_1",
        collection_name=name,
        description=None,
        index_id=None,
        vector_configs=tuple(
            VectorConfig(name=vector, dimension=3, metric="cosine", feature_uri=uri) for vector, uri in vectors
        ),
        metadata={},
        document_count=1,
        created_at=NOW,
        updated_at=NOW,
    )


def problems(error: pytest.ExceptionInfo[InvalidFields]) -> list[tuple[Any, ...]]:
    return [(problem.loc, problem.kind) for problem in error.value.problems]


def test_the_guides_other_names_mean_the_same() -> None:
    ours = normalized(
        {
            "collection_ids": ["a"],
            "vector_config": {
                "feature_uris": ["text"],
                "clustering_method": "kmeans",
                "algorithm_params": {"n_clusters": 20},
                "sample_size": 9,
                "vis_n_components": 3,
            },
        }
    )
    guides = normalized(
        {
            "source_collection_ids": ["a"],
            "feature_addresses": ["text"],
            "algorithm": "kmeans",
            "algorithm_config": {"num_clusters": 20},
            "sample_size": 9,
            "dimension_reduction": {"method": "umap", "components": 3},
        }
    )
    assert read_spec(ours) == read_spec(guides)


@pytest.mark.parametrize(
    "vector",
    [
        {"algorithm": "kmeans", "num_clusters": 4},
        {"clustering_method": "kmeans", "num_clusters": 4},
        {"clustering_method": "kmeans", "kmeans_parameters": {"n_clusters": 4}},
    ],
)
def test_names_that_clients_were_seen_to_send(vector: dict[str, Any]) -> None:
    spec = read_spec(normalized({"collection_ids": ["a"], "vector_config": vector}))
    assert isinstance(spec.algorithm, KmeansParameters)
    assert spec.algorithm.n_clusters == 4


def test_parameters_of_another_algorithm_are_left_out_and_named() -> None:
    # what an official client sends when a caller writes hdbscan's parameters as a dictionary
    asked = {"n_clusters": 8, "init": "k-means++", "min_cluster_size": 7, "verbose": 0}
    spec = read_spec(
        normalized(
            {"collection_ids": ["a"], "vector_config": {"clustering_method": "hdbscan", "algorithm_params": asked}}
        )
    )
    assert spec.algorithm == HdbscanParameters(min_cluster_size=7)
    assert len(spec.warnings) == 3


def test_older_names_of_parameters_add_up_and_another_algorithms_are_named() -> None:
    vector = {
        "clustering_method": "kmeans",
        "kmeans_parameters": {"n_clusters": 3, "n_init": 5},
        "hdbscan_parameters": {"min_cluster_size": 7},
        "algorithm_params": {"n_init": 2},
    }
    spec = read_spec(normalized({"collection_ids": ["a"], "vector_config": vector}))
    assert spec.algorithm == KmeansParameters(n_clusters=3, n_init=2)
    assert spec.warnings == ("hdbscan_parameters is no parameter of kmeans and was ignored",)


@pytest.mark.parametrize("changes", [{}, {"algorithm_params": {"min_cluster_size": 1}}])
def test_a_bad_parameter_is_named_where_the_call_has_it(changes: dict[str, Any]) -> None:
    vector = {"clustering_method": "hdbscan", "algorithm_params": {} if changes else {"min_cluster_size": 1}}
    asked = {"collection_ids": ["a"], "vector_config": vector}
    with pytest.raises(InvalidFields) as refused:
        read_spec(normalized(asked), changes)
    inside = ("algorithm_params",) if changes else ("vector_config", "algorithm_params")
    assert problems(refused) == [(("body", *inside, "min_cluster_size"), "greater_than_equal")]


def test_a_run_may_change_what_it_is_told_to() -> None:
    definition = normalized({"collection_ids": ["a"], "vector_config": {"clustering_method": "kmeans"}})
    spec = read_spec(definition, {"sample_size": 5, "vis_n_components": 3, "filters": {"n": 1}})
    assert (spec.sample_size, spec.map_dimensions, spec.filters) == (5, 3, {"n": 1})
    assert read_spec(definition, {"defer_visualization": True}).map_dimensions is None
    assert read_spec(definition).sample_size == 100_000


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        ({}, ("vector_config", "clustering_method")),
        ({"vector_config": {"clustering_method": "kmeans"}}, ("collection_ids",)),
    ],
)
def test_what_is_missing_is_named(asked: dict[str, Any], expected: tuple[str, ...]) -> None:
    with pytest.raises(InvalidFields) as error:
        normalized(asked)
    assert problems(error) == [(("body", *expected), "missing")]


def test_a_composite_cluster_needs_neither_collections_nor_a_method() -> None:
    definition = normalized({"source_cluster_ids": ["one", "two", "one"]})
    assert (definition["source_cluster_ids"], definition["collection_ids"]) == (["one", "two"], [])
    assert definition["vector_config"]["clustering_method"] == "auto"
    with pytest.raises(InvalidFields):
        normalized(
            {"source_cluster_ids": ["a"], "cluster_type": "attribute", "attribute_config": {"attributes": ["n"]}}
        )


@pytest.mark.parametrize("asked", [{"enrich_source_collection": True}, {"vector_config": {"enrich_source": True}}])
def test_what_is_written_back_has_the_documented_default(asked: dict[str, Any]) -> None:
    definition = normalized({"collection_ids": ["a"], "algorithm": "kmeans", **asked})
    assert definition["enrich_source_collection"] is True
    assert definition["source_enrichment_config"] == {
        "field_mappings": [
            {"source_field": "cluster_id", "target_field": "cluster_id"},
            {"source_field": "cluster_label", "target_field": "cluster_label"},
        ]
    }


@pytest.mark.parametrize(
    ("mapping", "loc", "kind"),
    [
        ({"target_field": "t"}, "source_field", "missing"),
        ({"source_field": "cluster_id"}, "target_field", "missing"),
        ({"source_field": "colour", "target_field": "t"}, "source_field", "value_error"),
        ({"source_field": "x", "target_field": "document_id"}, "target_field", "value_error"),
        ({"source_field": "y", "target_field": "first"}, "target_field", "value_error"),
    ],
)
def test_a_bad_field_mapping_is_named(mapping: dict[str, str], loc: str, kind: str) -> None:
    first = {"source_field": "metadata.any", "target_field": "first"}
    config = {"field_mappings": [first, mapping]}
    asked = {"collection_ids": ["a"], "algorithm": "kmeans", "source_enrichment_config": config}
    with pytest.raises(InvalidFields) as refused:
        normalized(asked)
    assert problems(refused) == [(("body", "source_enrichment_config", "field_mappings", 1, loc), kind)]


def test_settings_that_do_not_apply_are_named() -> None:
    asked = {"collection_ids": ["a"], "algorithm": "kmeans", "auto_execute_cooldown_seconds": 3600}
    assert idle_settings(normalized(asked)) == ()
    config = {"field_mappings": [{"source_field": "x", "target_field": "x"}]}
    idle = {"source_enrichment_config": config, "auto_execute_min_documents": 5, "auto_execute_cooldown_seconds": 60}
    found = " ".join(idle_settings(normalized({**asked, **idle})))
    assert [name in found for name in idle] == [True] * 3
    used = {"enrich_source_collection": True, "auto_execute_on_batch": True}
    assert idle_settings(normalized({**asked, **idle, **used})) == ()


def test_what_is_said_of_vectors_though_attributes_make_the_groups_is_named() -> None:
    vector = {"clustering_method": "attribute_based", "vis_n_components": 3, "normalize_features": True}
    found = idle_words({"vector_config": vector, "sample_size": 9, "hierarchical": False}, by_attributes=True)
    assert [one.split()[0] for one in found] == ["sample_size", "vis_n_components"]
    unsaid: dict[str, Any] = {"clustering_method": "attribute_based", "sample_size": None, "preprocessing_steps": []}
    beside = {"sample_size": 9, "preprocessing_steps": [{"method": "whiten"}], "algorithm_config": None}
    found = idle_words({"vector_config": unsaid, **beside}, by_attributes=True)
    assert [one.split()[0] for one in found] == ["preprocessing_steps", "sample_size"]
    assert idle_words({"vector_config": vector, "sample_size": 9}, by_attributes=False) == ()
    (other,) = idle_words({"attribute_config": {"attributes": ["kind"]}}, by_attributes=False)
    assert other.startswith("attribute_config does not apply")


def test_what_another_spelling_overrules_is_named() -> None:
    vector = {"clustering_method": "hdbscan", "feature_uris": ["v"], "feature_uri": "w", "sample_size": 5}
    asked = {"collection_ids": ["a"], "source_collection_ids": ["b"], "algorithm": "kmeans", "vector_config": vector}
    more = {"feature_addresses": ["x"], "sample_size": 7, "dimension_reduction": {"components": 3}}
    found = overruled_words({**asked, **more, "preprocessing_steps": [{"method": "umap"}]})
    assert [one.split()[0] for one in found] == [
        "source_collection_ids",
        "vector_config.feature_uri",
        "feature_addresses",
        "algorithm",
        "sample_size",
    ]
    same = {**vector, "feature_uri": "v"}
    asked = {"collection_ids": ["a"], "source_collection_ids": ["a"], "algorithm": "hdbscan", "vector_config": same}
    assert overruled_words({**asked, "feature_addresses": ["v"], "sample_size": 5}) == ()


@pytest.mark.parametrize(
    ("mode", "by_attributes", "named"),
    [
        ("full", False, ["assignment_threshold", "source_execution_ids"]),
        ("assign", False, ["algorithm_params", "layout_stability", "sample_size", "source_execution_ids", "stability"]),
        ("composite", False, ["assignment_threshold", "layout_stability", "sample_size", "stability"]),
        (
            "full",
            True,
            [
                *("algorithm_params", "assignment_threshold", "layout_stability", "sample_size"),
                *("source_execution_ids", "stability"),
            ],
        ),
    ],
)
def test_changes_without_effect_in_a_mode_are_named(mode: str, by_attributes: bool, named: list[str]) -> None:  # noqa: FBT001
    said = {
        "assignment_threshold": 0.7,
        "source_execution_ids": ["run_1"],
        "sample_size": 5,
        "layout_stability": "none",
        "algorithm_params": {"n_clusters": 2},
        "stability": "none",
    }
    assert [one.split()[0] for one in idle_changes(mode, said, by_attributes=by_attributes)] == named
    # what clients send in every call says nothing
    sent = {"assignment_threshold": 0.5, "defer_visualization": False}
    assert idle_changes(mode, sent, by_attributes=by_attributes) == ()


@pytest.mark.parametrize("method", ["kmeans", "dbscan", "attribute_based"])
def test_a_number_of_groups_of_groups_is_read_whatever_the_method(method: str) -> None:
    asked: dict[str, Any] = {"collection_ids": ["a"], "vector_config": {"clustering_method": method}}
    attributes = {"attribute_config": {"attributes": ["kind"]}} if method == "attribute_based" else {}
    definition = normalized({**asked, **attributes})
    assert asked_count(definition, {}) is None
    assert asked_count(definition, {"algorithm_params": {"n_clusters": "3"}}) == 3
    for wrong in ("three", [3], 0, -1, 2.5):
        with pytest.raises(InvalidFields) as refused:
            asked_count(definition, {"algorithm_params": {"n_components": wrong}})
        assert [one.loc for one in refused.value.problems] == [("body", "algorithm_params", "n_components")]


def test_what_asks_for_nothing_is_taken() -> None:
    idle = {"enrich_source": False, "output_strategy": "single", "face_cluster_merge": {"enabled": False}}
    spec = read_spec(normalized({"collection_ids": ["a"], "algorithm": "kmeans", "vector_config": idle}))
    assert (spec.warnings, spec.centroid_kind) == ((), "mean")


@pytest.mark.parametrize("strategy", ["concatenate", "weighted"])
def test_weights_apply_whichever_way_features_are_joined(strategy: str) -> None:
    vector = {"feature_uris": ["a", "b"], "multi_feature_strategy": strategy, "feature_weights": {"a": 0.5}}
    spec = read_spec(normalized({"collection_ids": ["c"], "algorithm": "kmeans", "vector_config": vector}))
    assert (spec.weights, spec.warnings) == ({"a": 0.5}, ())


@pytest.mark.parametrize(
    ("weights", "loc"), [({"a": -1.0}, ("a",)), ({"z": 1.0}, ("z",)), ({"a": 0.0, "b": 0.0}, ())], ids=str
)
def test_weights_that_mean_nothing_are_refused(weights: dict[str, float], loc: tuple[str, ...]) -> None:
    vector = {"feature_uris": ["a", "b"], "feature_weights": weights}
    with pytest.raises(InvalidFields) as error:
        normalized({"collection_ids": ["c"], "algorithm": "kmeans", "vector_config": vector})
    assert [found for found, _ in problems(error)] == [("body", "vector_config", "feature_weights", *loc)]


def test_a_run_names_what_it_was_told_in_vain() -> None:
    definition = normalized(
        {
            "collection_ids": ["c"],
            "algorithm": "kmeans",
            "vector_config": {"feature_weights": {"v": 2.0}},
            "llm_labeling": {
                "labeling_inputs": {"input_mappings": [{"input_key": "image_url", "source_type": "blob"}]}
            },
        }
    )
    found = "\n".join(read_spec(definition).warnings)
    assert [word in found for word in ("feature_weights", "source_type blob")] == [True] * 2


def test_a_model_that_clients_do_not_know_is_kept_where_it_breaks_no_list() -> None:
    asked = {"collection_ids": ["a"], "algorithm": "kmeans", "llm_labeling": {"model_name": "my-own", "enabled": True}}
    labeling = normalized(asked)["llm_labeling"]
    assert labeling == {"enabled": True, "parameters": {"model": "my-own"}}


@pytest.mark.parametrize(
    ("said", "warned"),
    [
        ({}, None),
        ({"include_summary": False}, None),
        ({"provider": "openai", "model_name": "gpt-4o-mini", "enabled": True}, None),
        ({"provider": "openai", "model_name": "gpt-4o-mini"}, "provider, model_name"),
        ({"model_name": "my-own", "enabled": False}, "model_name"),
        ({"custom_prompt": "Name it.", "response_shape": {"label": "string"}}, "custom_prompt, response_shape"),
    ],
    ids=str,
)
def test_what_is_said_to_a_model_that_is_not_asked_is_named(said: dict[str, Any], warned: str | None) -> None:
    """The guide's own examples leave `enabled` out, whose documented default is false."""
    asked = {"collection_ids": ["a"], "algorithm": "kmeans", "llm_labeling": said}
    told = f"llm_labeling {warned} does not apply: without enabled no language model is asked"
    assert read_spec(normalized(asked), {}).warnings == ((told,) if warned else ())


LITERAL = {"input_key": "text", "source_type": "literal", "override": "Category: marketing videos"}


@pytest.mark.parametrize("said", ["Category: marketing videos", 0, False])
def test_a_literal_may_say_anything(said: object) -> None:
    inputs = {"input_mappings": [{**LITERAL, "override": said}]}
    asked = {"collection_ids": ["a"], "algorithm": "kmeans", "llm_labeling": {"labeling_inputs": inputs}}
    assert read_spec(normalized(asked), {}).labeling == {"labeling_inputs": inputs}


@pytest.mark.parametrize(
    ("said", "loc"),
    [
        ({"response_shape": 5}, ("response_shape",)),
        ({"response_shape": True}, ("response_shape",)),
        ({"response_shape": ["label"]}, ("response_shape",)),
        ({"response_shape": {"type": "object", "properties": 5}}, ("response_shape",)),
        ({"parameters": {"model": 5}}, ("parameters", "model")),
        (
            {"labeling_inputs": {"input_mappings": [{"input_key": "text"}, {**LITERAL, "override": None}]}},
            ("labeling_inputs", "input_mappings", 1, "override"),
        ),
    ],
    ids=str,
)
def test_what_no_model_can_be_asked_is_refused_by_its_field(said: dict[str, Any], loc: tuple[str, ...]) -> None:
    asked = {"collection_ids": ["a"], "algorithm": "kmeans", "llm_labeling": {"enabled": True, **said}}
    with pytest.raises(InvalidFields) as error:
        read_spec(normalized(asked), {})
    assert [found for found, _ in problems(error)] == [("body", "llm_labeling", *loc)]


@pytest.mark.parametrize("name", ["list", "Enrich", "triggers", "clust_12ab", "run_1", ".", "..", " a", "a\nb"])
def test_names_that_paths_could_not_tell_apart_are_refused(name: str) -> None:
    with pytest.raises(InvalidFields):
        check_name(name)


@pytest.mark.parametrize("name", ["topics", "Themen 2026 ü", "a:b", "a/b", "listing"])
def test_other_names_are_taken(name: str) -> None:
    check_name(name)


def test_a_feature_is_found_by_its_uri_its_output_or_its_bare_name() -> None:
    one = collection("one", ("text", None), ("image", None))
    two = collection("two", ("words", "mixpeek://text_extractor@v1/text"), ("text", None))
    (found,) = resolve_features(["mixpeek://text_extractor@v1/text"], [one, two])
    assert found.vector_names == {"col_one": "text", "col_two": "words"}
    (bare,) = resolve_features(["text"], [one, two])
    assert bare.vector_names == {"col_one": "text", "col_two": "text"}


def test_without_a_feature_the_only_vector_is_meant() -> None:
    (found,) = resolve_features([], [collection("one", ("v", None)), collection("two", ("v", None))])
    assert found.vector_names == {"col_one": "v", "col_two": "v"}


@pytest.mark.parametrize("features", [[], ["nope"]])
def test_a_feature_that_cannot_be_told_lists_those_there_are(features: list[str]) -> None:
    with pytest.raises(InvalidFields, match="image, text"):
        resolve_features(features, [collection("one", ("text", None), ("image", None))])


def test_collections_that_hold_nothing_yet_are_asked_at_the_run() -> None:
    assert resolve_features(["text"], [collection("empty")]) == ()


def test_learning_takes_what_it_can_do() -> None:
    def asked(config: dict[str, Any], features: list[str]) -> dict[str, Any]:
        vector = {"feature_uris": features, "multi_feature_strategy": "weighted", "weight_learning_config": config}
        return {"collection_ids": ["c"], "algorithm": "kmeans", "vector_config": vector}

    spec = read_spec(normalized(asked({"method": "grid_search", "max_iterations": 5.0}, ["a", "b"])))
    assert spec.learning is not None
    assert (spec.learning.method, spec.learning.max_iterations, spec.learning.metric) == (
        "grid_search",
        5,
        "silhouette",
    )
    for config in ({"max_iterations": 4}, {"metric": "dunn"}, {"sample_size": 99}, {"method": "random"}):
        with pytest.raises(InvalidFields):
            normalized(asked(config, ["a", "b"]))
    with pytest.raises(InvalidFields):
        normalized(asked({"method": "grid_search"}, ["a", "b", "c", "d"]))


@pytest.mark.parametrize(
    ("method", "size", "expected"),
    [("hdbscan", None, 50_000), ("kmeans", None, 100_000), ("dbscan", 500_000, 100_000), ("kmeans", 500_000, 500_000)],
)
def test_samples_are_capped_as_documented(method: str, size: int | None, expected: int) -> None:
    vector = {"clustering_method": method, "sample_size": size}
    spec = read_spec(normalized({"collection_ids": ["c"], "vector_config": vector}))
    assert spec.sample_size == expected
    assert bool(spec.warnings) == (size is not None and size > expected)


def test_attributes_are_a_way_of_their_own() -> None:
    asked = {"collection_ids": ["c"], "attribute_config": {"attributes": ["a.b", "c", "a.b"]}}
    for way in ({"cluster_type": "attribute"}, {"vector_config": {"clustering_method": "attribute_based"}}):
        spec = read_spec(normalized({**asked, **way}))
        assert spec.attributes is not None
        assert spec.attributes.attributes == ("a.b", "c")
    with pytest.raises(InvalidFields):
        normalized({"collection_ids": ["c"], "cluster_type": "attribute"})


def test_faces_are_merged_unless_that_is_disabled() -> None:
    def spec_of(config: dict[str, Any]) -> Any:
        vector = {"clustering_method": "hdbscan", "face_cluster_merge": config}
        return read_spec(normalized({"collection_ids": ["c"], "vector_config": vector})).faces

    assert spec_of({"bbox_iou_threshold": 0.2}).bbox_iou_threshold == 0.2
    assert spec_of({"enabled": False}) is None
    assert read_spec(normalized({"collection_ids": ["c"], "algorithm": "kmeans"})).faces is None
