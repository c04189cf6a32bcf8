"""The documented words, each spelled once; a test holds the contracts' word lists against them."""

from __future__ import annotations

from enum import StrEnum


class JobState(StrEnum):
    """The stored states of a job; see `domain/job_states.py` for the edges between them."""

    PENDING = "PENDING"
    QUEUED = "QUEUED"
    IN_PROGRESS = "IN_PROGRESS"
    PROCESSING = "PROCESSING"
    COMPLETED = "COMPLETED"
    COMPLETED_WITH_ERRORS = "COMPLETED_WITH_ERRORS"
    FAILED = "FAILED"
    CANCELED = "CANCELED"
    SKIPPED = "SKIPPED"


class JobType(StrEnum):
    """The kinds of work a job can be; `task_type` of a task where the clusters document has a word for it."""

    SEGMENTS = "segments"
    SEGMENTS_BATCH = "segments_batch"
    CHUNK = "chunk"
    JOIN = "segment_sets_join"
    CLONE_PATCH = "clone_patch"
    INDEX_BUILD = "index_build"
    PIPELINE = "pipeline"
    KEYWORD_INDEX = "keyword_index"
    EVALUATION = "evaluation"
    CLUSTER_RUN = "engine_cluster_build"
    CLUSTER_SWEEP = "cluster_sweep"
    PAYLOAD_INDEX = "payload_index"
    CLUSTER_MAP = "cluster_map"
    CLUSTER_LABELS = "cluster_labels"
    ENRICHMENT = "cluster_enrichment"
    ENRICHMENT_UNDO = "cluster_enrichment_undo"
    OUTPUT_LABELS = "cluster_output_labels"
    TAXONOMY_ENRICHMENT = "taxonomy_enrichment"
    COLLECTION_EXPORT = "collection_export"
    RUN_HISTORY = "run_history"


class RunStatus(StrEnum):
    """What the RAG API calls the state of a job or a build."""

    QUEUED = "queued"
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"


class ExecutionStatus(StrEnum):
    """What the clusters API calls the state of one execution."""

    PENDING = "pending"
    PROCESSING = "processing"
    COMPLETED = "completed"
    FAILED = "failed"
    CANCELED = "canceled"


class EnrichmentStatus(StrEnum):
    """How far the writing back of a run is; `replaced` by a newer one, so that it cannot be undone."""

    PENDING = "pending"
    PROCESSING = "processing"
    COMPLETED = "completed"
    FAILED = "failed"
    CANCELED = "canceled"
    REPLACED = "replaced"
    UNDOING = "undoing"
    UNDONE = "undone"


class IndexStatus(StrEnum):
    """The life of an index."""

    CREATED = "created"
    READY = "ready"


class LoaderType(StrEnum):
    """How a document's bytes become segments."""

    PDF = "pdf"
    DOCX = "docx"
    CSV = "csv"
    EXCEL = "excel"
    JSON = "json"
    QA = "qa"
    TABLE = "table"
    TEXT = "text"
    MARKDOWN = "markdown"
    HTML = "html"
    PPTX = "pptx"
    EML = "eml"


class ChunkStrategy(StrEnum):
    """How a segment's text becomes chunks."""

    RECURSIVE = "recursive"
    TOKEN = "token"  # noqa: S105 - a documented word, no secret
    SENTENCE = "sentence"
    REGEX = "regex"
    MARKDOWN_TABLE = "markdown_table"
    SEMANTIC = "semantic"


class SegmentType(StrEnum):
    """What a segment or a chunk holds."""

    TEXT = "text"
    TABLE = "table"
    IMAGE = "image"
    AUDIO = "audio"
    CODE = "code"
    OTHER = "other"


class IndexProvider(StrEnum):
    """Where the vectors of an index are searched."""

    QDRANT = "qdrant"
    FAISS = "faiss"
    PGVECTOR = "pgvector"


