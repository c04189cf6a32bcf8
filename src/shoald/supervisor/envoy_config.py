"""Writes Envoy's configuration from the contract's routes and an installation's addresses and limits, as one object.

The same rules serve the embedded form and, rendered once into `envoy/envoy.yaml`, docker-compose. What belongs to the
answers that Envoy makes itself is in `envoy_local_replies.py`.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from importlib.resources import files
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from shoald.supervisor.envoy_local_replies import local_replies, trailing_slash_route

Json = dict[str, Any]

_TYPES = "type.googleapis.com/envoy.extensions"
_BUFFER = 1024 * 1024  # larger ones let slow readers park that much in Envoy each
_LARGEST_ANSWER = 64 * 1024 * 1024
# what a gRPC message takes over its own size (the frame's head), and a file over its (heads of a form or of messages)
_FRAME, _FORM = 5, 16 * 1024 * 1024
_TRANSCODER = "envoy.filters.http.grpc_json_transcoder"
_WHOLE_MESSAGE = "envoy.filters.http.buffer"
# downloads by link: the rest of the path is the right to download
_LINKS = "/v1/files/"
# the limits of a body: every route has all three but for those that it switches off
_JSON_LIMIT, _MESSAGE_LIMIT, _UPLOAD_LIMIT = "json_limit", "message_limit", "upload_limit"
# the alternatives of all documented paths make a long regular expression; Envoy's own bound is for strangers' ones
_RUNTIME = {"re2.max_program_size.error_level": 100_000, "re2.max_program_size.warn_level": 100_000}
# only what never reached a server is tried again
_RETRY: Json = {"retry_on": "connect-failure,refused-stream", "num_retries": 2}
_LOOPBACK_ORIGINS = r"https?://(localhost|127\.0\.0\.1|\[::1\])(:[0-9]+)?"


def contract_file(folder_in_wheel: str, folder_in_tree: str, name: str) -> Path:
    """Return a generated or static file: it lies in the wheel, or in a source tree."""
    in_wheel = Path(str(files("shoald").joinpath(folder_in_wheel, name)))
    in_tree = Path(__file__).resolve().parents[3] / folder_in_tree / name
    return in_wheel if in_wheel.is_file() else in_tree


def contract_routes() -> Json:
    """Return what the configuration must know of the contract."""
    routes: Json = json.loads(contract_file("descriptors", "gen/envoy", "routes.json").read_text(encoding="utf-8"))
    return routes


@dataclass(frozen=True, slots=True, kw_only=True)
class EnvoyForm:
    """What differs between installations. Addresses are `host:port`; sizes in bytes, times in seconds."""

    listen: str
    admin: str
    unary: tuple[str, ...]
    streams: tuple[str, ...]
    descriptors: str = ""
    max_json_bytes: int = 32 * 1024 * 1024
    max_message_bytes: int = 64 * 1024 * 1024
    max_upload_bytes: int = 4 * 1024 * 1024 * 1024
    unary_seconds: float = 60.0
    idle_seconds: float = 300.0
    access_log: str = "/dev/stdout"
    origins: tuple[str, ...] = ()
    otlp_endpoint: str | None = None
    by_name: bool = False
    health_seconds: float = 1.0
    routes: Json = field(default_factory=contract_routes)


def descriptor_file() -> Path:
    """Return the descriptor set that Envoy loads."""
    return contract_file("descriptors", "gen/envoy", "shoal.binpb")


def _lua() -> str:
    return contract_file("envoy", "envoy", "shoal.lua").read_text(encoding="utf-8")


def _address(address: str) -> Json:
    host, _, port = address.rpartition(":")
    return {"socket_address": {"address": host.strip("[]"), "port_value": int(port)}}


def _seconds(value: float) -> str:
    return f"{value:g}s"


def _filter(name: str, kind: str, **config: Any) -> Json:
    return {"name": name, "typed_config": {"@type": f"{_TYPES}.{kind}", **config}}


def _off() -> Json:
    return {"@type": "type.googleapis.com/envoy.config.route.v3.FilterConfig", "disabled": True}


def _limit(name: str, size: int) -> Json:
    return _filter(name, "filters.http.body_size_limit.v3.BodySizeLimit", max_request_bytes=size)


def _without(*filters: str) -> Json:
    return {name: _off() for name in filters}


def _held(form: EnvoyForm) -> int:
    return form.max_message_bytes + _FRAME


def _with_whole_message(form: EnvoyForm) -> Json:
    """Pass a call on once all of its one message is there, its end included.

    A server may answer before the caller has ended its side, which some clients do in a frame of its own. Envoy then
    resets the stream behind the answer, and what of it waits for the caller's flow control is lost.
    """
    return {
        _WHOLE_MESSAGE: {
            "@type": f"{_TYPES}.filters.http.buffer.v3.BufferPerRoute",
            "buffer": {"max_request_bytes": _held(form)},
        }
    }


def render(form: EnvoyForm) -> Json:
    """Return the whole bootstrap configuration."""
    clusters = [_upstream("unary", form.unary, form), _upstream("streams", form.streams, form)]
    if form.otlp_endpoint:
        clusters.append(_collector(form.otlp_endpoint))
    return {
        "admin": {"address": _address(form.admin)},
        "layered_runtime": {"layers": [{"name": "shoal", "static_layer": _RUNTIME}]},
        "static_resources": {"listeners": [_listener(form)], "clusters": clusters},
        "overload_manager": {
            "resource_monitors": [
                {
                    "name": "envoy.resource_monitors.global_downstream_max_connections",
                    "typed_config": {
                        "@type": f"{_TYPES}.resource_monitors.downstream_connections.v3.DownstreamConnectionsConfig",
                        "max_active_downstream_connections": 4096,
                    },
                }
            ]
        },
    }


def _listener(form: EnvoyForm) -> Json:
    return {
        "name": "shoal",
        "address": _address(form.listen),
        "per_connection_buffer_limit_bytes": _BUFFER,
        "enable_reuse_port": False,  # with it, two Envoys would share a taken port without a word
        "filter_chains": [{"filters": [_connection_manager(form)]}],
    }


def _connection_manager(form: EnvoyForm) -> Json:
    kind = "filters.network.http_connection_manager.v3.HttpConnectionManager"
    config: Json = {
        "stat_prefix": "shoal",
        "codec_type": "AUTO",
        "normalize_path": True,
        "merge_slashes": True,
        "use_remote_address": True,
        "preserve_external_request_id": True,
        "always_set_request_id_in_response": True,
        "request_id_extension": {
            "typed_config": {"@type": f"{_TYPES}.request_id.uuid.v3.UuidRequestIdConfig", "pack_trace_reason": False}
        },
        "server_name": "shoal",
        "stream_idle_timeout": _seconds(form.idle_seconds),
        "request_headers_timeout": "10s",
        "drain_timeout": "5s",
        "max_request_headers_kb": 60,
        "common_http_protocol_options": {
            "headers_with_underscores_action": "REJECT_REQUEST",
            "max_headers_count": 100,
            "idle_timeout": "3600s",
        },
        "http2_protocol_options": {
            "max_concurrent_streams": 100,
            "initial_stream_window_size": _BUFFER,
            "initial_connection_window_size": 4 * _BUFFER,
            "connection_keepalive": {"interval": "60s", "timeout": "20s"},
        },
        "access_log": _access_logs(form.access_log),
        "local_reply_config": local_replies(form.routes["paths"], form.max_json_bytes, form.max_upload_bytes),
        "route_config": _route_config(form),
        "http_filters": _http_filters(form),
    }
    if form.otlp_endpoint:
        config["tracing"] = _tracing()
    return _filter("envoy.filters.network.http_connection_manager", kind, **config)


def _http_filters(form: EnvoyForm) -> list[Json]:
    """Return the filters in the order in which they see requests; answers pass them the other way round."""
    return [
        _compressor(),
        _filter("envoy.filters.http.lua", "filters.http.lua.v3.Lua", default_source_code={"inline_string": _lua()}),
        _filter("envoy.filters.http.cors", "filters.http.cors.v3.Cors"),
        _filter("envoy.filters.http.grpc_web", "filters.http.grpc_web.v3.GrpcWeb"),
        _limit(_JSON_LIMIT, form.max_json_bytes),
        _limit(_MESSAGE_LIMIT, form.max_message_bytes + _FRAME),
        _limit(_UPLOAD_LIMIT, form.max_upload_bytes + _FORM),
        {**_filter(_WHOLE_MESSAGE, "filters.http.buffer.v3.Buffer", max_request_bytes=_held(form)), "disabled": True},
        _transcoder(form),
        _filter("envoy.filters.http.router", "filters.http.router.v3.Router", suppress_envoy_headers=True),
    ]


def _compressor() -> Json:
    return _filter(
        "envoy.filters.http.compressor",
        "filters.http.compressor.v3.Compressor",
        response_direction_config={
            "common_config": {"min_content_length": 1024},
            "disable_on_etag_header": True,
        },
        compressor_library={
            "name": "gzip",
            "typed_config": {
                "@type": f"{_TYPES}.compression.gzip.compressor.v3.Gzip",
                "compression_level": "COMPRESSION_LEVEL_1",
            },
        },
    )


def _transcoder(form: EnvoyForm) -> Json:
    return _filter(
        _TRANSCODER,
        "filters.http.grpc_json_transcoder.v3.GrpcJsonTranscoder",
        proto_descriptor=form.descriptors or str(descriptor_file()),
        services=form.routes["services"],
        print_options={"always_print_primitive_fields": True},
        convert_grpc_status=True,
        ignore_unknown_query_parameters=True,
        query_param_unescape_plus=True,
        request_validation_options={"reject_unknown_method": True, "reject_binding_body_field_collisions": True},
        max_request_body_size=form.max_json_bytes,
        max_response_body_size=_LARGEST_ANSWER,
    )


def allowed_origins(form: EnvoyForm) -> str:
    """Return the regular expression of the web origins that may call: this machine's pages, and named ones."""
    return "|".join([_LOOPBACK_ORIGINS, *(re.escape(origin.rstrip("/")) for origin in form.origins)])


