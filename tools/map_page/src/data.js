// Reads what the page carries: base64 of gzip of [length of the header, uint32][header, JSON][columns].

/** Returns {title, groups, n, x, y, group, texts, ids}; x and y from -1 to 1, `group` -1 for points in none. */
export async function readMap(element) {
  const bytes = await unpacked(element.textContent);
  element.textContent = "";
  const { length, parts, ...header } = headerOf(bytes);
  const column = (name) => bytes.slice(...parts[name]);
  const across = (name) => Float32Array.from(new Uint16Array(column(name).buffer), (step) => (step / 65535) * 2 - 1);
  const lines = (name) => (header.n ? new TextDecoder().decode(column(name)).split("\n") : []);
  return {
    ...header,
    x: across("x"),
    y: across("y"),
    group: new Int32Array(column("group").buffer),
    texts: lines("texts"),
    ids: lines("ids"),
  };
}

async function unpacked(base64) {
  const packed = atob(base64.trim());
  const bytes = new Uint8Array(packed.length);
  for (let at = 0; at < packed.length; at += 1) bytes[at] = packed.charCodeAt(at);
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
  return new Uint8Array(await new Response(stream).arrayBuffer());
}

function headerOf(bytes) {
  const length = new DataView(bytes.buffer).getUint32(0, true);
  const header = JSON.parse(new TextDecoder().decode(bytes.subarray(4, 4 + length)));
  const start = 4 + length;
  const parts = Object.fromEntries(header.parts.map(([name, from, size]) => [name, [start + from, start + from + size]]));
  return { ...header, length, parts };
}