class IndexKind(StrEnum):
    """How the vectors of a build are arranged for searching."""

    AUTO = "auto"
    FLAT = "flat"
    HNSW = "hnsw"
    IVF = "ivf"


class IndexType(StrEnum):
    """What a build embeds; other words are kept and mean the first."""

    CHUNK_VECTORS = "chunk_vectors"
    SEGMENT_VECTORS = "segment_vectors"


class EmbeddingProvider(StrEnum):
    """Who turns text into vectors."""

    MOCK = "mock"
    LOCAL = "local"
    HUGGINGFACE = "huggingface"
    OPENAI = "openai"


class RetrievalTarget(StrEnum):
    """What a retrieval searches."""

    CHUNK_SET = "chunk_set"
    SEGMENT_SET = "segment_set"
    INDEX_BUILD = "index_build"


class RetrievalStrategy(StrEnum):
    """How a retrieval searches."""

    VECTOR = "vector"
    BM25 = "bm25"
    REGEX = "regex"
    FUZZY = "fuzzy"
    ENSEMBLE = "ensemble"
    RERANK = "rerank"
    DUAL_STORAGE = "dual_storage"


class IdKey(StrEnum):
    """What `dual_storage` returns for the chunks that it found."""

    SEGMENT = "segment_id"
    ITEM = "item_id"
    CHUNK_ITEM = "chunk_item_id"


class SearchType(StrEnum):
    """How vector hits are chosen among the nearest."""

    SIMILARITY = "similarity"
    SIMILARITY_SCORE_THRESHOLD = "similarity_score_threshold"
    MMR = "mmr"


class ArtifactKind(StrEnum):
    """What a project's feed lists, and what can be soft-deleted."""

    DOCUMENT = "document"
    DOCUMENT_VERSION = "document_version"
    SEGMENT_SET = "segment_set"
    CHUNK_SET = "chunk_set"
    INDEX = "index"
    INDEX_BUILD = "index_build"
    RETRIEVAL_RUN = "retrieval_run"


class ArtifactAction(StrEnum):
    """What can happen to an artifact as a whole."""

    DELETED = "deleted"
    RESTORED = "restored"


class EvaluationMetric(StrEnum):
    """What says how good a retrieval is."""

    RECALL = "recall"
    NDCG = "ndcg"
    MRR = "mrr"


class VectorMetric(StrEnum):
    """How two vectors of a collection are compared."""

    COSINE = "cosine"
    EUCLIDEAN = "euclidean"
    DOT_PRODUCT = "dot_product"


class VectorKind(StrEnum):
    """What a vector of a collection is: one row of numbers, terms with their weights, or several rows."""

    DENSE = "dense"
    SPARSE = "sparse"
    MULTI_VECTOR = "multi_vector"


class PayloadFieldType(StrEnum):
    """What the values of a payload field are that is declared as an index."""

    KEYWORD = "keyword"
    INTEGER = "integer"
    FLOAT = "float"
    BOOL = "bool"
    GEO = "geo"
    DATETIME = "datetime"
    TEXT = "text"
    UUID = "uuid"


class ClusterType(StrEnum):
    """What a cluster definition groups by."""

    VECTOR = "vector"
    ATTRIBUTE = "attribute"


class ClusteringMethod(StrEnum):
    """The clustering algorithms."""

    KMEANS = "kmeans"
    DBSCAN = "dbscan"
    HDBSCAN = "hdbscan"
    AGGLOMERATIVE = "agglomerative"
    SPECTRAL = "spectral"
    GAUSSIAN_MIXTURE = "gaussian_mixture"
    MEAN_SHIFT = "mean_shift"
    OPTICS = "optics"
    LEIDEN = "leiden"
    EVOC = "evoc"
    ATTRIBUTE_BASED = "attribute_based"
    AUTO = "auto"


class PreprocessingMethod(StrEnum):
    """The steps that may come before an algorithm."""

    NONE = "none"
    WHITENING = "whitening"
    UMAP = "umap"
    TSNE = "tsne"


