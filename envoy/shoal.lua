-- Gives JSON callers the documented bodies. It stands first among the filters, so it sees requests first and answers last.

-- Headers that are of gRPC, or between the server and this file.
local INTERNAL = {
  "x-error-body", "x-http-status", "x-unwrap", "x-null-body", "x-no-content", "x-local-reply", "x-own-status", "x-own-length", "grpc-status", "grpc-message",
  "grpc-status-details-bin", "grpc-accept-encoding", "grpc-encoding",
}

-- Error words of both families for a status that came without a body of ours: the server's library answered, not our code.
local WORDS = {
  [400] = { "bad_request", "BadRequestError" },
  [401] = { "unauthenticated", "UnauthorizedError" },
  [403] = { "permission_denied", "ForbiddenError" },
  [404] = { "not_found", "NotFoundError" },
  [429] = { "too_many_requests", "TooManyRequestsError" },
  [499] = { "canceled", "BadRequestError" },
  [501] = { "unsupported", "NotEnabledError" },
  [503] = { "unavailable", "ServiceUnavailableError" },
  [504] = { "deadline_exceeded", "TimeoutError" },
}

local ESCAPES = { ['"'] = '\\"', ["\\"] = "\\\\", ["\n"] = "\\n", ["\r"] = "\\r", ["\t"] = "\\t" }

-- By the first byte of a character in UTF-8: how many follow it, and the least and the greatest that the second may be.
local function followers(first)
  if first < 0xC2 or first > 0xF4 then return end
  if first < 0xE0 then return 1, 0x80, 0xBF end
  if first < 0xF0 then return 2, first == 0xE0 and 0xA0 or 0x80, first == 0xED and 0x9F or 0xBF end
  return 3, first == 0xF0 and 0x90 or 0x80, first == 0xF4 and 0x8F or 0xBF
end

-- A character as it is, or the sign for one that cannot be read.
local function character(bytes)
  local count, least, most = followers(bytes:byte(1))
  local second = bytes:byte(2)
  if count and #bytes == count + 1 and second >= least and second <= most then return bytes end
  return "\239\191\189"
end

local function text(value)
  local escaped = value:gsub('[%z\1-\31"\\]', function(c)
    return ESCAPES[c] or string.format("\\u%04x", c:byte())
  end):gsub("[\128-\255][\128-\191]*", character)
  return '"' .. escaped .. '"'
end

-- The envelope of a family; `message` is JSON text already.
local function envelope(family, status, code, kind, message)
  if family == "rag" then
    return '{"detail":{"code":' .. text(code) .. ',"message":' .. message .. ',"detail":{},"hint":null}}'
  end
  return '{"success":false,"status":' .. status .. ',"error":{"message":' .. message .. ',"type":' .. text(kind)
    .. ',"code":' .. text(code) .. ',"details":{}}}'
end

-- The transcoder's form of a status, `{"code":8,"message":"…","details":[]}`, in the family's envelope; nil for anything else.
local function reshaped(family, status, body)
  local message = body:match('^%s*{"code":%s*%d+,"message":("[^\n]*"),"details":')
  if not message then return nil end
  local words = WORDS[status]
  if not words then return envelope(family, status, "internal_error", "InternalServerError", '"An internal error occurred."') end
  if message == '""' then message = text(words[1]) end
  return envelope(family, status, words[1], words[2], message)
end

-- Of a larger body no error says what stood where, and none is looked into for the tags of unions.
local MOST_KEPT, MOST_LEVELS = 16384, 32

local node_at

-- The end of a string that begins at a quote.
local function string_end(body, at)
  at = at + 1
  while true do
    local found = body:find('["\\]', at)
    if not found then return nil end
    if body:sub(found, found) == '"' then return found end
    at = found + 2
  end
end

-- Goes through the members of an object or the elements of a list; `take` reads one and returns the place behind it.
local function through(body, at, closing, take)
  at = body:match("^%s*()", at + 1)
  if body:sub(at, at) == closing then return at end
  while at do
    at = take(at)
    if not at then return nil end
    at = body:match("^%s*()", at)
    local mark = body:sub(at, at)
    if mark == closing then return at end
    if mark ~= "," then return nil end
    at = body:match("^%s*()", at + 1)
  end
end