def _route_config(form: EnvoyForm) -> Json:
    return {
        "name": "shoal",
        "virtual_hosts": [
            {
                "name": "shoal",
                "domains": ["*"],
                "typed_per_filter_config": {"envoy.filters.http.cors": _cors(form)},
                "routes": list(_routes(form)),
            }
        ],
    }


_ASKED_HEADERS = (
    *("authorization", "content-type", "x-namespace", "x-request-id", "idempotency-key"),
    *("x-grpc-web", "x-user-agent", "grpc-timeout"),
)
_SHOWN_HEADERS = (
    *("grpc-status", "grpc-message", "grpc-status-details-bin"),
    *("x-request-id", "x-next-cursor", "retry-after", "content-disposition"),
    *("etag", "content-range", "accept-ranges"),
)


def _cors(form: EnvoyForm) -> Json:
    return {
        "@type": f"{_TYPES}.filters.http.cors.v3.CorsPolicy",
        "allow_origin_string_match": [{"safe_regex": {"regex": allowed_origins(form)}}],
        "allow_methods": "GET, POST, PUT, PATCH, DELETE, OPTIONS",
        "allow_headers": ",".join(_ASKED_HEADERS),
        "expose_headers": ",".join(_SHOWN_HEADERS),
        "max_age": "600",
    }