class FilterOperator(StrEnum):
    """The comparisons of the filter language."""

    EQ = "eq"
    NE = "ne"
    GT = "gt"
    LT = "lt"
    GTE = "gte"
    LTE = "lte"
    IN = "in"
    NIN = "nin"
    CONTAINS = "contains"
    STARTS_WITH = "starts_with"
    ENDS_WITH = "ends_with"
    REGEX = "regex"
    EXISTS = "exists"
    IS_NULL = "is_null"
    TEXT = "text"
    PHRASE = "phrase"
    WORDS = "words"
    GEO_RADIUS = "geo_radius"
    GEO_BOUNDING_BOX = "geo_bounding_box"
    GEO_POLYGON = "geo_polygon"


class SortDirection(StrEnum):
    """Which end of a sorted list comes first."""

    ASC = "asc"
    DESC = "desc"


class NamespaceMode(StrEnum):
    """Who computes the vectors of a namespace: its feature extractors, or its callers."""

    MANAGED = "managed"
    STANDALONE = "standalone"


class NamespaceView(StrEnum):
    """How much of each namespace a list shows."""

    FULL = "full"
    SUMMARY = "summary"


class MultiFeatureStrategy(StrEnum):
    """How several vectors of a document become one."""

    CONCATENATE = "concatenate"
    INDEPENDENT = "independent"
    WEIGHTED = "weighted"


class CentroidKind(StrEnum):
    """What the centroid of a group is made of."""

    MEAN = "mean"
    MEDIAN = "median"
    MEDOID = "medoid"


class OutputStrategy(StrEnum):
    """How many collections the runs of several features write."""

    SINGLE = "single"
    PER_FEATURE = "per_feature"


class LayoutStability(StrEnum):
    """How the map of a run keeps to the map before."""

    NONE = "none"
    ALIGN = "align"
    TRANSFORM = "transform"


class LayoutMetric(StrEnum):
    """How a layout compares vectors."""

    COSINE = "cosine"
    EUCLIDEAN = "euclidean"


class ReductionMethod(StrEnum):
    """How a map is drawn."""

    UMAP = "umap"
    TSNE = "tsne"
    PCA = "pca"


class StabilityEffort(StrEnum):
    """How thoroughly it is measured whether groups come back."""

    NONE = "none"
    QUICK = "quick"
    THOROUGH = "thorough"


class WeightSearch(StrEnum):
    """How weights of features are looked for."""

    GRID_SEARCH = "grid_search"
    BAYESIAN = "bayesian"


class WeightMetric(StrEnum):
    """What learned weights make best."""

    SILHOUETTE = "silhouette"
    DAVIES_BOULDIN = "davies_bouldin"
    CALINSKI_HARABASZ = "calinski_harabasz"


class Aggregation(StrEnum):
    """How several values of one attribute become one."""

    MOST_FREQUENT = "most_frequent"
    FIRST = "first"
    LAST = "last"


class ExecutionMode(StrEnum):
    """What an execution does with the run before it."""

    FULL = "full"
    ASSIGN = "assign"
    COMPOSITE = "composite"


class ProjectionMethod(StrEnum):
    """How many coordinates a point of the map has."""

    TWO = "2d"
    THREE = "3d"


class ExportFormat(StrEnum):
    """What an exported run is written as."""

    PARQUET = "parquet"
    CSV = "csv"


class ColumnFormat(StrEnum):
    """How streamed columns are written."""

    ARROW = "arrow"
    LISTS = "lists"


class LabelProvider(StrEnum):
    """Who names groups by a language model."""

    OPENAI = "openai"
    GOOGLE = "google"
    ANTHROPIC = "anthropic"


class SampleSelection(StrEnum):
    """Which members of a group its name is made from."""

    NEAREST = "nearest"
    REPRESENTATIVE = "representative"


class InputSource(StrEnum):
    """Where the text that names a group is taken from."""

    PAYLOAD = "payload"
    BLOB = "blob"
    LITERAL = "literal"
    VECTOR = "vector"