local function object_at(body, at, level)
  local node = { members = {} }
  local last = through(body, at, "}", function(start)
    local quote = body:sub(start, start) == '"' and string_end(body, start)
    local value_at = quote and body:match("^%s*:%s*()", quote + 1)
    if not value_at then return nil end
    local member, behind = node_at(body, value_at, level + 1)
    node.members[body:sub(start + 1, quote - 1)] = member
    return behind
  end)
  return node, last
end

local function list_at(body, at, level)
  local node = { items = {} }
  local last = through(body, at, "]", function(start)
    local item, behind = node_at(body, start, level + 1)
    node.items[#node.items + 1] = item
    return behind
  end)
  return node, last
end

-- What a value is and where it ends: its text as `raw`, the `members` of an object, the `items` of a list; nil for what is no JSON.
node_at = function(body, at, level)
  if level > MOST_LEVELS then return nil end
  local mark, node, last = body:sub(at, at), {}, nil
  if mark == "{" then
    node, last = object_at(body, at, level)
  elseif mark == "[" then
    node, last = list_at(body, at, level)
  elseif mark == '"' then
    last = string_end(body, at)
  else
    local behind = body:match("^[%w%.%+%-]+()", at)
    last = behind and behind - 1
  end
  if not last then return nil end
  node.raw = body:sub(at, last)
  return node, last + 1
end

-- The request's body as nodes; nil when it was too large to be kept.
local function root_of(body)
  if not body then return nil end
  return (node_at(body, body:match("^%s*()"), 1))
end

-- Fields that hold tagged unions: the documents put the tag behind the name of the field.
local UNIONS = { strategy = true, base = true, sources = true }

local function tag_of(name, node)
  local tag = UNIONS[name] and node and node.members and node.members.type
  return tag and tag.raw:match('^"([%w_]+)"$')
end

-- `strategy.sources[1].k` becomes `"strategy","ensemble","sources",1,"bm25","k"`, and what stands there.
local function location(path, root)
  local parts, node, tag = {}, root, nil
  for name, index in path:gmatch("([^%.%[%]]+)%[?(%d*)%]?") do
    if tag then parts[#parts + 1] = text(tag) end
    parts[#parts + 1] = text(name)
    node = node and node.members and node.members[name]
    if index ~= "" then
      parts[#parts + 1] = index
      node = node and node.items and node.items[tonumber(index) + 1]
    end
    tag = tag_of(name, node)
  end
  return table.concat(parts, ","), node
end

-- The only list among the members of what stands at a path, by its name; nil when there are several.
local function only_list(path, root)
  local _, node = location(path, root)
  local found
  for name, member in pairs(node and node.members or {}) do
    if member.items then
      if found then return nil end
      found = name
    end
  end
  return found
end

-- Calls whose path has fields of its own bind the JSON body to a field `body`, which is none of the caller's.
local function in_body(path)
  if path == "body" then return "" end
  return (path:gsub("^body%.", ""))
end

-- Types of the documented list, by what the transcoder wanted.
local WANTED = {
  TYPE_INT32 = { "int_parsing", "Input should be a valid integer, unable to parse string as an integer" },
  TYPE_UINT32 = { "int_parsing", "Input should be a valid integer, unable to parse string as an integer" },
  TYPE_INT64 = { "int_parsing", "Input should be a valid integer, unable to parse string as an integer" },
  TYPE_DOUBLE = { "float_parsing", "Input should be a valid number, unable to parse string as a number" },
  TYPE_FLOAT = { "float_parsing", "Input should be a valid number, unable to parse string as a number" },
  TYPE_BOOL = { "bool_parsing", "Input should be a valid boolean, unable to interpret input" },
  TYPE_STRING = { "string_type", "Input should be a valid string" },
}

-- A message is wanted by its name: one of free JSON, one of the contract's own, or one that is written as text.
local function wanted_message(name)
  if name:match("google%.protobuf%.Struct$") then return { "dict_type", "Input should be a valid dictionary" } end
  if name:match("shoal%.") then return { "model_attributes_type", "Input should be a valid dictionary" } end
  return { "value_error", "Value error, this value does not fit" }
end

local function wrong_value(place, path, value, wanted, root)
  local kind, message
  if wanted == "object" then
    kind, message = "model_attributes_type", "Input should be a valid dictionary"
  else
    local known = WANTED[wanted] or wanted_message(wanted)
    kind, message = known[1], known[2]
    if kind == "int_parsing" and value:match("^%-?%d+%.%d+$") then
      kind, message = "int_from_float", "Input should be a valid integer, got a number with a fractional part"
    elseif kind == "int_parsing" and value:match("^%-?%d+$") then
      kind, message = "int_parsing_size", "Unable to parse input string as an integer, exceeded maximum size"
    end
  end
  local loc, node = location(in_body(path), root)
  -- Envoy tells a text without its escapes
  local told = value:match('^"(.*)"$')
  if node then value = node.raw elseif told then value = text(told) end
  if loc ~= "" then loc = "," .. loc end
  return '{"type":' .. text(kind) .. ',"loc":["' .. place .. '"' .. loc .. '],"msg":' .. text(message)
    .. ',"input":' .. value .. "}", message
end

-- What the transcoder says of a field that cannot be read, in its words and in ours; all but the first begin with the path.
local MISFITS = {
  { "^The binding value .* of the field ([%w_%.]+) is conflicting with", "Value error, differs from the path" },
  { "^([%w_%.%[%]]*): invalid value oneof field .* Cannot set", "Value error, given twice" },
  { "^([%w_%.%[%]]*): invalid value Starting an object", "Value error, an object cannot stand here" },
  { "^([%w_%.%[%]]*): Proto field is not repeating", "Value error, a list stands in a field that takes none", only_list },
}

local function misfit(reason, place, root)
  for _, known in ipairs(MISFITS) do
    local path = reason:match(known[1])
    if path then
      local field = reason:match("Cannot set '([%w_]+)'") or reason:match("scalar field for type ([%w_]+)")
      path = in_body(path)
      if not field and known[3] then field = known[3](path, root) end
      if field then path = path == "" and field or path .. "." .. field end
      local loc, node = location(in_body(path), root)
      if loc ~= "" then loc = "," .. loc end
      local input = node and node.raw or "null"
      return '{"type":"value_error","loc":["' .. place .. '"' .. loc .. '],"msg":' .. text(known[2]) .. ',"input":' .. input .. "}", known[2]
    end
  end
end

-- What the transcoder refuses, as an entry of the documented list.
local function parse_problem(reason, place, root)
  local entry, message = misfit(reason, place, root)
  if entry then return entry, message end
  local path, value, wanted = reason:match("^([%w_%.%[%]]*): invalid value (.*) for type ([%w_%./]+)")
  if path then
    value = value:gsub("%s+$", "")
    if not (value:match('^".*"$') or value:match("^%-?%d[%d%.eE+-]*$") or value == "true" or value == "false" or value == "null") then
      value = text(value)
    end
    return wrong_value(place, path, value, wanted, root)
  end
  if reason:match("Root element must be a message") then
    return wrong_value("body", "", "null", "object")
  end
  local first = reason:match("^[^\r\n]*") or reason
  entry = '{"type":"json_invalid","loc":["body",0],"msg":' .. text("JSON decode error: " .. first)
    .. ',"input":{},"ctx":{"error":' .. text(first) .. "}}"
  return entry, "JSON decode error: " .. first
end

local function problems_body(family, reason, method, body)
  -- of the calls that delete, one of the RAG family has fields beside its path: in its body
  local in_query = method == "GET" or method == "HEAD" or (method == "DELETE" and family ~= "rag")
  local place = in_query and "query" or "body"
  local entry, message = parse_problem(reason, place, root_of(body))
  if family == "rag" then return '{"detail":[' .. entry .. "]}" end
  local kind = entry:match('^{"type":("[^"]*")')
  local loc = entry:match('"loc":(%b[])')
  return '{"success":false,"status":422,"error":{"message":' .. text(message) .. ',"type":"ValidationError","code":"validation_error"'
    .. ',"details":{"validation_errors":[{"type":' .. kind .. ',"location":' .. loc .. ',"message":' .. text(message) .. "}]}},"
    .. '"detail":[' .. entry .. "]}"
end

-- Headers that grpcio would read, and fail over: they mean nothing in a JSON call.
local function forget_grpc_headers(headers)
  local found = {}
  for name in pairs(headers) do
    if name:sub(1, 5) == "grpc-" or name:sub(-4) == "-bin" then found[#found + 1] = name end
  end
  for _, name in ipairs(found) do headers:remove(name) end
end

-- Downloads, whose HEAD is answered by the call that their GET is: the server then sends no bytes.
local DOWNLOADS = { "^/api/v1/document_versions/[^/]+/content$", "^/api/v1/segment_sets/[^/]+/items/[^/]+/picture$" }

local function ask_for_headers_alone(headers, path)
  if headers:get(":method") ~= "HEAD" then return end
  for _, download in ipairs(DOWNLOADS) do
    if path:gsub("%?.*", ""):match(download) then
      headers:replace(":method", "GET")
      headers:add("x-shoal-head", "1")
      return
    end
  end
end

-- Keeps the beginning of a body, whole if it is small, for the error that may answer it; nothing waits for it.
local function keep_body(handle)
  local kept = ""
  for chunk in handle:bodyChunks() do
    local length = chunk:length()
    local fits = #kept + length <= MOST_KEPT
    kept = fits and kept .. tostring(chunk:getBytes(0, length)) or ""
    handle:streamInfo():dynamicMetadata():set("shoal", "body", kept) -- what was got before the last chunk is dead
    if not fits then return end
  end
end

function envoy_on_request(handle)
  local headers = handle:headers()
  -- the transcoder sets these later, for JSON calls; a gRPC client that sends them must not look like one
  headers:remove("x-envoy-original-path")
  headers:remove("x-envoy-original-method")
  headers:remove("x-shoal-json")
  headers:remove("x-shoal-head")
  local kind = headers:get("content-type") or ""
  if kind:sub(1, 16) == "application/grpc" then return end
  forget_grpc_headers(headers)
  local path = headers:get(":path") or ""
  ask_for_headers_alone(headers, path)
  local marks = handle:streamInfo():dynamicMetadata()
  marks:set("shoal", "family", path:sub(1, 4) == "/v1/" and "clusters" or "rag")
  marks:set("shoal", "method", headers:get(":method") or "")
  headers:add("x-shoal-json", "1") -- tells the local replies that this file will see them
  if kind:sub(1, 16) == "application/json" then keep_body(handle) end
end

local function answer(handle, headers, status, body)
  headers:replace(":status", tostring(status))
  headers:replace("content-type", "application/json")
  handle:body(true):setBytes(body)
end

function envoy_on_response(handle)
  local marks = handle:streamInfo():dynamicMetadata():get("shoal")
  if not marks then return end -- a gRPC caller reads status and details itself
  local headers = handle:headers()
  local error_body, status = headers:get("x-error-body"), headers:get("x-http-status")
  local unwrap, is_null, local_reply = headers:get("x-unwrap"), headers:get("x-null-body"), headers:get("x-local-reply")
  local own_status, own_length = headers:get("x-own-status"), headers:get("x-own-length")
  local is_nothing = headers:get("x-no-content")
  local http_status = tonumber(headers:get(":status")) or 500
  for _, name in ipairs(INTERNAL) do headers:remove(name) end -- before the first look at the body, which ends their life
  if error_body then
    answer(handle, headers, status, error_body)
  elseif local_reply then
    if not local_reply:find("transcod", 1, true) then return end
    headers:replace(":status", "422")
    headers:replace("content-type", "application/json")
    local reason = handle:body(true)
    reason:setBytes(problems_body(marks.family, tostring(reason:getBytes(0, reason:length())), marks.method, marks.body))
  elseif http_status >= 400 then
    if http_status == 429 or http_status == 503 then headers:replace("retry-after", headers:get("retry-after") or "1") end
    local body = handle:body(true)
    local shaped = reshaped(marks.family, http_status, tostring(body:getBytes(0, body:length())))
    if shaped then body:setBytes(shaped) end
  elseif own_status then
    -- files: a part, or nothing new; with a length, so that a client can tell when an answer was cut
    headers:replace(":status", own_status)
    headers:replace("content-length", own_length)
  elseif is_nothing then
    headers:replace(":status", "204")
    headers:remove("content-type")
    handle:body(true):setBytes("")
  elseif is_null then
    handle:body(true):setBytes("null")
  elseif unwrap then
    local body = handle:body(true)
    body:setBytes(body:getBytes(0, body:length()):sub(#unwrap + 5, -2))
  end
end