def _routes(form: EnvoyForm) -> list[Json]:
    """Return the routes, first match first. A JSON call is matched twice: by its own path, then by its gRPC path."""
    routes = form.routes
    return [
        _foreign_pages(form),
        trailing_slash_route(routes["paths"], _TRANSCODER, _off()),
        *(_upload_by_path(upload) for upload in routes["uploads"] if upload["pattern"]),
        *(_upload_by_rpc(upload) for upload in routes["uploads"]),
        *(_stream(path, form) for path in routes["streams"] if path not in {u["grpc"] for u in routes["uploads"]}),
        *(_short(f"/{service}/", form) for service in routes["services"]),
        {"match": {"prefix": "/"}, "route": _to_unary(form)},
    ]


def _foreign_pages(form: EnvoyForm) -> Json:
    """Refuse web pages of other origins, which a browser would let send requests here even without CORS."""
    origin = {"name": "origin"}
    is_allowed = {**origin, "string_match": {"safe_regex": {"regex": allowed_origins(form)}}, "invert_match": True}
    return {
        "match": {"prefix": "/", "headers": [{**origin, "present_match": True}, is_allowed]},
        "direct_response": {"status": 403, "body": {"inline_string": "origin not allowed"}},
        "typed_per_filter_config": {_TRANSCODER: _off()},
    }


def _to_unary(form: EnvoyForm) -> Json:
    # a caller over gRPC who sets a deadline gets that instead
    return {
        "cluster": "unary",
        "timeout": _seconds(form.unary_seconds),
        "max_stream_duration": {"grpc_timeout_header_max": "0s"},
        "retry_policy": _RETRY,
    }


def _to_streams() -> Json:
    # no time limit: client and server keep the deadlines of streams, and say so; Envoy would just reset the stream
    return {"cluster": "streams", "timeout": "0s", "retry_policy": _RETRY}


def _upload_by_path(upload: Json) -> Json:
    return {
        "match": {"safe_regex": {"regex": upload["pattern"]}, "headers": [_method("POST")]},
        "route": _to_streams(),
        "typed_per_filter_config": _without(_JSON_LIMIT, _MESSAGE_LIMIT),
    }


def _method(name: str) -> Json:
    return {"name": ":method", "string_match": {"exact": name}}


def _upload_by_rpc(upload: Json) -> Json:
    return {
        "match": {"path": upload["grpc"]},
        "route": _to_streams(),
        "typed_per_filter_config": _without(_JSON_LIMIT, _MESSAGE_LIMIT),
    }


def _stream(path: str, form: EnvoyForm) -> Json:
    # what grpcio brings along may be streams from both sides
    held = _with_whole_message(form) if path.startswith("/shoal.") else {}
    return {
        "match": {"path": path},
        "route": _to_streams(),
        "typed_per_filter_config": {**_without(_JSON_LIMIT), **held},
    }


def _short(prefix: str, form: EnvoyForm) -> Json:
    return {
        "match": {"prefix": prefix},
        "route": _to_unary(form),
        "typed_per_filter_config": {**_without(_JSON_LIMIT), **_with_whole_message(form)},
    }


def _upstream(name: str, addresses: tuple[str, ...], form: EnvoyForm) -> Json:
    endpoints = [{"endpoint": {"address": _address(address)}} for address in addresses]
    return {
        "name": name,
        "type": "STRICT_DNS" if form.by_name else "STATIC",
        "connect_timeout": "2s",
        "lb_policy": "LEAST_REQUEST",
        "per_connection_buffer_limit_bytes": _BUFFER,
        "load_assignment": {"cluster_name": name, "endpoints": [{"lb_endpoints": endpoints}]},
        "common_lb_config": {"healthy_panic_threshold": {"value": 0}},
        "health_checks": [
            {
                "timeout": "2s",
                "interval": _seconds(form.health_seconds),
                "no_traffic_interval": _seconds(form.health_seconds),
                "initial_jitter": "0.05s",
                "unhealthy_threshold": 2,
                "healthy_threshold": 1,
                "unhealthy_interval": "0.25s",
                "grpc_health_check": {},
            }
        ],
        "circuit_breakers": {
            "thresholds": [
                {"max_connections": 1024, "max_pending_requests": 1024, "max_requests": 4096, "max_retries": 16}
            ]
        },
        "typed_extension_protocol_options": _http2(),
    }


def _http2() -> Json:
    kind = f"{_TYPES}.upstreams.http.v3.HttpProtocolOptions"
    options = {
        "initial_stream_window_size": _BUFFER,
        "initial_connection_window_size": 16 * _BUFFER,
        "connection_keepalive": {"interval": "30s", "timeout": "20s"},
    }
    return {
        "envoy.extensions.upstreams.http.v3.HttpProtocolOptions": {
            "@type": kind,
            "explicit_http_config": {"http2_protocol_options": options},
        }
    }


def _access_logs(path: str) -> list[Json]:
    """Return the log of all requests, without the tokens of links, which would open the files to its readers."""
    named = [{"name": name, "string_match": {"prefix": _LINKS}} for name in (":path", "x-envoy-original-path")]
    others = [{**header, "invert_match": True, "treat_missing_header_as_empty": True} for header in named]
    method = "%REQ(X-ENVOY-ORIGINAL-METHOD?:METHOD)%"
    return [
        _access_log(path, f"{method} %PATH(NQ:ORIG_OR_PATH)%", {"and_filter": _header_filters(others)}),
        _access_log(path, f"{method} {_LINKS}[hidden]", {"or_filter": _header_filters(named)}),
    ]


def _header_filters(headers: list[Json]) -> Json:
    return {"filters": [{"header_filter": {"header": header}} for header in headers]}


def _access_log(path: str, http: str, wanted: Json) -> Json:
    fields = {
        "time": "%START_TIME(%Y-%m-%dT%H:%M:%S.%6fZ)%",
        "event": "request",
        "request_id": "%REQ(X-REQUEST-ID)%",
        "trace_id": "%TRACE_ID%",
        "http": http,
        "protocol": "%PROTOCOL%",
        "http_status": "%RESPONSE_CODE%",
        "details": "%RESPONSE_CODE_DETAILS%",
        "flags": "%RESPONSE_FLAGS%",
        "ms": "%DURATION%",
        "bytes_in": "%BYTES_RECEIVED%",
        "bytes_out": "%BYTES_SENT%",
        "upstream": "%UPSTREAM_CLUSTER%",
        "caller": "%DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT%",
    }
    kind = f"{_TYPES}.access_loggers.file.v3.FileAccessLog"
    return {
        "name": "envoy.access_loggers.file",
        "filter": wanted,
        "typed_config": {"@type": kind, "path": path, "log_format": {"json_format": fields}},
    }


def _tracing() -> Json:
    return {
        "random_sampling": {"value": 100},
        "provider": {
            "name": "envoy.tracers.opentelemetry",
            "typed_config": {
                "@type": "type.googleapis.com/envoy.config.trace.v3.OpenTelemetryConfig",
                "grpc_service": {"envoy_grpc": {"cluster_name": "traces"}, "timeout": "1s"},
                "service_name": "shoal-envoy",
            },
        },
    }


def _collector(endpoint: str) -> Json:
    """Return the cluster of the OTLP collector, `http://host:4317`."""
    parts = urlsplit(endpoint if "//" in endpoint else f"//{endpoint}")
    address = f"{parts.hostname or '127.0.0.1'}:{parts.port or 4317}"
    return {
        "name": "traces",
        "type": "STRICT_DNS",
        "connect_timeout": "1s",
        "load_assignment": {
            "cluster_name": "traces",
            "endpoints": [{"lb_endpoints": [{"endpoint": {"address": _address(address)}}]}],
        },
        "typed_extension_protocol_options": _http2(),
    }
